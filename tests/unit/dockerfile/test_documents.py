"""What holds for every right Dockerfile: it is read, printed and read again as the same, and lines have their place."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import given, settings

from dockerception.dockerfile.instructions import In, Instruction, Lines, expand_instruction
from dockerception.dockerfile.stages import Dockerfile, load, print_dockerfile
from dockerception.errors import DockerfileError
from unit.dockerfile.documents import documents

VARIABLES = {"A": "x y", "P": "80 81/udp", "S": "TERM", "T": "cache", "B": "b"}


def without_places(instruction: Instruction) -> Instruction:
    """An instruction but for where and how it is written."""
    changes: dict[str, object] = {"location": Lines(0, 0), "original": ""}
    if isinstance(instruction, In):
        changes["instructions"] = tuple(map(without_places, instruction.instructions))
    if hasattr(instruction, "text") and not getattr(instruction, "heredocs", ()):
        changes["text"] = ""  # the spelling of JSON is not kept
    return msgspec.structs.replace(instruction, **changes)


def all_of(dockerfile: Dockerfile) -> Iterator[Instruction]:
    """The instructions in the order of the file, those of IN blocks behind their opening."""
    yield from dockerfile.global_args
    for stage in dockerfile.stages:
        for instruction in (stage.base, *stage.instructions):
            yield instruction
            if isinstance(instruction, In):
                yield from instruction.instructions


def expanded(dockerfile: Dockerfile) -> list[Instruction | str]:
    """Each instruction expanded, or what is wrong with that."""
    found: list[Instruction | str] = []
    for instruction in all_of(dockerfile):
        try:
            value = expand_instruction(instruction, VARIABLES, escape=dockerfile.directives.escape)
            found.append(without_places(value))
        except DockerfileError as error:
            found.append(error.message)
    return found


@settings(max_examples=100, deadline=None)
@given(documents())
def test_what_is_printed_is_read_as_the_same(text: str) -> None:
    dockerfile = load(text.encode())
    printed = print_dockerfile(dockerfile)
    again = load(printed.encode())
    assert [without_places(one) for one in all_of(again)] == [without_places(one) for one in all_of(dockerfile)]
    assert [(stage.name, stage.index) for stage in again.stages] == [
        (stage.name, stage.index) for stage in dockerfile.stages
    ]
    assert again.directives == dockerfile.directives
    assert print_dockerfile(again) == printed
    assert expanded(again) == expanded(dockerfile)


@settings(max_examples=40, deadline=None)
@given(documents())
def test_every_instruction_has_lines_of_its_own(text: str) -> None:
    dockerfile = load(text.encode())
    lines = dockerfile.document.lines
    end = 0
    for instruction in all_of(dockerfile):
        place = instruction.location
        assert end < place.start <= place.end <= len(lines)
        first = lines[place.start - 1].split()[0].upper()
        assert instruction.original.startswith(first)
        end = place.start if isinstance(instruction, In) else place.end
