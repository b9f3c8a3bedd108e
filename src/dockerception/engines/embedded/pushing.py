"""Images of the store into registries, with what is remembered of where their layers are already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...oci import manifest
from ...progress import Reporter, StepProgress
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing
from ..outputs import Packing
from . import origins
from .faces import Faces
from .packing import pack
from .steps import RunningStep

if TYPE_CHECKING:
    from ...transports.registry.push import Pushed
    from ...transports.registry.session import Registries


def push_image(
    store: Store,
    faces: Faces,
    image: StoredImage,
    reference: Reference,
    packing: Packing,
    *,
    report: Reporter,
    step: RunningStep,
    registries: Registries | None = None,
) -> Pushed:
    """Push an image under a name.  One that was pulled, and is not to be packed otherwise, keeps its manifest.

    Raises ``TransportError`` as the registry transport does; the name then leads to what it led to before.
    """
    from ...transports.registry.push import push
    from ...transports.registry.session import Registries

    outgoing = pack(store, faces, image, (reference,), packing)
    with Registries() if registries is None else _Borrowed(registries) as used:
        pushed = push(
            outgoing,
            reference,
            registries=used,
            keep_manifest=None if packing.is_given else _same_manifest(store, image, outgoing),
            mount_from={
                layer.blob.digest: origins.paths_at(store, layer.diff_id, reference.domain) for layer in outgoing.layers
            },
            advance=lambda done, total: report(StepProgress(step=step.number, done_bytes=done, total_bytes=total)),
        )
    origins.remember_layers(store, image, reference)
    step.is_cached = pushed.sent == 0 and bool(outgoing.layers)
    return pushed


def _same_manifest(store: Store, image: StoredImage, outgoing: Outgoing) -> tuple[bytes, str] | None:
    """The manifest that the image came with, if it names exactly the blobs that leave now."""
    came = origins.find_manifest(store, image)
    if came is None:
        return None
    named = [layer.digest for layer in manifest.decode_manifest(came.data).layers]
    return (came.data, came.media_type) if named == [layer.blob.digest for layer in outgoing.layers] else None


class _Borrowed:
    """Registries that somebody else closes."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def __enter__(self) -> Registries:
        return self._registries

    def __exit__(self, *error: object) -> None:
        return None
