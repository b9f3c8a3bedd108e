"""Emitted contexts on their way between machines: a tar by the canonical writer, read as what a builder writes is."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ....context.tar_context import TarContext
from ....context.tarstream import receive
from ....oci import tarwriter
from ....oci.stream_limits import Limits
from ....store.disk import discard, disk_errors
from ....store.records import Record
from ....store.store import Store
from ..faces import checked
from ..steps import RunningStep
from .opened import OpenedCache

_ORIGIN = "The context in the cache"


def fetch(store: Store, cache: OpenedCache, key: str, blob: str, step: RunningStep, *, limits: Limits) -> None:
    """Bring a context into the store, under the key of the builder's run.

    It is checked as what a builder writes is.  Raises ``ContextError`` and what the cache raises.
    """
    path = store.contexts.new_spool()
    with disk_errors("making a spool file"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with cache.open(blob) as read:
            received = receive(read, spool=descriptor, origin=_ORIGIN, source="archive", limits=limits)
        digest = store.contexts.keep(received.toc, path)
    finally:
        os.close(descriptor)
        discard(path)
    store.records.put([Record(key, digest.encode(), (f"context:{digest}",))])


def chunks(store: Store, digest: str) -> Iterator[bytes | memoryview] | None:
    """The tar of a context of the store, owners and all; None if it is not there any more."""
    toc = store.contexts.find(digest)
    if toc is None:
        return None
    context = TarContext(toc, store.contexts.spool_path(digest), origin="the emitted context", keeps_owners=True)
    return tarwriter.write(toc, checked(context.read))
