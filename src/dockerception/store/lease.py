"""A lease: a locked file that says that its process lives, and lists what it holds, a thing a line.

The kernel frees the lock when the process ends, however it ends; so a lease is dead exactly when its lock is free.
Lines are added inside transactions of the database and read by ``prune`` inside its own, which makes a lookup and its
hold one step; being no rows, they cost no write to the database and nothing has to be taken back after a crash.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from ..errors import StoreError
from .disk import disk_errors

_NEEDS_HELP: Final = b"needs help: its scratch directory has files that its user can't remove\n"


class Lease:
    """One process's claim on what it uses, and its own temporary directory ``tmp/<lease>/``; both made when they are
    first needed."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._name = ""
        self._descriptor = -1
        self._scratch = ""
        self._is_over = False

    def hold(self, things: Iterable[str]) -> None:
        """Keep things alive until the lease ends; inside the transaction that found or added them."""
        self._taken()
        rest = memoryview("".join(f"{thing}\n" for thing in things).encode())
        with disk_errors("noting what is used in the store", _file_of(self._root, self._name)):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    @property
    def scratch(self) -> str:
        """The directory for everything unfinished; it is on the store's disk, so that a rename finishes it."""
        if not self._scratch:
            path = scratch_of(self._root, self._taken())
            with self._lock, disk_errors("making a temporary directory in the store"):
                if not self._scratch:
                    os.mkdir(path, 0o700)
                    self._scratch = path
        return self._scratch

    @property
    def has_scratch(self) -> bool:
        """Whether ``scratch`` has been made."""
        return bool(self._scratch)

    def temporary(self, suffix: str = "") -> str:
        """A fresh path in the temporary directory; nothing is made there."""
        return os.path.join(self.scratch, f"{next(self._numbers)}-{os.urandom(3).hex()}{suffix}")

    def close(self) -> None:
        """End everything that is held, and free the lock.  A scratch directory that is still there is left to a sweep;
        so is the file then, for sweeps begin with it."""
        with self._lock:
            name, descriptor, scratch = self._name, self._descriptor, self._scratch
            self._name, self._descriptor, self._scratch, self._is_over = "", -1, "", True
        if name:
            try:
                if not scratch or not os.path.lexists(scratch):
                    os.unlink(_file_of(self._root, name))
            except OSError:
                pass  # its lock is free now, which is what counts; a sweep removes it
            finally:
                os.close(descriptor)

    def _taken(self) -> str:
        """The lease's name; the first call makes the file."""
        if self._name:
            return self._name
        with self._lock, disk_errors("taking a lease of the store"):
            if self._is_over:
                raise StoreError("The store has been closed.", hint="open it again")
            while not self._name:
                name = os.urandom(8).hex()
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
                descriptor = os.open(_file_of(self._root, name), flags, 0o600)
                if _try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                    self._descriptor, self._name = descriptor, name
                else:
                    os.close(descriptor)  # a sweep was quicker, and took it for dead; it removes the file
            return self._name


class DeadLease(msgspec.Struct, frozen=True):
    """A lease whose process is gone; its lock is ours while ``dead_leases`` yields it."""

    name: str
    descriptor: int

    @property
    def needs_help(self) -> bool:
        """Whether an ordinary removal of its scratch directory has failed before."""
        return os.pread(self.descriptor, len(_NEEDS_HELP), 0) == _NEEDS_HELP

    def end_holds(self) -> None:
        """Let go of what it held."""
        with disk_errors("ending a dead lease"):
            os.ftruncate(self.descriptor, 0)

    def note_need_of_help(self) -> None:
        """Remember that ``needs_help``, if there is room for it."""
        try:
            os.pwrite(self.descriptor, _NEEDS_HELP, 0)
        except OSError:
            pass  # the next sweep tries again


def dead_leases(root: str) -> Iterator[DeadLease]:
    """The leases whose process is gone, each locked while it is yielded, so that one process cleans up after it.

    Its file is removed afterwards if its scratch directory is gone.
    """
    for name in _names(root):
        try:
            descriptor = os.open(_file_of(root, name), os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            continue  # ended, or another user's: only that user can remove what is in its directory
        try:
            # Without a link its owner has ended properly between our open and our lock.
            if _try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                yield DeadLease(name, descriptor)
                if not os.path.lexists(scratch_of(root, name)):
                    _unlink(_file_of(root, name))
        finally:
            os.close(descriptor)


def held_things(root: str) -> set[str]:
    """What all leases hold.  Only inside a writing transaction is this true for longer than a moment."""
    held: set[str] = set()
    for name in _names(root):
        try:
            with open(_file_of(root, name), encoding="utf-8") as file:
                held.update(line.rstrip("\n") for line in file)
        except FileNotFoundError:
            continue
    return held


def scratch_of(root: str, lease: str) -> str:
    """Where the temporary directory of a lease is, or would be."""
    return os.path.join(root, "tmp", lease)


def _names(root: str) -> list[str]:
    return os.listdir(os.path.join(root, "leases"))


def _file_of(root: str, lease: str) -> str:
    return os.path.join(root, "leases", lease)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
