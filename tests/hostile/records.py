"""Records of a cache, whole ones and ones that a disk or another machine has damaged."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import msgspec

from dockerception.context.digest_cache import DIGEST_SIZE, SIGNATURE_SIZE, KnownDigests

_ID = "0" * 24
_KEY = "1" * 64
_DIGEST = "sha256:" + "2" * 64


def records() -> Iterator[tuple[str, bytes]]:
    """Values of cache records and traces of the store, by name."""
    state = {"key": _KEY, "layers": [_ID, _ID], "created": [1], "steps": [_KEY]}
    sound: dict[str, object] = {
        "layer": [_ID, 1_700_000_000], "state": state, "layers": [_ID], "repositories": ["h/a", "h/b"],
        "came": {"data": b"{}", "media_type": "application/json"}, "file": [_DIGEST, ["tag", "yesterday", 5]],
        "wrong-type": [1, _ID], "negative": [_ID, -(1 << 63)], "many": [_ID] * 1000, "nothing": None,
    }  # fmt: skip
    for name, value in sound.items():
        packed = msgspec.msgpack.encode(value)
        yield name, packed
        yield f"{name}-cut", packed[:-1]
        yield f"{name}-longer", packed + b"\0"
        yield f"{name}-trace", zlib.compress(packed)
    blob = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": _DIGEST, "size": 5}
    yield "descriptor", json.dumps(blob).encode()
    yield "descriptor-size", json.dumps(blob | {"size": "5"}).encode()
    yield "deep", b"\x91" * 200_000
    yield "deep-map", b"\x81\xa1a" * 100_000
    yield "claims-much", b"\xdd\xff\xff\xff\xff"
    yield "trace-bomb", zlib.compress(bytes(1 << 26))
    yield "invalid-utf8", b"\x92\xa1\xff\x01"


def shared() -> Iterator[tuple[str, bytes]]:
    """Documents of caches elsewhere, by name."""
    layer = {"diff_id": _DIGEST, "blob": _DIGEST, "size": 5}
    step = {"key": _KEY, "layer": _DIGEST, "created": 1}
    stage: dict[str, object] = {"definition": _KEY, "content": _KEY, "steps": [_KEY]}
    sound: dict[str, object] = {
        "layers": [layer], "steps": [step], "stages": [stage], "contexts": [{"key": _KEY, "blob": _DIGEST}],
        "mounts": [{"name": _ID, "blob": _DIGEST}],
    }  # fmt: skip
    yield "cache", json.dumps(sound).encode()
    yield "cache-path", json.dumps(sound | {"mounts": [{"name": "../../../../etc/passwd00", "blob": _DIGEST}]}).encode()
    yield "cache-newline", json.dumps(sound | {"contexts": [{"key": _KEY + "\n", "blob": _DIGEST}]}).encode()
    yield "cache-year", json.dumps(sound | {"steps": [step | {"created": 1 << 60}]}).encode()
    yield "cache-many", json.dumps(sound | {"stages": [stage | {"steps": [_KEY] * 10_000}]}).encode()


def listings() -> Iterator[tuple[str, bytes]]:
    """What is kept of a directory's files, by name."""
    known = KnownDigests()
    known.add(bytes(SIGNATURE_SIZE), bytes(DIGEST_SIZE))
    sound = known.encode([bytes(SIGNATURE_SIZE)])
    yield "listing", sound
    yield "listing-none", KnownDigests().encode(())
    yield "listing-cut", sound[:-1]
    yield "listing-changed", sound[:-2] + bytes([sound[-2] ^ 1]) + sound[-1:]
