"""Directories of built images: what BUILD and PUBLISH may take, and how it is told what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ..context.base import Context
from ..context.compose import Subtree
from ..context.select import clean, resolve
from ..errors import ContextError, DockerfileError
from ..oci.entry import DIRECTORY, Entry, parent

_OF_THE_KERNEL: Final = ("proc", "sys", "dev")
_LISTED: Final = 10


def open_directory(files: Context, directory: str) -> Subtree:
    """What is in a directory of an image, links followed inside of it; its owners do not count.

    Raises ``ContextError`` where there is no such directory.
    """
    path = resolve(files, clean(directory))
    check_path(path)
    entry = files.find(path)
    if entry is None or entry.kind != DIRECTORY:
        raise no_directory("BUILD", files, path)
    return Subtree(files, path, keeps_owners=False)


def no_directory(keyword: str, files: Context, path: str) -> ContextError:
    """The error for an instruction that takes a directory where ``path`` is none."""
    entry = files.find(path)
    what = "is not there" if entry is None else f"is a {entry.kind}"
    above = next(each for each in _above(path) if (files.find(each) or entry) is not None)
    return ContextError(
        f"{keyword} takes a directory, and /{path} {what} in the image; in /{above} there is:"
        f" {listed(files.children(above))}.",
        hint="make it in a RUN before",
    )


def check_path(path: str) -> None:
    """Raise ``DockerfileError`` for a directory that is no context: the root, and what the kernel fills."""
    path = clean(path)
    if not path or path.partition("/")[0] in _OF_THE_KERNEL:
        raise DockerfileError(
            f"BUILD can't take /{path} as a context.",
            hint="it takes a directory that the build has filled, but for /, /proc, /sys and /dev",
        )


def listed(entries: Iterable[Entry]) -> str:
    """The names of the first of these entries; directories end in a slash."""
    names = [entry.path.rpartition("/")[2] + ("/" if entry.kind == DIRECTORY else "") for entry in entries]
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "") if names else "nothing"


def occupied(path: str, names: Sequence[str]) -> DockerfileError:
    """The error for an IN block whose directory holds something already."""
    shown = ", ".join(f"/{name}" for name in names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return DockerfileError(
        f"The directory /{path} of IN must be absent or empty before the block; there is: {shown}.",
        hint="choose another directory, or write what is to be in it behind the block",
    )


def _above(path: str) -> list[str]:
    found = [parent(path)]
    while found[-1]:
        found.append(parent(found[-1]))
    return found
