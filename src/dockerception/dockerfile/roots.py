"""IN and PUBLISH as plain stages, which every engine can build.

    IN /root { FROM busybox … }       a stage “in-1” before this one, and here: COPY --from=in-1 / /root/
    PUBLISH /root                     a stage behind this one: FROM in-1, COPY --from=<this one> /root/ /

Because a copy leaves out what equals the files below, the layers of the block's base stay shared.  What no copy can say
is marked (``Copy.root``): that /root was empty before, and that what was deleted below it since is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import DockerfileError
from .instructions import Copy, From, In, Instruction, Lines, Publish, Run, print_instruction
from .parser import located
from .rewriting import Line, directive_lines, lines_of, rewritten
from .root_rules import check_root_rules, directory_of
from .stages import Dockerfile, Stage


def with_plain_stages(dockerfile: Dockerfile) -> Dockerfile:
    """The same build without IN and PUBLISH.  Raises ``DockerfileError`` as ``check_root_rules`` does."""
    if not _is_written_with(dockerfile):
        return dockerfile
    check_root_rules(dockerfile)
    return _Rewriting(dockerfile).result()


def plain_names(dockerfile: Dockerfile) -> tuple[str, ...]:
    """What the stages of a file are called in the plain one, where their numbers are others; else nothing."""
    return tuple(_Rewriting(dockerfile).names) if _is_written_with(dockerfile) else ()


def _is_written_with(dockerfile: Dockerfile) -> bool:
    return any(isinstance(one, In | Publish) for stage in dockerfile.stages for one in stage.instructions)


def has_roots(dockerfile: Dockerfile) -> bool:
    """Whether a plain Dockerfile has marks of IN or PUBLISH."""
    return any(isinstance(one, Copy) and one.root for stage in dockerfile.stages for one in stage.instructions)


class _Rewriting:
    def __init__(self, dockerfile: Dockerfile) -> None:
        self._document = dockerfile.document
        self._dockerfile = dockerfile
        self._escape = dockerfile.directives.escape
        self._taken = _names_in(dockerfile)
        self.names = [stage.name or self._free(f"stage-{stage.index}") for stage in dockerfile.stages]
        self._lines: list[Line] = []
        self._roots: dict[int, str] = {}
        self._blocks = 0

    def result(self) -> Dockerfile:
        self._lines += directive_lines(self._document)
        for arg in self._dockerfile.global_args:
            self._lines += self._as_written(arg)
        for stage in self._dockerfile.stages:
            self._write_stage(stage)
        plain = rewritten(self._document, self._lines)
        return msgspec.structs.replace(plain, stages=tuple(map(self._marked, plain.stages)))

    def _write_stage(self, stage: Stage) -> None:
        name = self.names[stage.index]
        publish = next((one for one in stage.instructions if isinstance(one, Publish)), None)
        if publish is None:
            self._write(stage.base, stage.instructions, name)
            return
        outer = self._free(f"{name}-unpublished")
        anchors = self._write(stage.base, stage.instructions, outer)
        directory = directory_of(publish.directory, self._escape)
        base = msgspec.structs.replace(
            stage.base, base=anchors.get(directory, "scratch"), name=name, platform="", location=publish.location
        )
        source = directory if directory == "/" else f"{directory}/"
        copy = _copy(outer, source, "/", publish.location, root="publish")
        self._add([self._printed(base), self._printed(copy)], {1: copy.root})

    def _write(self, base: From, instructions: Sequence[Instruction], name: str) -> dict[str, str]:
        """Write one stage, behind those of its blocks; returns the blocks' names by their directories."""
        own = [self._printed(msgspec.structs.replace(base, name=name))]
        roots: dict[int, str] = {}
        anchors: dict[str, str] = {}
        for instruction in instructions:
            match instruction:
                case In():
                    block = self._write_block(instruction)
                    anchors[directory_of(instruction.directory, self._escape)] = block
                    roots[len(own)] = "in"
                    target = f"{instruction.directory.rstrip('/')}/"
                    own.append(self._printed(_copy(block, "/", target, instruction.location, root="in")))
                case Publish():
                    pass
                case _:
                    own += self._as_written(instruction)
        self._add(own, roots)
        return anchors

    def _write_block(self, block: In) -> str:
        self._blocks += 1
        base = block.instructions[0]
        if not isinstance(base, From):
            raise TypeError("a block begins with FROM")  # the reader has seen to it
        name = base.name or self._free(f"in-{self._blocks}")
        self._write(base, block.instructions[1:], name)
        return name

    def _add(self, lines: list[Line], roots: dict[int, str]) -> None:
        first = len(self._lines) + 1
        self._roots |= {first + position: root for position, root in roots.items()}
        self._lines += lines

    def _as_written(self, instruction: Instruction) -> list[Line]:
        """The instruction's lines; stages are told by name, since their numbers are others now."""
        if isinstance(instruction, Copy) and instruction.from_.isdigit():
            named = msgspec.structs.replace(instruction, from_=self._name_of(instruction.from_))
            text = print_instruction(named, escape=self._escape).rstrip("\n")
            return [(line, instruction.location.start) for line in text.split("\n")]
        if isinstance(instruction, Run) and any(mount.from_.isdigit() for mount in instruction.mounts):
            error = DockerfileError(
                "In a file with IN or PUBLISH a mount can't name a stage by its number.", hint="give the stage a name"
            )
            raise located(self._document, instruction.location.start, instruction.location.end, error)
        return lines_of(self._document, instruction.location.start, instruction.location.end)

    def _name_of(self, number: str) -> str:
        return self.names[int(number)] if int(number) < len(self.names) else number

    def _printed(self, instruction: Instruction) -> Line:
        return print_instruction(instruction, escape=self._escape).rstrip("\n"), instruction.location.start

    def _marked(self, stage: Stage) -> Stage:
        return msgspec.structs.replace(stage, instructions=tuple(map(self._with_root, stage.instructions)))

    def _with_root(self, instruction: Instruction) -> Instruction:
        root = self._roots.get(instruction.location.start, "")
        return (
            msgspec.structs.replace(instruction, root=root) if root and isinstance(instruction, Copy) else instruction
        )

    def _free(self, name: str) -> str:
        """A name that no stage has: this one, or with a number behind it."""
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name}-{number}"
        self._taken.add(found)
        return found


def _names_in(dockerfile: Dockerfile) -> set[str]:
    found = {stage.name for stage in dockerfile.stages}
    waiting = [one for stage in dockerfile.stages for one in stage.instructions if isinstance(one, In)]
    while waiting:
        block = waiting.pop()
        found |= {one.name for one in block.instructions if isinstance(one, From)}
        waiting += [one for one in block.instructions if isinstance(one, In)]
    return found


def _copy(name: str, source: str, destination: str, location: Lines, *, root: str) -> Copy:
    return Copy(sources=(source,), destination=destination, from_=name, root=root, location=location, original="")
