"""What each metadata instruction does to the image's config.  Pure: a config goes in, a new one comes out."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final

import msgspec

from ...dockerfile import instructions as ins
from ...oci.config import ContainerConfig, Healthcheck

DEFAULT_SHELL: Final = ("/bin/sh", "-c")
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SCRATCH_CONFIG: Final = ContainerConfig(env=(f"PATH={DEFAULT_PATH}",), working_dir="/")
"""What FROM scratch begins with, as BuildKit's does."""

Metadata = (
    ins.Env
    | ins.Label
    | ins.Workdir
    | ins.User
    | ins.Expose
    | ins.Volume
    | ins.Cmd
    | ins.Entrypoint
    | ins.ShellInstruction
    | ins.Stopsignal
    | ins.Healthcheck
    | ins.Onbuild
)


def apply(config: ContainerConfig, instruction: Metadata, *, has_own_cmd: bool) -> ContainerConfig:
    """The config after an expanded instruction.

    ``has_own_cmd`` says that this stage has had a CMD: ENTRYPOINT resets one that is inherited only.
    """
    replace = msgspec.structs.replace
    match instruction:
        case ins.Env(pairs=pairs):
            return replace(config, env=with_environment(config.env, {pair.name: pair.value for pair in pairs}))
        case ins.Label(pairs=pairs):
            return replace(config, labels={**(config.labels or {}), **{pair.name: pair.value for pair in pairs}})
        case ins.Workdir(path=path):
            return replace(config, working_dir=_working_dir(path, config.working_dir))
        case ins.User(user=user):
            return replace(config, user=user)
        case ins.Expose(ports=ports):
            return replace(config, exposed_ports={**(config.exposed_ports or {}), **{port: {} for port in ports}})
        case ins.Volume(paths=paths):
            return replace(config, volumes={**(config.volumes or {}), **{path: {} for path in paths}})
        case ins.Cmd(command=command):
            return replace(config, cmd=command_line(command, config.shell))
        case ins.Entrypoint(command=command):
            cmd = config.cmd if has_own_cmd else None
            return replace(config, entrypoint=command_line(command, config.shell), cmd=cmd)
        case ins.ShellInstruction(argv=argv):
            return replace(config, shell=argv)
        case ins.Stopsignal(signal=signal):
            return replace(config, stop_signal=signal)
        case ins.Healthcheck():
            return replace(config, healthcheck=_healthcheck(instruction))
        case ins.Onbuild(trigger=trigger):
            return replace(config, on_build=(*(config.on_build or ()), trigger))


def with_environment(env: tuple[str, ...] | None, values: Mapping[str, str]) -> tuple[str, ...]:
    """An ``Env`` list with values set: in their old place, new names at the end."""
    items = dict(item.partition("=")[::2] for item in env or ())
    items.update(values)
    return tuple(f"{name}={value}" for name, value in items.items())


def _working_dir(path: str, before: str) -> str:
    """As BuildKit has it: an absolute path stays as it is written, ``/app/`` and all."""
    path = path or before
    return path if path.startswith("/") else absolute(path, before)


def absolute(path: str, working_dir: str) -> str:
    """A path of the image made absolute and clean."""
    return posixpath.normpath(posixpath.join("/", working_dir, path)).replace("//", "/")


def command_line(command: ins.Shell | ins.Exec | ins.Script, shell: tuple[str, ...] | None) -> tuple[str, ...]:
    """The argument list of a command: exec form as it is, shell form through the image's SHELL."""
    if isinstance(command, ins.Exec):
        return command.argv
    script = command.script if isinstance(command, ins.Shell) else command.path
    return (*(shell or DEFAULT_SHELL), script)


def _healthcheck(instruction: ins.Healthcheck) -> Healthcheck:
    command = instruction.command
    if command is None:
        return Healthcheck(test=("NONE",))
    test = ("CMD", *command.argv) if isinstance(command, ins.Exec) else ("CMD-SHELL", command.script)
    return Healthcheck(
        test=test,
        interval=instruction.interval,
        timeout=instruction.timeout,
        start_period=instruction.start_period,
        start_interval=instruction.start_interval,
        retries=instruction.retries,
    )
