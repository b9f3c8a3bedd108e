"""What a Dockerfile reads from outside of itself, and the same Dockerfile with other names for it.

Daemons know nothing of our named contexts.  They get them as images under private names, and the Dockerfile says those:
that works with every builder, however old.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

import msgspec

from ...dockerfile import instructions as ins
from ...dockerfile.instructions import print_instruction
from ...dockerfile.rewriting import exact_lines
from ...dockerfile.stages import Dockerfile, Stage, excerpt_for, find_stage, references
from ...errors import UnsupportedError
from ...reference import Platform
from ..base import UNDECLARED_ARGS, Settings
from ..embedded.scope import global_scope

_Naming = ins.From | ins.Copy | ins.Run


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """A name that leads out of the Dockerfile.  ``is_base`` says that some FROM has it, ``platform`` what this
    FROM asks for, None for the build's."""

    name: str
    is_base: bool
    platform: Platform | None = None


class References:
    """The names in the stages that a build of ``target`` needs; in all stages up to it if the builder ``builds_all``.

    ``is_named`` says which names ``--build-context`` overrides.  Raises ``DockerfileError``.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        settings: Settings,
        target: str,
        *,
        is_named: Callable[[str], bool],
        builds_all: bool,
    ) -> None:
        self._dockerfile = dockerfile
        self._is_named = is_named
        self._escape = dockerfile.directives.escape
        self._variables = global_scope(dockerfile, settings, target, set())
        last = find_stage(dockerfile, target) if target else dockerfile.stages[-1]
        self._stages = dockerfile.stages[: last.index + 1] if builds_all else self._needed(last)
        self._build_args = frozenset(settings.build_args)

    @property
    def outside(self) -> tuple[Outside, ...]:
        """The names that lead outside, each once, in their order."""
        found: dict[str, Outside] = {}
        for stage in self._stages:
            base = self._origin(stage)
            if self._leads_outside(base.base, stage.index, is_base=True):
                wanted = Platform.parse(base.platform) if base.platform else None
                self._check_one_platform(found.get(base.base), wanted, stage)
                found[base.base] = Outside(name=base.base, is_base=True, platform=wanted)
            for name in references(stage):
                if self._leads_outside(name, stage.index, is_base=False):
                    found.setdefault(name, Outside(name=name, is_base=False))
        return tuple(found.values())

    @property
    def unused_build_args(self) -> frozenset[str]:
        """The build arguments that no ARG of these stages declares."""
        args = [one for stage in self._stages for one in stage.instructions if isinstance(one, ins.Arg)]
        declared = {argument.name for arg in (*self._dockerfile.global_args, *args) for argument in arg.arguments}
        return self._build_args - declared - UNDECLARED_ARGS

    def text(self, names: Mapping[str, str]) -> bytes:
        """The Dockerfile with other names in the places of these; all else stays, on the same lines."""
        lines = exact_lines(self._dockerfile.document)
        for stage in reversed(self._stages):
            for instruction in reversed((stage.base, *stage.instructions)):
                if isinstance(instruction, ins.From | ins.Copy | ins.Run):
                    changed = self._renamed(instruction, stage.index, names)
                    if changed != instruction:
                        self._replace(lines, changed)
        return os.fsencode("\n".join(lines) + "\n")

    def _needed(self, last: Stage) -> tuple[Stage, ...]:
        """The stages that ``last`` is made from, in the order of the file."""
        found: dict[int, Stage] = {}
        waiting = [last]
        while waiting:
            stage = waiting.pop()
            if stage.index not in found:
                found[stage.index] = stage
                base = self._base(stage)
                inner = [self._find(name, stage.index) for name in references(stage)]
                waiting += [each for each in (*inner, self._find_base(base, stage.index)) if each is not None]
        return tuple(found[index] for index in sorted(found))

    def _check_one_platform(self, known: Outside | None, wanted: Platform | None, stage: Stage) -> None:
        """A named context is brought once.  An image that the engine finds by itself may be of several platforms."""
        if known is not None and known.is_base and known.platform != wanted and self._is_named(known.name):
            raise UnsupportedError(
                f"The named context {known.name} is needed for two platforms, and this engine gets it once.",
                details=excerpt_for(self._dockerfile, stage.base.location),
                hint="give it to the stages under two names, or use the embedded engine",
            )

    def _origin(self, stage: Stage) -> ins.From:
        return ins.expand_instruction(stage.base, self._variables, escape=self._escape)

    def _base(self, stage: Stage) -> str:
        return self._origin(stage).base

    def _find(self, name: str, before: int) -> Stage | None:
        if self._is_named(name):
            return None
        earlier = self._dockerfile.stages[:before]
        by_name = next((stage for stage in reversed(earlier) if stage.name and stage.name == name.lower()), None)
        return by_name or (earlier[int(name)] if name.isdigit() and int(name) < before else None)

    def _find_base(self, name: str, before: int) -> Stage | None:
        return None if name.isdigit() else self._find(name, before)

    def _leads_outside(self, name: str, before: int, *, is_base: bool) -> bool:
        if name.lower() == "scratch" and not self._is_named(name):
            return False
        return (self._find_base(name, before) if is_base else self._find(name, before)) is None

    def _renamed(self, instruction: _Naming, before: int, names: Mapping[str, str]) -> _Naming:
        def other(name: str) -> str:
            return names.get(name, name) if self._find(name, before) is None else name

        match instruction:
            case ins.From():
                base = ins.expand_instruction(instruction, self._variables, escape=self._escape).base
                is_other = self._find_base(base, before) is None and base in names
                return msgspec.structs.replace(instruction, base=names[base]) if is_other else instruction
            case ins.Copy(from_=name) if name:
                return msgspec.structs.replace(instruction, from_=other(name))
            case ins.Run(mounts=mounts) if mounts:
                return msgspec.structs.replace(instruction, mounts=tuple(_mount_from(each, other) for each in mounts))
        return instruction

    def _replace(self, lines: list[str], instruction: _Naming) -> None:
        """Put the instruction where it was, in as many lines as before, so that messages tell the right ones."""
        start, end = instruction.location.start - 1, instruction.location.end
        printed = print_instruction(instruction, escape=self._escape).rstrip("\n").split("\n")
        lines[start:end] = [*printed, *[""] * (end - start - len(printed))]


def needs_buildkit(dockerfile: Dockerfile) -> str:
    """What in a Dockerfile the classic builder of Docker does not know, as a person writes it; empty for nothing."""
    return next(_newer(one for stage in dockerfile.stages for one in stage.instructions), "")


def _newer(instructions: Iterator[ins.Instruction]) -> Iterator[str]:
    for instruction in instructions:
        keyword = instruction.original.partition(" ")[0]
        match instruction:
            case ins.Run(mounts=mounts) if mounts:
                yield "RUN --mount"
            case ins.Run(network=network) if network != "default":
                yield "RUN --network"
            case ins.Run(security=security) if security != "sandbox":
                yield "RUN --security"
            case ins.Run(devices=devices) if devices:
                yield "RUN --device"
            case ins.Run(heredocs=documents) | ins.Copy(files=documents) | ins.Add(files=documents) if documents:
                yield f"a here-document of {keyword}"
            case ins.Copy(is_link=True) | ins.Add(is_link=True):
                yield f"{keyword} --link"
            case ins.Copy(chmod=mode) | ins.Add(chmod=mode) if mode:
                yield f"{keyword} --chmod"
            case ins.Copy(exclude=patterns) | ins.Add(exclude=patterns) if patterns:
                yield f"{keyword} --exclude"


def _mount_from(mount: ins.Mount, other: Callable[[str], str]) -> ins.Mount:
    if not mount.from_:
        return mount
    options = tuple(f"from={other(mount.from_)}" if _is_from(option) else option for option in mount.options)
    return msgspec.structs.replace(mount, from_=other(mount.from_), options=options)


def _is_from(option: str) -> bool:
    return option.partition("=")[0].lower() == "from"
