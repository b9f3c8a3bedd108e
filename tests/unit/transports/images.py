"""Images for the tests of transports: outgoing ones from a few files, and archives made by hand to be spoilt."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dockerception.oci import media_types
from dockerception.oci.manifest import Descriptor
from dockerception.reference import Platform, Reference
from dockerception.transports.base import Outgoing, OutgoingLayer

AMD64 = Platform("linux", "amd64")
CREATED = "2024-01-02T03:04:05Z"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def config_of(*layers: bytes, architecture: str = "amd64") -> bytes:
    document: dict[str, Any] = {
        "created": CREATED,
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/app"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        "history": [{"created": CREATED, "created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }
    return json.dumps(document).encode()


def outgoing(
    *layers: bytes, names: tuple[str, ...] = ("app",), architecture: str = "amd64", compress: bool = False
) -> Outgoing:
    return Outgoing(
        config_bytes=config_of(*layers, architecture=architecture),
        layers=tuple(_layer(layer, compress) for layer in layers),
        names=tuple(Reference.parse(name) for name in names),
        platform=Platform("linux", architecture),
    )


def _layer(tar: bytes, compress: bool) -> OutgoingLayer:
    blob = gzip.compress(tar, mtime=0) if compress else tar
    media_type = media_types.OCI_LAYER_GZIP if compress else media_types.OCI_LAYER

    def read() -> Iterator[bytes]:
        for start in range(0, len(blob), 1000):
            yield blob[start : start + 1000]

    return OutgoingLayer(
        diff_id=sha256(tar), blob=Descriptor(media_type=media_type, digest=sha256(blob), size=len(blob)), read=read
    )


class Archive:
    """The files of an archive, to be changed one by one and then written."""

    def __init__(self, data: bytes = b"") -> None:
        self.files: dict[str, bytes] = {}
        if data:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isfile() else None
                    if file is not None:
                        self.files[member.name] = file.read()

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def set_json(self, name: str, document: Any) -> None:
        self.files[name] = json.dumps(document).encode()

    def put_blob(self, data: bytes) -> str:
        digest = sha256(data)
        self.files[f"blobs/sha256/{digest[7:]}"] = data
        return digest

    def write(self, path: Path) -> str:
        path.write_bytes(tar_of(self.files))
        return str(path)


def written(write: Any, *images: Outgoing) -> bytes:
    chunks: list[bytes] = []
    write(images, chunks.append)
    return b"".join(chunks)
