"""What is known of the images that a level is built from, before anybody builds: their identity and their config."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...errors import ImageError, UsageError
from ...oci import config as oci_config
from ...oci.config import ImageConfig
from ...reference import Platform, Reference
from ...store.store import Store
from ..daemon.api import Daemon


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """``identity`` changes exactly when the image does, and is empty where that can't be told.  ``config`` is None
    where it can't be read; ``why`` says then why, without a full stop."""

    identity: str = ""
    config: ImageConfig | None = None
    why: str = ""


FindImage = Callable[[str, Platform | None], Found]
"""From an image's name in a Dockerfile, and the platform that its FROM asks for, to what is known of it."""


def in_daemon(daemon: Daemon, platform: Platform) -> FindImage:
    """The daemon's images first, as its builder does it, then the registry's."""

    def find(name: str, wanted: Platform | None) -> Found:
        facts = daemon.find(name)
        if facts is not None:
            return Found(identity=facts.image, config=facts.config)
        return in_registry(name, wanted or platform)

    return find


def in_store(store: Store, platform: Platform) -> FindImage:
    """The images of our store first, which its builds have named, then the registry's."""

    def find(name: str, wanted: Platform | None) -> Found:
        chosen = wanted or platform
        try:
            is_id = name.startswith("sha256:")
            image = store.images.find(name) if is_id else store.images.find_name(Reference.parse(name), chosen)
        except UsageError as error:
            return Found(why=error.message.rstrip("."))
        if image is not None:
            return Found(identity=image.image, config=image.config)
        return in_registry(name, chosen)

    return find


def in_registry(name: str, platform: Platform) -> Found:
    """The image's manifest and config as its registry has them; no layer is read.

    A builder may reach registries that this machine does not, so that no answer is not an error.
    """
    from ...transports.registry.pull import open_image

    try:
        source = open_image(Reference.parse(name), platform=platform)
    except (ImageError, UsageError) as error:
        return Found(why=error.message.rstrip("."))
    try:
        return Found(identity=source.identity, config=oci_config.decode(source.config_bytes))
    finally:
        source.close()
