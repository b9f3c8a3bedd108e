"""Stacks trees by copying them: the second rung, for where nothing can be mounted.

It costs a copy of the whole image for each run.  In exchange it asks nothing of the kernel or of the file system.
"""

from __future__ import annotations

import os

import msgspec

from ..attributes import copy_attributes
from . import Stack, Wanted, changes, merging, snapshot


def show(wanted: Wanted) -> Stack:
    """Copy the layers."""
    os.mkdir(wanted.copied, 0o755)
    for layer in wanted.layers:
        merging.merge(f"{wanted.trees}/{layer}", wanted.copied)
    if wanted.is_readonly or wanted.is_thrown_away:
        return _Copied(wanted.copied)
    os.makedirs(wanted.upper, 0o755, exist_ok=True)
    if not wanted.layers:
        copy_attributes(wanted.upper, wanted.copied)
    return _Kept(wanted.copied, wanted.upper, snapshot.take(wanted.copied))


class _Copied(msgspec.Struct, frozen=True):
    root: str

    def settle(self) -> None:
        """Nothing: the copy goes with the run's other scratch files."""


class _Kept(msgspec.Struct, frozen=True):
    root: str
    upper: str
    before: snapshot.Folder

    def settle(self) -> None:
        """Find the changes."""
        changes.move(self.before, self.root, self.upper)
