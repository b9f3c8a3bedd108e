"""Stacks trees by copying them: the second rung, for where nothing can be mounted.

It costs a copy of the whole image, and time for each run to see what has changed in it.  In exchange it asks nothing of
the kernel or of the file system.
"""

from __future__ import annotations

import os

import msgspec

from ..attributes import copy_attributes
from . import Stack, Wanted, changes, kept, merging, snapshot


def show(wanted: Wanted) -> Stack:
    """Copy the layers."""
    done = kept.take(wanted)
    if not done:
        os.mkdir(wanted.copied, 0o755)
    for layer in wanted.layers[done:]:
        merging.merge(f"{wanted.trees}/{layer}", wanted.copied)
    if wanted.is_readonly or wanted.is_thrown_away:
        return _Copied(wanted.copied)
    os.makedirs(wanted.upper, 0o755, exist_ok=True)
    if not wanted.layers:
        copy_attributes(wanted.upper, wanted.copied)
    return _Changing(wanted.copied, wanted, snapshot.take(wanted.copied))


class _Copied(msgspec.Struct, frozen=True):
    root: str

    def settle(self) -> None:
        """Nothing: the copy goes with the run's other scratch files."""


class _Changing(msgspec.Struct, frozen=True):
    root: str
    wanted: Wanted
    before: snapshot.Folder

    def settle(self) -> None:
        """Find the changes."""
        changes.move(self.before, self.root, self.wanted.upper)
        if self.wanted.keep:
            kept.leave(self.wanted)
