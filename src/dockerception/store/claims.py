"""Who does a piece of work: of builds that need the same thing at once, one makes it, and the others wait for it.

A claim is a locked file, so it ends with its process, however that ends.  It saves work and decides nothing: where it
can't be made, everybody does the work, and whoever is first is kept, as ever.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_WAIT_SECONDS: Final = 0.05


class Claims:
    """Claims of one store, by what is to be made."""

    def __init__(self, root: str) -> None:
        self._folder = os.path.join(root, "claims")

    @contextmanager
    def claim(self, what: str, check: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """Be the only one who makes ``what`` for the duration of the block.

        Yields whether somebody else was waited for: then it may have been made meanwhile, and is to be looked for
        again.  ``check`` is called now and then while waiting; what it raises ends it.  Not reentrant.
        """
        path = os.path.join(self._folder, hashlib.sha256(what.encode()).hexdigest()[:32])
        has_waited = False
        while (descriptor := _open(path)) is not None:
            try:
                if _is_ours(descriptor):
                    if os.fstat(descriptor).st_nlink:
                        try:
                            yield has_waited
                            return
                        finally:
                            _remove(path)
                else:
                    check()
                    time.sleep(_WAIT_SECONDS)
                has_waited = True  # for another's lock, or for one that ended while we opened its file
            finally:
                os.close(descriptor)
        yield has_waited


def _open(path: str) -> int | None:
    """The claim's file; None where there can be none: a full disk, or one without locks."""
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # a file that nobody has locked claims nothing; whoever claims this next removes it


def _is_ours(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # no locks here: everybody is the only one
    return True
