"""Hostile documents of images, and archives with them: manifests, indexes and configs that lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from hostile import tars


def documents() -> Iterator[tuple[str, bytes]]:
    """Manifests, indexes and configs by name."""
    digest = "sha256:" + "0" * 64
    descriptor = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
    sound: dict[str, object] = {"schemaVersion": 2, "config": descriptor, "layers": [descriptor]}
    yield "manifest", json.dumps(sound).encode()
    changes: dict[str, dict[str, object]] = {
        "digest-path": {"config": {**descriptor, "digest": "sha256:../../etc/passwd"}},
        "digest-short": {"config": {**descriptor, "digest": "sha256:00"}},
        "size-negative": {"config": {**descriptor, "size": -1}},
        "size-huge": {"config": {**descriptor, "size": 1 << 70}},
        "size-float": {"config": {**descriptor, "size": 1e300}},
        "layers-none": {"layers": None},
        "version": {"schemaVersion": "2"},
    }
    for name, change in changes.items():
        yield name, json.dumps(sound | change).encode()
    yield (
        "config",
        json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode(),
    )
    yield (
        "config-diff-ids",
        json.dumps({"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": ["x"]}}).encode(),
    )
    for name, text in {
        "deep": b"[" * 200_000, "deep-object": b'{"a":' * 100_000,
        "deep-unknown": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nul": b"\0", "invalid-utf8": b'{"os":"\xff"}', "surrogate": b'{"os":"\\ud800"}', "number": b"1" * 100_000,
        "empty": b"",
        "bom": b"\xef\xbb\xbf{}", "twice": b"{}{}", "null": b"null", "duplicates": b'{"os":"a","os":"b"}',
    }.items():  # fmt: skip
        yield name, text


def archives() -> Iterator[tuple[str, bytes]]:
    """Image archives by name."""
    layer = tars.sound()
    config = _config(layer)
    for name, text in documents():
        yield f"docker-manifest-{name}", tars.member(b"manifest.json", text) + tars.END
        yield f"docker-config-{name}", _docker(text, layer)
        index = tars.member(b"oci-layout", b'{"imageLayoutVersion":"1.0.0"}') + tars.member(b"index.json", text)
        yield f"oci-index-{name}", index + tars.END
    yield "docker", _docker(config, layer)
    yield "docker-wrong-layer", _docker(config, layer + tars.END)
    listing = json.dumps(
        [{"Config": "../../../etc/passwd", "RepoTags": ["../x:\n"], "Layers": ["/etc/shadow"]}]
    ).encode()
    yield "docker-paths", tars.member(b"manifest.json", listing) + tars.END
    loop = tars.header(b"manifest.json", kind=b"2", link=b"m") + tars.header(b"m", kind=b"2", link=b"manifest.json")
    yield "docker-loop", loop + tars.END
    yield "docker-link-out", tars.header(b"manifest.json", kind=b"2", link=b"/etc/passwd") + tars.END
    yield "docker-large-document", tars.header(b"manifest.json", size=1 << 26) + bytes(1 << 26) + tars.END


def _config(layer: bytes) -> bytes:
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest()]
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()


def _docker(config: bytes, layer: bytes) -> bytes:
    listing = json.dumps([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"]}]).encode()
    return (
        tars.member(b"manifest.json", listing)
        + tars.member(b"c.json", config)
        + tars.member(b"layer.tar", layer)
        + tars.END
    )
