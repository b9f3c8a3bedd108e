"""Reading a saved image, independently of dockerception: the judge of the peer tests must not share its mistakes.

Knows docker-archive (``manifest.json``) and OCI layout (``index.json``) tars, with plain or gzip layers.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from peers.tree import Tree, apply_layer, sha256_of

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_GZIP_MAGIC = b"\x1f\x8b"


class BrokenImageError(Exception):
    """The archive is not one whole, sound image; the message says why."""


class SavedImage(msgspec.Struct, frozen=True):
    """The config document as decoded JSON, and all layers as one tree."""

    config: dict[str, Any]
    tree: Tree


def read_image(path: Path) -> SavedImage:
    """Read the only image of an archive; raises ``BrokenImageError`` if a layer is not what the config says."""
    with tarfile.open(path) as archive:
        config_name, layer_names = _names(archive)
        config = _json(archive, config_name)
        diff_ids = config["rootfs"]["diff_ids"]
        if len(diff_ids) != len(layer_names):
            raise BrokenImageError(f"{path}: {len(layer_names)} layers, but {len(diff_ids)} diff_ids")
        tree: Tree = {}
        for name, diff_id in zip(layer_names, diff_ids, strict=True):
            with _plain_layer(archive, name) as layer:
                found = f"sha256:{sha256_of(layer)}"
                if found != diff_id:
                    raise BrokenImageError(
                        f"{path}: layer {name} has diff_id {found}, not {diff_id} as the config says"
                    )
                layer.seek(0)
                apply_layer(tree, layer)
    return SavedImage(config, tree)


def _names(archive: tarfile.TarFile) -> tuple[str, list[str]]:
    """The members that hold the config and the layers."""
    if "manifest.json" in archive.getnames():
        (image,) = _json(archive, "manifest.json")
        return image["Config"], image["Layers"]
    (descriptor,) = _json(archive, "index.json")["manifests"]
    manifest = _json(archive, _blob(descriptor))
    while "manifests" in manifest:
        images = [found for found in manifest["manifests"] if found.get("mediaType", _MANIFEST) == _MANIFEST]
        manifest = _json(archive, _blob(images[0]))
    return _blob(manifest["config"]), [_blob(layer) for layer in manifest["layers"]]


def _blob(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _json(archive: tarfile.TarFile, name: str) -> Any:
    with _member(archive, name) as file:
        return json.load(file)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise BrokenImageError(f"{archive.name!r}: there is no file {name}")
    return file


@contextmanager
def _plain_layer(archive: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    with _member(archive, name) as file:
        magic = file.read(2)
        file.seek(0)
        if magic == _GZIP_MAGIC:
            with gzip.open(file) as plain:
                yield plain  # type: ignore[misc]  # a GzipFile is an IO[bytes] in all but name
        else:
            yield file
