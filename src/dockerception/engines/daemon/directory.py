"""A directory of an image in a daemon: it comes as a tar out of a container that is never started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from ...context.base import Context
from ...context.tar_context import TarContext
from ...errors import TransportError
from ...oci.stream_limits import Limits
from ...store.store import Store
from ..directories import check_path
from . import leftovers
from .api import Daemon, StartError

_NOTHING: Final = ("/",)  # an image need not have a command, a container must


def read_directory(daemon: Daemon, image: str, directory: str, store: Store, limits: Limits) -> Context:
    """The files of a directory, kept in the store for this build.

    Raises ``ContextError`` where there is none, and ``DockerfileError`` where links lead to one that is no context.
    """
    from ...context.tarstream import receive

    origin = f"the directory {directory} of the image"
    labels = {leftovers.LABEL: leftovers.owner()}
    try:
        container = daemon.create(image, command=_NOTHING, network="none", labels=labels)
    except StartError as error:
        raise TransportError(f"{daemon.name} can't show the files of an image: {error}.") from error
    path = store.contexts.new_spool()
    try:
        followed = daemon.resolved(container, directory)
        if followed != directory:
            check_path(followed)
        with _new_file(path) as descriptor:
            received = receive(
                _reader(daemon.archive(container, followed)),
                spool=descriptor,
                origin=origin,
                source="emitted",
                limits=limits,
            )
    finally:
        daemon.remove(container)
    return TarContext(received.toc, path, origin=origin)


@contextmanager
def _new_file(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reader(chunks: Iterable[bytes]) -> Callable[[int], bytes]:
    """What reads at most so many bytes of the chunks, none at their end."""
    rest: Iterator[bytes] = iter(chunks)
    waiting = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal waiting
        if not waiting:
            waiting = memoryview(next((chunk for chunk in rest if chunk), b""))
        taken, waiting = waiting[:size], waiting[size:]
        return bytes(taken)

    return read
