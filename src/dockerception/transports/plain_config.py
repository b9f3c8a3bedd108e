"""The config of an image whose source has none: a root file system, or packages."""

from __future__ import annotations

from typing import Final

from ..oci import config as oci_config
from ..oci.config import ContainerConfig, History, ImageConfig
from ..reference import Platform

DEFAULT_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def plain_config(
    platform: Platform, *, origin: str, created: int | None = None, command: tuple[str, ...] = ()
) -> bytes:
    """A config of one layer without ``diff_ids``; ``created`` is in seconds since the epoch.

    ``origin`` becomes the history's ``created_by``; it must name no place of this machine.
    """
    time = oci_config.format_time(created) if created is not None else ""
    return oci_config.encode(
        ImageConfig(
            created=time,
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            config=ContainerConfig(env=(DEFAULT_PATH,), cmd=command or None),
            history=(History(created=time, created_by=origin),),
        )
    )
