"""An image into a registry: layers in parallel, then the config, the manifest last, so that nothing is half named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from ...oci.manifest import Descriptor, describe
from ...parallel import Check, in_parallel
from ...reference import Reference
from ..base import Outgoing
from ..image_manifest import ImageManifest, image_manifest
from ..layout import distinct_layers
from . import manifests, uploads
from .session import Registries, Repository
from .uploads import Blob

THREADS: Final = 3
_PIECE: Final = 1 << 20
_MOUNTS: Final = 3  # so many repositories are tried for a layer
Advance = Callable[[int, int], None]
"""``advance(done, total)`` in bytes of all layers that are sent."""


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed image: the digest of its manifest, and the bytes of layers that were sent, found there, or mounted."""

    digest: str
    media_type: str
    size: int
    sent: int = 0
    present: int = 0
    mounted: int = 0


def push(
    image: Outgoing,
    reference: Reference,
    *,
    registries: Registries,
    keep_manifest: tuple[bytes, str] | None = None,
    mount_from: Mapping[str, tuple[str, ...]] | None = None,
    advance: Advance = lambda done, total: None,
) -> Pushed:
    """Push an image under a name (its tag; without one, by digest).

    ``keep_manifest`` are the bytes and the media type of a manifest that this image came with; it is used again.
    ``mount_from`` tells, by the digests of layers, paths of repositories of the same registry that may have them.
    Raises ``TransportError``; the name then leads to what it led to before.
    """
    made = _manifest(image, keep=keep_manifest)
    others = {
        digest: tuple(path for path in paths if path != reference.path)[:_MOUNTS]
        for digest, paths in (mount_from or {}).items()
    }
    repository = registries.target(reference, mount_from=tuple({path for paths in others.values() for path in paths}))
    counts = _send_layers(repository, image, others, advance)
    config = _bytes_blob(image.config_bytes, made.config, f"The config of {repository.title}")
    uploads.upload(repository, config, advance=lambda count: None)
    name = reference.tag or made.descriptor.digest
    digest = manifests.put(repository, name, made.data, made.descriptor.media_type)
    return Pushed(digest=digest, media_type=made.descriptor.media_type, size=made.descriptor.size, **counts)


def _manifest(image: Outgoing, *, keep: tuple[bytes, str] | None) -> ImageManifest:
    made = image_manifest(image)
    if keep is None:
        return made
    data, media_type = keep
    return ImageManifest(data=data, descriptor=describe(data, media_type), config=made.config)


def _send_layers(
    repository: Repository, image: Outgoing, mount_from: Mapping[str, tuple[str, ...]], advance: Advance
) -> dict[str, int]:
    layers = list(distinct_layers([image]))
    progress = _Progress(sum(layer.blob.size for layer in layers), advance)

    def work(number: int, check: Check) -> uploads.Outcome:
        layer = layers[number]

        def chunks() -> Iterator[bytes]:
            for chunk in layer.read():
                check()
                yield chunk

        subject = f"The layer {layer.blob.digest} of {repository.title}"
        blob = Blob(descriptor=layer.blob, chunks=chunks, subject=subject)
        sources = mount_from.get(layer.blob.digest, ())
        outcome = uploads.upload(repository, blob, mount_from=sources, advance=progress.add)
        if outcome != "sent":
            progress.add(layer.blob.size)
        return outcome

    outcomes = in_parallel(work, range(len(layers)), threads=THREADS)
    counts = {"sent": 0, "present": 0, "mounted": 0}
    for layer, outcome in zip(layers, outcomes, strict=True):
        counts[outcome] += layer.blob.size
    return counts


def _bytes_blob(data: bytes, descriptor: Descriptor, subject: str) -> Blob:
    return Blob(descriptor=descriptor, chunks=lambda: iter((data,)), subject=subject)


class _Progress:
    """Bytes of all layers together; threads share it."""

    def __init__(self, total: int, advance: Advance) -> None:
        self._total = total
        self._advance = advance
        self._lock = threading.Lock()
        self._done = 0
        self._told = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            if abs(self._done - self._told) < _PIECE and self._done != self._total:
                return
            self._told = done = self._done
        self._advance(done, self._total)
