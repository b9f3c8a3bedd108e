"""COPY and ADD over contexts in memory, for the tests of this folder."""

from __future__ import annotations

from dockerception.context.base import Context
from dockerception.dockerfile import instructions as ins
from dockerception.engines.embedded.copying import Copier, Unpack
from dockerception.engines.embedded.matching import Source, find_sources
from dockerception.engines.embedded.planting import Planting, contents_of
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from unit.context.trees import Tree

DEFAULT_TIME = 77


def copied(
    text: str,
    context: Context,
    below: Context | None = None,
    *,
    owner: tuple[int, int] | None = None,
    working_dir: str = "/",
    unpack: Unpack | None = None,
) -> tuple[Toc, dict[str, bytes]]:
    """The entries of the layer that an instruction makes over ``below``, and the contents of its files."""
    instruction = ins.parse_instruction(text, name="the test")
    assert isinstance(instruction, ins.Copy | ins.Add)
    planting = Planting(below or Tree(), owner=owner or (0, 0), default_time=DEFAULT_TIME)
    copier = Copier(instruction, planting, working_dir=working_dir, owner=owner, unpack=unpack or _is_no_archive)
    for source in find_sources(instruction, context, _nothing_is_remote):
        copier.copy(source)
    toc = planting.finish()
    read = contents_of(planting)
    return toc, {entry.path: b"".join(map(bytes, read(entry))) for entry in toc if entry.kind == "file"}


def _is_no_archive(context: Context, entry: Entry) -> None:
    return None


def _nothing_is_remote(instruction: ins.Add, text: str) -> Source:
    raise AssertionError("nothing is fetched here")


def names(toc: Toc) -> list[str]:
    """The paths of a layer; directories end in a slash, links show where they lead."""
    return [_name(entry) for entry in toc]


def _name(entry: Entry) -> str:
    match entry.kind:
        case "directory":
            return f"{entry.path}/"
        case "symlink":
            return f"{entry.path} -> {entry.link}"
        case "hardlink":
            return f"{entry.path} == {entry.link}"
    return entry.path
