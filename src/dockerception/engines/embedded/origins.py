"""What is remembered of images that came from registries, or went there: manifests, and where layers are.

It saves work and keeps digests, and is true only as far as registries keep what they have: whoever uses it checks.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ...oci.documents import recorded
from ...reference import Reference
from ...store.images import StoredImage
from ...store.records import Record
from ...store.store import Store
from . import keys


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest that an image came with, byte for byte."""

    data: bytes
    media_type: str


_decode_came = msgspec.msgpack.Decoder(Came).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode


def remember_manifest(store: Store, image: StoredImage, came: Came) -> None:
    """Keep the manifest of an image as long as the image."""
    key = _manifest_key(image)
    store.records.put([Record(key, msgspec.msgpack.encode(came), (f"image:{image.image}",))])


def find_manifest(store: Store, image: StoredImage) -> Came | None:
    """The manifest that an image came with; None for one that was built here."""
    return recorded(_decode_came, store.records.get(_manifest_key(image)))


def remember_layers(store: Store, image: StoredImage, reference: Reference) -> None:
    """Note that a repository has the layers of an image."""
    remember(store, dict(zip(image.config.rootfs.diff_ids, image.layers, strict=True)), reference.repository)


def remember(store: Store, layers: Mapping[str, str], repository: str) -> None:
    """Note that a repository has layers: their ids in the store by diff_ids."""
    records = []
    for diff_id, layer in layers.items():
        known = _repositories(store, diff_id)
        if repository not in known:
            value = msgspec.msgpack.encode(sorted({*known, repository}))
            records.append(Record(_layer_key(diff_id), value, (f"layer:{layer}",)))
    if records:
        store.records.put(records)


def paths_at(store: Store, diff_id: str, domain: str) -> tuple[str, ...]:
    """The paths of repositories of a registry that have, or had, a layer."""
    found = (name.partition("/") for name in _repositories(store, diff_id))
    return tuple(path for registry, _, path in found if registry == domain)


def _repositories(store: Store, diff_id: str) -> list[str]:
    return recorded(_decode_names, store.records.get(_layer_key(diff_id))) or []


def _manifest_key(image: StoredImage) -> str:
    return keys.derive("manifest", (("image", image.image),))


def _layer_key(diff_id: str) -> str:
    return keys.derive("repositories", (("diff_id", diff_id),))
