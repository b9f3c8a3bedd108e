"""Instructions that set the image's config: JSONArgsRecommended, MultipleInstructionsDisallowed, MaintainerDeprecated,
LegacyKeyValueFormat, SecretsUsedInArgOrEnv, ExposeProtoCasing, ExposeInvalidFormat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Lines,
    Maintainer,
    Shell,
    ShellInstruction,
)
from ..parser import Document
from ..stages import Stage
from .findings import Finding
from .levels import Level

# One word of the name says it, and none says that it is no secret after all.
_SECRET: Final = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_NO_SECRET: Final = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)


def findings(level: Level, document: Document) -> Iterator[Finding]:
    """Those of all these rules in the stages of a level."""
    with_shell: set[str] = set()
    for stage in level.stages:
        has_shell = stage.base.base.lower() in with_shell
        for instruction in stage.instructions:
            has_shell |= isinstance(instruction, ShellInstruction)
            if not has_shell:
                yield from _shell_forms(instruction)
            yield from _old_forms(instruction)
            yield from _secrets(instruction)
            if isinstance(instruction, Expose):
                yield from _ports(instruction)
        yield from _repeated(stage)
        if has_shell and stage.name:
            with_shell.add(stage.name)


def _shell_forms(instruction: Instruction) -> Iterator[Finding]:
    """Who names a SHELL wants one."""
    if isinstance(instruction, Cmd | Entrypoint) and isinstance(instruction.command, Shell):
        text = f"{_keyword(instruction)} is no JSON array, so a shell stands between the program and its signals"
        yield Finding(rule="JSONArgsRecommended", text=text, location=instruction.location)


def _repeated(stage: Stage) -> Iterator[Finding]:
    """At each that has no effect: all but the last."""
    last: dict[str, Lines] = {}
    for instruction in stage.instructions:
        if isinstance(instruction, Cmd | Entrypoint | Healthcheck):
            keyword = _keyword(instruction)
            if keyword in last:
                text = f"A later {keyword} of this stage takes the place of this one"
                yield Finding(rule="MultipleInstructionsDisallowed", text=text, location=last[keyword])
            last[keyword] = instruction.location


def _old_forms(instruction: Instruction) -> Iterator[Finding]:
    if isinstance(instruction, Maintainer):
        text = "MAINTAINER is deprecated; write LABEL org.opencontainers.image.authors=…"
        yield Finding(rule="MaintainerDeprecated", text=text, location=instruction.location)
    if isinstance(instruction, Env | Label) and instruction.is_legacy:
        keyword = _keyword(instruction)
        text = f"“{keyword} KEY VALUE” is the old form of “{keyword} KEY=VALUE”"
        yield Finding(rule="LegacyKeyValueFormat", text=text, location=instruction.location)


def _secrets(instruction: Instruction) -> Iterator[Finding]:
    names: tuple[str, ...] = ()
    if isinstance(instruction, Env):
        names = tuple(pair.name for pair in instruction.pairs)
    elif isinstance(instruction, Arg):
        names = tuple(argument.name for argument in instruction.arguments)
    for name in names:
        if _SECRET.search(name) and not _NO_SECRET.search(name):
            text = f"{_keyword(instruction)} {name} seems to hold a secret; use RUN --mount=type=secret"
            yield Finding(rule="SecretsUsedInArgOrEnv", text=text, location=instruction.location)


def _ports(expose: Expose) -> Iterator[Finding]:
    for port in expose.ports:
        protocol = port.rpartition("/")[2] if "/" in port else ""
        if "$" not in protocol and protocol != protocol.lower():
            text = f"The protocol of “{port}” is not in lower case"
            yield Finding(rule="ExposeProtoCasing", text=text, location=expose.location)
        if "$" not in port and ":" in port:
            text = f"“{port}” is more than a port of the container"
            yield Finding(rule="ExposeInvalidFormat", text=text, location=expose.location)


def _keyword(instruction: Instruction) -> str:
    return instruction.original.partition(" ")[0]
