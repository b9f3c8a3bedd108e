"""Hostile answers of registries: status, type and digest in the first line, the body below."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hostile import documents

_TYPES = (
    b"application/vnd.oci.image.manifest.v1+json", b"application/vnd.docker.distribution.manifest.v1+prettyjws",
    b"application/json", b"text/html", b"",
)  # fmt: skip


def answers() -> Iterator[tuple[str, bytes]]:
    """Answers by name."""
    for name, body in documents.documents():
        digest = b"sha256:" + hashlib.sha256(body).hexdigest().encode()
        for kind in _TYPES:
            yield f"{name}-{kind.decode()}", b"200 " + kind + b" " + digest + b"\n" + body
        yield f"{name}-wrong-digest", b"200  sha256:" + b"0" * 64 + b"\n" + body
        yield f"{name}-no-digest", b"200  md5:0\n" + body
    error = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x\\u0000\\ud83d\\ude00","detail":{"Err":28}}]}'
    for status in (b"400", b"401", b"403", b"404", b"413", b"429", b"500", b"507", b"302"):
        yield f"refused-{status.decode()}", status + b"\n" + error
        yield f"refused-{status.decode()}-text", status + b"\n\x1b[31mno space left on device \xff\n"
    yield "refused-deep", b'500\n{"errors":[{"detail":' + b'{"a":' * 900 + b"{}" + b"}" * 900 + b"}]}"
