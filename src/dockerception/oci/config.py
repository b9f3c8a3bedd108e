"""The image configuration (image-spec config.md, plus the fields that Docker adds).

The encoded bytes are the truth: their SHA-256 is the image's id.  Decoding keeps what the two specifications name.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..errors import ImageError
from ..reference import Platform
from .documents import UNREADABLE

_SECONDS_LENGTH = len("2006-01-02T15:04:05")


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """HEALTHCHECK of the Dockerfile reference; durations are in nanoseconds, as in Docker's config."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ContainerConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """The execution parameters of a container made from the image.

    ``None`` and empty differ for ``cmd`` and ``entrypoint``: empty is an explicit reset.
    """

    user: str = ""
    exposed_ports: dict[str, Any] | None = None
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    volumes: dict[str, Any] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] | None = None
    args_escaped: bool = False


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    """The layers, bottom first, by the digests of their uncompressed tars."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one layer, or one change of the config (``empty_layer``), came to be."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole document.  ``history`` has one item per layer plus one per ``empty_layer`` change.

    ``cache`` are the records of an inline cache (``engines.embedded.sharing.inline``), in base64 in the document.
    """

    created: str = ""
    author: str = ""
    architecture: str
    os: str
    variant: str = ""
    config: ContainerConfig = ContainerConfig()
    rootfs: RootFS = msgspec.field(default_factory=RootFS)
    history: tuple[History, ...] = ()
    cache: bytes = msgspec.field(default=b"", name="dockerception.cache.v0")

    @property
    def platform(self) -> Platform:
        """What the image runs on."""
        return Platform.of(self.os, self.architecture, self.variant)


_encoder = msgspec.json.Encoder(order=None)
_decoder = msgspec.json.Decoder(ImageConfig)


def encode(config: ImageConfig) -> bytes:
    """The document's bytes.  ``rootfs`` is always present, as the specification requires."""
    return _encoder.encode(config)


def decode(data: bytes) -> ImageConfig:
    """Read a config document; raises ``ImageError`` if it is not one."""
    try:
        config = _decoder.decode(data)
    except UNREADABLE as error:
        raise ImageError(f"The image config is not a valid document: {error}.") from error
    if config.rootfs.type != "layers":
        raise ImageError(
            f"The image config has a root file system of type “{config.rootfs.type}”; only “layers” is known."
        )
    return config


def format_time(seconds: int) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """RFC 3339 in UTC as whole seconds since the epoch; 0 for an empty or unreadable time."""
    try:
        return int(datetime.fromisoformat(text[:_SECONDS_LENGTH]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0
