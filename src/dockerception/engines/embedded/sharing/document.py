"""What a cache's config says: which layer a key stands for.  It comes from elsewhere, so all of it is checked.

The format is versioned by its media type; unknown fields are passed over, so that later versions may add some.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from ....errors import ImageError
from ....oci.documents import UNREADABLE

MEDIA_TYPE: Final = "application/vnd.dockerception.cache.config.v1+json"
LIMIT: Final = 64 << 20
"""The size in bytes that no document exceeds."""

_LAST_SECOND: Final = 253_402_300_799  # of the year 9999: what a date can be written for
Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}\\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}\\Z")]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]
Name = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{24}\\Z")]


class SharedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer: the blob that it is in the manifest, and the size of its files in bytes."""

    diff_id: Sha256
    blob: Sha256
    size: Size


class SharedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step: its content key, the layer that it made (a diff_id), and when."""

    key: Key
    layer: Sha256
    created: Seconds


class SharedStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage: its definition key, its content key, and the keys of the steps above the base image."""

    definition: Key
    content: Key
    steps: tuple[Key, ...]


class SharedContext(msgspec.Struct, frozen=True, kw_only=True):
    """An emitted context: the key of the builder's run, and the blob that is its tar."""

    key: Key
    blob: Sha256


class SharedMount(msgspec.Struct, frozen=True, kw_only=True):
    """A cache mount: the name of its directory in a store, and the blob that is its tar."""

    name: Name
    blob: Sha256


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole cache, but for its bytes."""

    layers: tuple[SharedLayer, ...] = ()
    steps: tuple[SharedStep, ...] = ()
    stages: tuple[SharedStage, ...] = ()
    contexts: tuple[SharedContext, ...] = ()
    mounts: tuple[SharedMount, ...] = ()


_decode = msgspec.json.Decoder(Document).decode
encode = msgspec.json.Encoder().encode


def decode(data: bytes, *, origin: str) -> Document:
    """Read a document.  Raises ``ImageError`` for what is none."""
    try:
        return _decode(data)
    except UNREADABLE as error:
        raise ImageError(f"{origin} has records that can't be read: {error}.") from error
