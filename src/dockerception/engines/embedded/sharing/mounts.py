"""Cache mounts on their way between machines: a tar of the directory, owners and all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from ....oci.compression import MAGIC_SIZE, detect, reader
from ....store.disk import disk_errors
from ....store.store import Store
from ....transports.verified import image_errors
from ..faces import StartSandbox
from ..steps import RunningStep
from .opened import OpenedCache

_CHUNK: Final = 1 << 20


def fetch(
    store: Store, sandbox: StartSandbox, directory: str, cache: OpenedCache, blob: str, step: RunningStep
) -> None:
    """Make the directory of a cache mount from the tar that a cache has.

    Whoever makes the same one meanwhile comes first.  Raises ``ImageError`` for a tar that is none, and what the cache
    raises; then nothing is made.
    """
    new = store.temporary(".mount")
    with cache.open(blob) as read, image_errors():
        sandbox().unpack(new, _tar(read), origin="The cache mount")
    try:
        os.rename(new, directory)
    except OSError:
        if not os.path.isdir(directory):
            with disk_errors("keeping a cache mount"):
                raise


def _tar(read: Callable[[int], bytes]) -> Iterator[bytes]:
    head = b""
    while len(head) < MAGIC_SIZE and (chunk := read(_CHUNK)):
        head += chunk
    rest = [head]
    plain = reader(lambda size: rest.pop() if rest else read(size), detect(head), origin="The cache mount")
    while chunk := plain(_CHUNK):
        yield chunk
    while read(_CHUNK):
        pass  # what follows belongs to the digest
