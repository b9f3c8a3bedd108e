"""The ``created_by`` texts of the image's history, as BuildKit words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...dockerfile import instructions as ins
from ...oci.config import ContainerConfig, Healthcheck

_ESCAPES: Final = {
    ord(plain): escaped for plain, escaped in zip('\a\b\f\n\r\t\v\\"', (*"abfnrtv", "\\", '"'), strict=True)
}
_UNITS: Final = (("h", 3_600_000_000_000), ("m", 60_000_000_000))
_SECOND: Final = 1_000_000_000


def created_by(
    instruction: ins.Instruction, *, args: Mapping[str, str], arguments: Sequence[str], config: ContainerConfig
) -> str:
    """The text for an expanded instruction; empty where it has no item in the history.

    ``args`` are the declared build arguments that a RUN sees, ``arguments`` the command line of RUN, CMD and
    ENTRYPOINT, ``config`` the settings after the instruction.
    """
    match instruction:
        case ins.Run():
            seen = "".join(f" {name}={value}" for name, value in args.items())
            prefix = f"|{len(args)}{seen} " if args else ""
            return f"RUN {prefix}{' '.join(arguments)} # buildkit"
        case ins.Copy() | ins.Add():
            keyword = "COPY" if isinstance(instruction, ins.Copy) else "ADD"
            chown = f"--chown={instruction.chown} " if instruction.chown else ""
            chmod = f"--chmod={instruction.chmod} " if instruction.chmod else ""
            written = (f"<<{file.name}" for file in instruction.files)
            paths = " ".join((*instruction.sources, *written, instruction.destination))
            return f"{keyword} {chown}{chmod}{paths} # buildkit"
        case ins.Workdir():
            return f"WORKDIR {config.working_dir}"
        case ins.Env(pairs=pairs):
            return "ENV " + " ".join(f"{pair.name}={pair.value}" for pair in pairs)
        case ins.Label(pairs=pairs):
            return "LABEL " + " ".join(f"{pair.name}={pair.value}" for pair in pairs)
        case ins.Cmd() | ins.Entrypoint():
            keyword = "CMD" if isinstance(instruction, ins.Cmd) else "ENTRYPOINT"
            return f"{keyword} [{' '.join(map(_quoted, arguments))}]"
        case ins.Expose(ports=ports):
            return f"EXPOSE [{' '.join(ports)}]"
        case ins.Volume(paths=paths):
            return f"VOLUME [{' '.join(paths)}]"
        case ins.ShellInstruction(argv=argv):
            return f"SHELL [{' '.join(argv)}]"
        case ins.Stopsignal(signal=signal):
            return f"STOPSIGNAL {signal}"
        case ins.User(user=user):
            return f"USER {user}"
        case ins.Maintainer(name=name):
            return f"MAINTAINER {name}"
        case ins.Healthcheck() if config.healthcheck is not None:
            return f"HEALTHCHECK {_healthcheck(config.healthcheck)}"
        case ins.Onbuild():
            return ""  # as BuildKit: a trigger leaves a trace in the child only
    return instruction.original


def _quoted(word: str) -> str:
    """A word in quotes as Go's ``%q`` has it."""
    shown = (
        f"\\{_ESCAPES[ord(letter)]}" if ord(letter) in _ESCAPES else letter if letter.isprintable() else _code(letter)
        for letter in word
    )
    return f'"{"".join(shown)}"'


def _code(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _healthcheck(check: Healthcheck) -> str:
    """The settings of a health check as Go's ``%+v`` has them."""
    durations = (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    )
    times = " ".join(f"{name}:{_duration(value)}" for name, value in durations)
    return f"{{Test:[{' '.join(check.test)}] {times} Retries:{check.retries}}}"


def _duration(nanoseconds: int) -> str:
    """A time as Go writes it: ``1h0m30s``, ``1.5s``, ``250ms``, ``0s``."""
    if 0 < nanoseconds < _SECOND:
        unit, size = next(unit for unit in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)) if nanoseconds >= unit[1])
        return f"{nanoseconds / size:g}{unit}"
    text, rest = "", nanoseconds
    for unit, size in _UNITS:
        if text or rest >= size:
            text += f"{rest // size}{unit}"
            rest %= size
    whole, part = divmod(rest, _SECOND)
    return f"{text}{whole}{f'.{part:09d}'.rstrip('0').rstrip('.') if part else ''}s"
