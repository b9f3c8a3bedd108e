"""Variables in stages: UndefinedVar, WorkdirRelativePath."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ...errors import DockerfileError
from ..instructions import Arg, Env, From, Instruction, Workdir, expand_instruction, resolve_arguments
from ..stages import Stage
from ..words import expand
from .bases import global_values, suggestion
from .findings import Facts, Finding
from .levels import Level

_ALWAYS_SET: Final = "PATH"
# Arguments of BuildKit's own that nobody declares.
_NOT_VARIABLES: Final = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


class Scope(msgspec.Struct, kw_only=True):
    """What is known where an instruction stands: variables that are ``defined``, with or without a known value, the
    ``values`` of those that have one, and whether more may come from an image that is not known."""

    defined: set[str]
    values: dict[str, str]
    may_have_more: bool
    has_workdir: bool
    escape: str

    def copy(self) -> Scope:
        """A scope of its own for a stage that begins where this one has ended."""
        return msgspec.structs.replace(self, defined=set(self.defined), values=dict(self.values))


class Scopes:
    """Goes through the stages of a level in order, each with what the stage below it has left."""

    def __init__(self, level: Level, facts: Facts, *, escape: str) -> None:
        self._facts = facts
        self._escape = escape
        self._globals = global_values(level, facts.build_args, escape=escape)
        self._ended: dict[str, Scope] = {}

    def walk(self, stage: Stage) -> Iterator[tuple[Instruction, Scope]]:
        """Each instruction with the scope before it."""
        scope = self._start(stage)
        for instruction in stage.instructions:
            yield instruction, scope
            self._enter(instruction, scope)
        if stage.name:
            self._ended[stage.name] = scope

    def _start(self, stage: Stage) -> Scope:
        try:
            base = expand(stage.base.base, self._globals, escape=self._escape)
        except DockerfileError:
            base = ""
        if base.lower() in self._ended:
            return self._ended[base.lower()].copy()
        known = frozenset[str]() if base.lower() == "scratch" else self._facts.base_variables(base)
        return Scope(
            defined={_ALWAYS_SET, *(known or ())},
            values={},
            may_have_more=known is None and not self._facts.suspects_unknown_bases,
            has_workdir=False,
            escape=self._escape,
        )

    def _enter(self, instruction: Instruction, scope: Scope) -> None:
        if isinstance(instruction, Arg):
            scope.defined.update(_names(instruction, scope))
            scope.values.update(self._argument_values(instruction, scope))
        elif isinstance(instruction, Env):
            scope.defined.update(pair.name for pair in instruction.pairs)
            scope.values.update(_environment_values(instruction, scope))
        elif isinstance(instruction, Workdir):
            scope.has_workdir = True

    def _argument_values(self, arg: Arg, scope: Scope) -> dict[str, str]:
        try:
            resolved = resolve_arguments(arg, scope.values, overrides=self._facts.build_args, escape=self._escape)
        except DockerfileError:
            return {}
        found = ((name, self._globals.get(name) if value is None else value) for name, value in resolved)
        return {name: value for name, value in found if value is not None}


def findings(instruction: Instruction, scope: Scope) -> Iterator[Finding]:
    """Those of both rules at one instruction."""
    undefined = () if scope.may_have_more else _undefined(instruction, scope)
    for name in undefined:
        text = f"${name} is used and nothing before has defined it{suggestion(name, scope.defined)}"
        yield Finding(rule="UndefinedVar", text=text, location=instruction.location)
    if isinstance(instruction, Workdir) and not scope.has_workdir and not undefined:
        path = known_text(instruction.path, scope)
        if path is not None and not path.startswith("/"):
            text = f"WORKDIR {path} is relative to the directory of the base image, which may change"
            yield Finding(rule="WorkdirRelativePath", text=text, location=instruction.location)


def known_text(text: str, scope: Scope) -> str | None:
    """``text`` with its variables put in; None where one has no known value."""
    used: set[str] = set()
    try:
        expanded = expand(text, scope.values, escape=scope.escape, used=used)
    except DockerfileError:
        return None
    return expanded if used <= scope.values.keys() else None


def _undefined(instruction: Instruction, scope: Scope) -> tuple[str, ...]:
    if isinstance(instruction, From):
        return ()
    used: set[str] = set()
    try:
        expand_instruction(instruction, scope.values, escape=scope.escape, used=used)
    except DockerfileError:  # a build tells it, with the real values
        return ()
    return tuple(sorted(used - scope.defined - _NOT_VARIABLES - _defined_by(instruction, scope)))


def _defined_by(instruction: Instruction, scope: Scope) -> set[str]:
    """The names of an ARG are defined for the defaults behind them."""
    return _names(instruction, scope) if isinstance(instruction, Arg) else set()


def _names(arg: Arg, scope: Scope) -> set[str]:
    """The names of an ARG, as far as they are known."""
    return {name for argument in arg.arguments if (name := known_text(argument.name, scope))}


def _environment_values(env: Env, scope: Scope) -> dict[str, str]:
    found = ((pair.name, known_text(pair.value, scope)) for pair in env.pairs)
    return {name: value for name, value in found if value is not None}
