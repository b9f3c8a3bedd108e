"""The files of a context as an image of one layer, for a daemon that has to be given files as an image."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ...context.base import Context
from ...oci import config as oci_config
from ...oci import media_types
from ...oci.config import ImageConfig, RootFS
from ...oci.manifest import Descriptor
from ...reference import Platform, Reference
from ...store.disk import discard, disk_errors
from ...transports import docker_archive, rootfs
from ...transports.base import Outgoing, OutgoingLayer

_CHUNK: Final = 1 << 20


@contextmanager
def archive(context: Context, name: Reference, platform: Platform, spool: str) -> Iterator[Iterator[bytes]]:
    """The chunks of a Docker archive that holds the files under a name.

    ``spool`` is the path of a file that holds the layer for the duration of the block: its digest comes first.
    """
    try:
        digest = hashlib.sha256()
        with disk_errors("collecting the files of a context"), open(spool, "wb") as file:
            for chunk in rootfs.tar_chunks(context):
                digest.update(chunk)
                file.write(chunk)
        diff_id = f"sha256:{digest.hexdigest()}"
        config = ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            rootfs=RootFS(diff_ids=(diff_id,)),
        )
        blob = Descriptor(media_type=media_types.OCI_LAYER, digest=diff_id, size=os.path.getsize(spool))
        layer = OutgoingLayer(diff_id=diff_id, blob=blob, read=lambda: _chunks(spool))
        yield docker_archive.chunks(
            Outgoing(config_bytes=oci_config.encode(config), layers=(layer,), names=(name,), platform=platform)
        )
    finally:
        discard(spool)


def _chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
