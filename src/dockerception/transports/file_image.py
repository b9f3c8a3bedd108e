"""A ``SourceImage`` whose config and layers are files of an archive or a directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from ..errors import ImageError
from ..oci import compression
from ..oci import config as oci_config
from .base import Read, SourceLayer
from .files import Files, inside
from .verified import check_digest, decompressed, digest_of, verified


class FileLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer and the name of the file that holds it, compressed as ``compression`` says."""

    layer: SourceLayer
    name: str
    compression: compression.Compression = "none"


class FileImage:
    """An image in files.  ``names`` are those that the place gives it, as written there.

    Raises ``ImageError`` unless the config is sound and lists as many layers as there are.
    """

    def __init__(
        self, files: Files, config_bytes: bytes, layers: Sequence[FileLayer], *, names: Sequence[str] = ()
    ) -> None:
        self.names = tuple(names)
        self.config_bytes = config_bytes
        self.identity = digest_of(config_bytes)
        self.layers = tuple(item.layer for item in layers)
        self._files = files
        self._layers = tuple(layers)
        count = len(oci_config.decode(config_bytes).rootfs.diff_ids)
        if count != len(layers):
            raise ImageError(f"{files.origin} has an image of {len(layers)} layers whose config lists {count}.")

    @contextmanager
    def read_layer(self, index: int) -> Iterator[Read]:
        """The bytes of a layer; where it has no ``blob``, the uncompressed tar, checked against the diff_id."""
        item = self._layers[index]
        blob = item.layer.blob
        read = self._files.open(item.name)
        if blob is not None:
            yield verified(read, blob.digest, blob.size, origin=f"The layer {blob.digest} in {inside(self._files)}")
            return
        origin = f"The layer {item.name} in {inside(self._files)}"
        yield verified(decompressed(read, item.compression, origin=origin), item.layer.diff_id, None, origin=origin)

    def close(self) -> None:
        """Close the archive, also for other images that were opened with this one."""
        self._files.close()


def diff_ids(config_bytes: bytes) -> tuple[str, ...]:
    """The diff_ids of a config; raises ``ImageError`` if one is not a digest."""
    found = oci_config.decode(config_bytes).rootfs.diff_ids
    for diff_id in found:
        check_digest(diff_id, "The image config lists the diff_id")
    return found
