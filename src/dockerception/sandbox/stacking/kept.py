"""Keeps one copied tree from a run to the next: mostly that one goes on with what the last one left.

The copy lacks what the run changed, which has become the tree of a layer; so it needs that layer, and no other, to be
laid over it again.  Whoever takes it moves it away first, so that no two runs have the same.
"""

from __future__ import annotations

import os

import msgspec

from .. import removal
from ..messages import KEPT
from . import Wanted, snapshot
from .merging import OPEN_DIRECTORY


class _Record(msgspec.Struct, frozen=True):
    """``layers`` are those that were copied, ``upper`` is who the directory is that the changes went to."""

    layers: tuple[str, ...]
    upper: tuple[int, int]


def leave(wanted: Wanted) -> None:
    """Keep the copy of a run whose changes lie in the upper directory, in the place of an older one."""
    folder = f"{wanted.copied}.leaving"
    os.mkdir(folder)
    os.rename(wanted.copied, f"{folder}/root")
    with open(f"{folder}/record", "wb") as file:
        file.write(msgspec.json.encode(_Record(wanted.layers, _identity(wanted.upper))))
    _move_away(f"{wanted.keep}/{KEPT}", f"{wanted.copied}.older")
    try:
        os.rename(folder, f"{wanted.keep}/{KEPT}")
    except OSError:
        pass  # another run has just left its own


def take(wanted: Wanted) -> int:
    """Move the kept copy to where a copy is wanted, if it suits; returns how many of the layers are in it already."""
    folder = f"{wanted.copied}.taken"
    if not wanted.keep or not _move_away(f"{wanted.keep}/{KEPT}", folder):
        return 0
    with open(f"{folder}/record", "rb") as file:
        record = msgspec.json.decode(file.read(), type=_Record)
    count = len(record.layers)
    following = wanted.layers[count : count + 1]
    is_same = wanted.layers[:count] == record.layers
    if is_same and following and _identity(f"{wanted.trees}/{following[0]}") == record.upper:
        os.rename(f"{folder}/root", wanted.copied)
        return count
    if not _move_away(folder, f"{wanted.keep}/{KEPT}"):
        removal.remove([folder])
    return 0


def _identity(path: str) -> tuple[int, int]:
    descriptor = os.open(path, OPEN_DIRECTORY)
    try:
        return snapshot.identity(descriptor, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _move_away(source: str, target: str) -> bool:
    try:
        os.rename(source, target)
    except OSError:
        return False
    return True
