"""Readers of the instructions that hold a command: RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK, ONBUILD."""

from __future__ import annotations

import re

from ...errors import DockerfileError
from ..heredocs import Heredoc, read_mark
from ..parser import Node, split_keyword
from ..text import did_you_mean, read_json
from .durations import read_duration
from .flags import Flags, Kind, read_flags
from .mounts import read_mount
from .settings import lines, required_text
from .values import Cmd, Entrypoint, Exec, Healthcheck, Onbuild, Run, Script, Shell, ShellInstruction

_RUN_FLAGS = {"mount": Kind.LIST, "device": Kind.LIST, "network": Kind.TEXT, "security": Kind.TEXT}
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")
_DURATIONS = ("interval", "timeout", "start-period", "start-interval")
_HEALTH_FLAGS = dict.fromkeys((*_DURATIONS, "retries"), Kind.TEXT)
_NO_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER", "BUILD", "IN", "PUBLISH")


def read_run(node: Node, escape: str) -> Run:
    flags = read_flags(node, _RUN_FLAGS)
    if read_json(node.rest) == ():  # RUN of nothing at all is an empty line for the shell, as in BuildKit
        raise DockerfileError("RUN has no command.", hint='write RUN command or RUN ["executable", "argument"]')
    return Run(
        command=_with_heredocs(_form(node.rest), node.heredocs),
        text=node.rest,
        mounts=tuple(read_mount(text) for text in flags.all("mount")),
        network=_choice(flags, "network", _NETWORKS),
        security=_choice(flags, "security", _SECURITIES),
        devices=tuple(filter(None, flags.all("device"))),
        heredocs=node.heredocs,
        location=lines(node),
        original=node.original,
    )


def read_cmd(node: Node, escape: str) -> Cmd:
    read_flags(node, {})
    return Cmd(command=_form(node.rest), location=lines(node), original=node.original)


def read_entrypoint(node: Node, escape: str) -> Entrypoint:
    read_flags(node, {})
    return Entrypoint(command=_form(node.rest), location=lines(node), original=node.original)


def read_shell(node: Node, escape: str) -> ShellInstruction:
    example = 'SHELL ["/bin/bash", "-c"]'
    argv = read_json(required_text(node, example))
    if not argv:
        raise DockerfileError("SHELL takes a JSON array that is not empty.", hint=f"write {example}")
    return ShellInstruction(argv=argv, location=lines(node), original=node.original)


def read_healthcheck(node: Node, escape: str) -> Healthcheck:
    kind, rest = split_keyword(node.rest)
    if kind == "NONE":  # its flags are not looked at, as in BuildKit
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes nothing else.", hint="write HEALTHCHECK NONE")
        return Healthcheck(command=None, location=lines(node), original=node.original)
    if kind != "CMD":
        hint = did_you_mean(kind, ("CMD", "NONE"), "write HEALTHCHECK CMD command or HEALTHCHECK NONE")
        raise DockerfileError(f"HEALTHCHECK “{kind}” is neither CMD nor NONE.", hint=hint)
    flags = read_flags(node, _HEALTH_FLAGS)
    command = _form(rest)
    if command in (Shell(""), Exec(())):
        raise DockerfileError("HEALTHCHECK CMD has no command.", hint="write HEALTHCHECK CMD command")
    interval, timeout, start_period, start_interval = (read_duration(name, flags.text(name)) for name in _DURATIONS)
    return Healthcheck(
        command=command,
        interval=interval,
        timeout=timeout,
        start_period=start_period,
        start_interval=start_interval,
        retries=_retries(flags.text("retries") or "0"),
        location=lines(node),
        original=node.original,
    )


def read_onbuild(node: Node, escape: str) -> Onbuild:
    text = required_text(node, "ONBUILD COPY . /src")
    check_trigger(split_keyword(text)[0])
    bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in node.heredocs)
    return Onbuild(trigger=text + bodies, location=lines(node), original=node.original)


def check_trigger(keyword: str) -> None:
    """Raise ``DockerfileError`` for an instruction that can't be a trigger."""
    if keyword in _NO_TRIGGERS:
        raise DockerfileError(
            f"{keyword} can't be a trigger of ONBUILD.", hint="put it into the Dockerfile that builds on this"
        )


def _form(text: str) -> Shell | Exec:
    argv = read_json(text)
    return Shell(text) if argv is None else Exec(argv)


def _with_heredocs(command: Shell | Exec, heredocs: tuple[Heredoc, ...]) -> Shell | Exec | Script:
    """What is executed: a single here-document is the script itself, others are left to the shell."""
    if isinstance(command, Exec) or not heredocs:
        return command
    if read_mark(command.script) is None:
        bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in heredocs)
        return Shell(command.script + bodies)
    only = heredocs[0]
    # As in BuildKit, the tabs that <<- takes away are still in front of the first line here.
    return Script(only.name, only.body) if only.content.startswith("#!") else Shell(only.body)


def _choice(flags: Flags, name: str, known: tuple[str, ...]) -> str:
    value = flags.text(name, known[0])
    if value not in known:
        hint = did_you_mean(value, known, f"it is one of {', '.join(known)}")
        raise DockerfileError(f"RUN --{name} is “{value}”.", hint=hint)
    return value


def _retries(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise DockerfileError(f"HEALTHCHECK --retries is “{text}”.", hint="it is a number, 0 or more")
    return int(text)
