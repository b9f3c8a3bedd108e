"""Instructions back to text.  Reading what is printed here gives an equal instruction."""

from __future__ import annotations

from collections.abc import Iterable

from ..heredocs import Heredoc, read_mark
from ..parser import is_continued
from ..text import split_arguments, write_json
from .durations import write_duration
from .mounts import write_mount
from .values import (
    Add,
    Arg,
    Build,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Exec,
    Expose,
    From,
    Healthcheck,
    In,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Publish,
    Run,
    Script,
    Shell,
    ShellInstruction,
    Stopsignal,
    User,
    Volume,
    Workdir,
)

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:;+*?@%${}[]()!~^#&|<>")


def print_instruction(instruction: Instruction, *, escape: str = "\\") -> str:
    """The instruction as text that ends with a newline, written for a file whose escape character is ``escape``."""
    match instruction:
        case Onbuild(trigger=trigger):
            line, newline, rest = trigger.partition("\n")
            return _line("ONBUILD", [], line, escape) + (rest + "\n" if newline else "")
        case In(directory=directory, instructions=instructions):
            body = "".join(print_instruction(inner, escape=escape) for inner in instructions)
            return _line("IN", [], f"{directory} {{", escape) + body + "}\n"
        case Run(heredocs=heredocs) | Copy(files=heredocs) | Add(files=heredocs):
            return _line(_keyword(instruction), _flags(instruction), _arguments(instruction), escape) + _bodies(
                heredocs
            )
    return _line(_keyword(instruction), _flags(instruction), _arguments(instruction), escape)


def _keyword(instruction: Instruction) -> str:
    return "SHELL" if isinstance(instruction, ShellInstruction) else type(instruction).__name__.upper()


def _line(keyword: str, flags: list[str], arguments: str, escape: str) -> str:
    # Arguments that begin with dashes would be read as flags.
    words = [keyword, *(_quoted(flag) for flag in flags), "--" if arguments.startswith("--") else "", arguments]
    line = " ".join(word for word in words if word)
    # An escape character at the end would continue the line; a form feed is white space that prevents it.
    return line + ("\f\n" if is_continued(line, escape) else "\n")


def _quoted(flag: str) -> str:
    name, _, value = flag.partition("=")
    if all(char in _PLAIN for char in value):
        return flag
    return f"{name}=" + '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bodies(heredocs: Iterable[Heredoc]) -> str:
    return "".join(f"{heredoc.content}{heredoc.name}\n" for heredoc in heredocs)


def _arguments(instruction: Instruction) -> str:
    match instruction:
        case From(base=base, name=name):
            return f"{base} AS {name}" if name else base
        case Arg(arguments=arguments):
            return " ".join(one.name if one.default is None else f"{one.name}={one.default}" for one in arguments)
        case Env() | Label():
            separator = " " if instruction.is_legacy else "="
            return " ".join(f"{pair.name}{separator}{pair.value}" for pair in instruction.pairs)
        case Run(text=text, heredocs=heredocs) if heredocs:
            return text
        case Run(command=command) | Cmd(command=command) | Entrypoint(command=command):
            return _command(command)
        case Copy() | Add():
            return _places(instruction)
        case Expose(ports=ports):
            return " ".join(ports)
        case Volume(paths=paths):
            return _paths(paths)
        case ShellInstruction(argv=argv):
            return write_json(argv)
        case Healthcheck(command=command):
            return "NONE" if command is None else f"CMD {_command(command)}"
        case Build(directory=directory, dockerfile=dockerfile):
            return f"{directory} {dockerfile}".rstrip()
        case Publish(directory=text) | Workdir(path=text) | User(user=text) | Stopsignal(signal=text):
            return text
        case Maintainer(name=text):
            return text
    return ""


def _command(command: Shell | Exec | Script) -> str:
    match command:
        case Shell(script=script):
            return script
        case Exec(argv=argv):
            return write_json(argv)
    return command.path


def _places(instruction: Copy | Add) -> str:
    words = [*instruction.sources, instruction.destination]
    if not instruction.files:
        return _paths(words)
    return " ".join([*(file.mark for file in instruction.files), *words])


def _paths(words: Iterable[str]) -> str:
    """The words with blanks between them where that reads back as the same, else as JSON."""
    paths = list(words)
    plain = " ".join(paths)
    is_plain = split_arguments(plain) == paths and "\n" not in plain and not plain.startswith("[")
    return plain if is_plain and not any(read_mark(path) for path in paths) else write_json(paths)


def _flags(instruction: Instruction) -> list[str]:
    match instruction:
        case From(platform=platform):
            return _given(("platform", platform))
        case Run(mounts=mounts, network=network, security=security, devices=devices):
            return _given(
                *(("mount", write_mount(mount)) for mount in mounts),
                *(("device", device) for device in devices),
                ("network", "" if network == "default" else network),
                ("security", "" if security == "sandbox" else security),
            )
        case Copy() | Add():
            return _copy_flags(instruction)
        case Healthcheck():
            durations = {
                "interval": instruction.interval,
                "timeout": instruction.timeout,
                "start-period": instruction.start_period,
                "start-interval": instruction.start_interval,
            }
            texts = [(name, write_duration(value) if value else "") for name, value in durations.items()]
            return _given(*texts, ("retries", str(instruction.retries or "")))
    return []


def _copy_flags(instruction: Copy | Add) -> list[str]:
    common = [("chown", instruction.chown), ("chmod", instruction.chmod), ("link", _truth(instruction.is_link))]
    common += [("exclude", pattern) for pattern in instruction.exclude]
    if isinstance(instruction, Copy):
        return _given(("from", instruction.from_), *common, ("parents", _truth(instruction.keeps_parents)))
    return _given(
        *common,
        ("checksum", instruction.checksum),
        ("keep-git-dir", _truth(instruction.keeps_git_dir)),
        ("unpack", "" if instruction.unpack is None else str(instruction.unpack).lower()),
    )


def _truth(value: bool) -> str:
    return "true" if value else ""


def _given(*flags: tuple[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags if value]
