"""Nodes to instructions: the table of keywords, and the blocks of IN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from ...errors import DockerfileError
from ..parser import Document, Node, located, parse, split_keyword
from ..text import did_you_mean
from . import commands, files, settings
from .commands import check_trigger
from .values import From, In, Instruction, Lines, Onbuild

_READERS: Mapping[str, Callable[[Node, str], Instruction]] = {
    "ADD": files.read_add,
    "ARG": settings.read_arg,
    "BUILD": files.read_build,
    "CMD": commands.read_cmd,
    "COPY": files.read_copy,
    "ENTRYPOINT": commands.read_entrypoint,
    "ENV": settings.read_env,
    "EXPOSE": settings.read_expose,
    "FROM": settings.read_from,
    "HEALTHCHECK": commands.read_healthcheck,
    "IN": files.read_in,
    "LABEL": settings.read_label,
    "MAINTAINER": settings.read_maintainer,
    "ONBUILD": commands.read_onbuild,
    "PUBLISH": files.read_publish,
    "RUN": commands.read_run,
    "SHELL": commands.read_shell,
    "STOPSIGNAL": settings.read_stopsignal,
    "USER": settings.read_user,
    "VOLUME": settings.read_volume,
    "WORKDIR": settings.read_workdir,
}
_END_OF_BLOCK = "}"
_DEEPEST_BLOCK = 16


def read_instructions(document: Document) -> tuple[Instruction, ...]:
    """Every instruction of ``document`` in order, those of an IN block inside of it.

    Raises ``DockerfileError`` with an excerpt for the first one that is wrong.
    """
    nodes = iter(document.nodes)
    instructions: list[Instruction] = []
    for node in nodes:
        if _is_end_of_block(document, node):
            error = DockerfileError(
                "This “}” closes no block.", hint="remove it, or open the block with IN directory {"
            )
            raise located(document, node.start, node.end, error)
        instructions.append(_read(document, node, nodes, depth=0))
    return tuple(instructions)


def parse_instruction(text: str, *, name: str, escape: str = "\\") -> Instruction:
    """The instruction of an ONBUILD trigger, as a base image's config keeps it; ``name`` says whose it is in errors.

    Raises ``DockerfileError`` for anything but one instruction that may be a trigger.
    """
    document = parse(text, name=name, escape=escape)
    if len(document.nodes) != 1:
        raise DockerfileError(
            f"{name}: the trigger “{text.strip()}” is not one instruction.",
            hint="the image that holds it must be rebuilt",
        )
    node = document.nodes[0]
    try:
        check_trigger(node.keyword)
        return _reader(node)(node, escape)
    except DockerfileError as error:
        raise located(document, node.start, node.end, error) from error


def _read(document: Document, node: Node, following: Iterator[Node], depth: int) -> Instruction:
    escape = document.directives.escape
    try:
        instruction = _reader(node)(node, escape)
        if isinstance(instruction, Onbuild):
            _check_onbuild(document, instruction)
        if isinstance(instruction, In):
            return _read_block(document, instruction, following, depth)
    except DockerfileError as error:
        raise located(document, node.start, node.end, error) from error
    return instruction


def _check_onbuild(document: Document, onbuild: Onbuild) -> None:
    """A trigger that no child could ever run is an error of this file, not of the child's."""
    escape = document.directives.escape
    nodes = parse(onbuild.trigger, name=document.name, escape=escape).nodes
    if len(nodes) != 1:
        raise DockerfileError("ONBUILD has no instruction.", hint="write ONBUILD COPY . /src")
    _reader(nodes[0])(nodes[0], escape)


def _read_block(document: Document, opening: In, following: Iterator[Node], depth: int) -> In:
    """``opening`` with the instructions up to its ``}``."""
    if depth == _DEEPEST_BLOCK:
        raise DockerfileError(f"Blocks of IN are nested more than {_DEEPEST_BLOCK} deep.", hint="use stages instead")
    instructions: list[Instruction] = []
    for node in following:
        if _is_end_of_block(document, node):
            if not instructions:
                raise DockerfileError("The block of IN is empty.", hint="begin it with FROM image")
            location = Lines(opening.location.start, node.end)
            return msgspec.structs.replace(opening, instructions=tuple(instructions), location=location)
        instruction = _read(document, node, following, depth + 1)
        if isinstance(instruction, From) == bool(instructions):
            error = DockerfileError(
                "The block of IN has one FROM, and it stands first.", hint="begin it with FROM image"
            )
            raise located(document, node.start, node.end, error)
        instructions.append(instruction)
    raise DockerfileError("The block of IN is not closed.", hint="end it with a line that holds only }")


def _is_end_of_block(document: Document, node: Node) -> bool:
    if node.keyword != _END_OF_BLOCK:
        return False
    if node.rest or node.flags:
        error = DockerfileError("A “}” has something behind it.", hint="put it on a line of its own")
        raise located(document, node.start, node.end, error)
    return True


def _reader(node: Node) -> Callable[[Node, str], Instruction]:
    reader = _READERS.get(node.keyword)
    if reader is None:
        hint = did_you_mean(node.keyword, _READERS, _unknown_hint(node))
        raise DockerfileError(f"Unknown instruction: {node.keyword[:80]}", hint=hint)
    return reader


def _unknown_hint(node: Node) -> str:
    if split_keyword(node.original)[0].startswith(("&&", "||", "|", ";")) or node.keyword.startswith("-"):
        return "the line before it may lack a continuation character at its end"
    return "a line begins with an instruction such as RUN, or with #"
