"""Images of the store into registries, with what is remembered of where their layers are already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ...oci import manifest
from ...oci.annotating import resolve
from ...progress import Reporter, StepProgress
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing
from ...transports.image_manifest import image_index, platform_manifest
from ..outputs import Packing
from . import origins
from .faces import Faces
from .packing import pack
from .steps import RunningStep

if TYPE_CHECKING:
    from ...transports.registry.push import Pushed
    from ...transports.registry.session import Registries


def push_images(
    store: Store,
    faces: Faces,
    images: Sequence[StoredImage],
    reference: Reference,
    packing: Packing,
    *,
    report: Reporter,
    step: RunningStep,
    registries: Registries,
) -> Pushed:
    """Push an image under a name; images for several platforms as one: their manifests by digest, then the index, which
    gets the name.  An image that was pulled, and is not to be packed otherwise, keeps its manifest.

    Raises ``TransportError`` as the registry transport does; the name then leads to what it led to before.
    """
    if len(images) == 1:
        outgoing = pack(store, faces, images[0], (reference,), packing)
        return _push(store, images[0], outgoing, reference, packing, report, step, registries)
    from ...transports.registry import manifests
    from ...transports.registry.push import Pushed

    nameless = msgspec.structs.replace(reference, tag="")
    pushed, entries, was_there = [], [], []
    for image in images:
        outgoing = pack(store, faces, image, (reference,), packing)
        one = _push(store, image, outgoing, nameless, packing, report, step, registries)
        was_there.append(step.is_cached)
        made = manifest.Descriptor(media_type=one.media_type, digest=one.digest, size=one.size)
        pushed.append(one)
        entries.append(platform_manifest(outgoing, made))
    step.is_cached = all(was_there)
    data, index = image_index(entries, resolve(packing.annotations, images[0].config.platform), is_oci=packing.is_oci)
    digest = manifests.put(registries.target(reference), reference.tag or index.digest, data, index.media_type)
    return Pushed(
        digest=digest,
        media_type=index.media_type,
        size=index.size,
        sent=sum(one.sent for one in pushed),
        present=sum(one.present for one in pushed),
        mounted=sum(one.mounted for one in pushed),
    )


def _push(
    store: Store,
    image: StoredImage,
    outgoing: Outgoing,
    reference: Reference,
    packing: Packing,
    report: Reporter,
    step: RunningStep,
    registries: Registries,
) -> Pushed:
    from ...transports.registry.push import push

    pushed = push(
        outgoing,
        reference,
        registries=registries,
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
