"""Images from a transport: hashed on their way, and believed only where config and layers agree."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dockerception.engines.embedded.importing import import_image
from dockerception.errors import DockerceptionError, ImageError
from dockerception.oci import media_types
from dockerception.oci.manifest import Descriptor
from dockerception.progress import silent
from dockerception.reference import Reference
from dockerception.store.images import StoredImage
from dockerception.transports.base import Read, SourceLayer
from unit.context.trees import shown
from unit.engines.lab import Lab
from unit.transports.images import config_of, sha256, tar_of

ONE = tar_of({"etc/x": b"one", "gone": b"-"})
TWO = tar_of({"etc/y": b"two", ".wh.gone": b""})


class Source:
    """An image in memory; ``reads`` are the layers that were read."""

    identity = "it"

    def __init__(self, config: bytes, *blobs: bytes, diff_ids: tuple[str, ...] | None = None) -> None:
        self.config_bytes = config
        self.blobs = blobs
        self.reads: list[int] = []
        self.layers = tuple(
            SourceLayer(diff_id=diff_ids[index] if diff_ids else "", blob=_descriptor(blob))
            for index, blob in enumerate(blobs)
        )

    @contextmanager
    def read_layer(self, index: int) -> Iterator[Read]:
        self.reads.append(index)
        yield io.BytesIO(self.blobs[index]).read

    def close(self) -> None:
        """Nothing is open."""


def _descriptor(blob: bytes) -> Descriptor:
    kind = media_types.OCI_LAYER_GZIP if blob[:2] == b"\x1f\x8b" else media_types.OCI_LAYER
    return Descriptor(media_type=kind, digest=sha256(blob), size=len(blob))


def imported(lab: Lab, source: Source, *names: str) -> StoredImage:
    """The image in the lab's store."""
    return import_image(lab.store, source, names=tuple(map(Reference.parse, names)), report=silent)


def test_an_image_and_its_files(lab: Lab) -> None:
    image = imported(lab, Source(config_of(ONE, TWO), ONE, TWO), "app")
    assert image.image == sha256(config_of(ONE, TWO))
    assert shown(lab.files(image)) == {"etc": "/", "etc/x": "one", "etc/y": "two"}
    assert lab.store.images.get("app").image == image.image
    assert lab.store.blobs.has(sha256(ONE))


def test_compressed_layers_are_kept_as_they_are_until_their_tar_is_needed(lab: Lab) -> None:
    blob = gzip.compress(ONE, mtime=0)
    image = imported(lab, Source(config_of(ONE), blob))
    assert lab.store.blobs.has(sha256(blob))
    assert not lab.store.blobs.has(sha256(ONE))
    assert shown(lab.files(image), "etc/x") == {"etc/x": "one"}
    assert lab.store.blobs.has(sha256(ONE))


def test_a_layer_that_is_here_is_not_read_again(lab: Lab) -> None:
    diff_ids = (sha256(ONE), sha256(TWO))
    imported(lab, Source(config_of(ONE), ONE, diff_ids=diff_ids[:1]))
    second = Source(config_of(ONE, TWO), ONE, TWO, diff_ids=diff_ids)
    imported(lab, second)
    assert second.reads == [1]


def test_a_config_without_diff_ids_gets_them(lab: Lab) -> None:
    image = imported(lab, Source(config_of(), ONE))
    assert image.config.rootfs.diff_ids == (sha256(ONE),)
    assert image.image != sha256(config_of())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source(config_of(ONE, TWO), ONE), "has 1 layers, but its config names 2"),
        (Source(config_of(TWO), ONE), "has the diff_id"),
        (Source(config_of(ONE, TWO), TWO, ONE), "has the diff_id"),
        (Source(config_of(TWO), gzip.compress(ONE)), "has the diff_id"),
        (Source(b"{", ONE), "not a valid document"),
        (Source(config_of(ONE), ONE[:700]), "is truncated"),
        (Source(config_of(ONE), gzip.compress(ONE)[:-20]), "is truncated"),
        (Source(config_of(ONE), b"no tar" * 200), "not a sound tar archive"),
        (Source(config_of(tar_of({"../x": b""})), tar_of({"../x": b""})), "leads out of the archive"),
        (Source(config_of(tar_of({".wh...": b""})), tar_of({".wh...": b""})), "no file name"),
    ],
)
def test_what_is_not_believed(lab: Lab, source: Source, message: str) -> None:
    with pytest.raises(DockerceptionError, match=message) as caught:
        imported(lab, source, "app")
    assert isinstance(caught.value, ImageError)
    assert lab.store.images.all() == []


@pytest.mark.parametrize("missing", [512, 1024])
def test_layers_may_lack_their_closing_blocks(lab: Lab, missing: int) -> None:
    layer = tar_of({"x": b"1"}).rstrip(b"\0")
    whole = layer + bytes(-len(layer) % 512) + bytes(1024 - missing)
    image = imported(lab, Source(config_of(whole), whole))
    assert shown(lab.files(image)) == {"x": "1"}
