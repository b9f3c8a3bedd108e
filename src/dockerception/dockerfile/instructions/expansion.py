"""Putting variables into instructions: which fields of which instruction (Dockerfile reference, "Environment
replacement"), everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from ...errors import DockerfileError
from ..heredocs import Heredoc
from ..words import expand, split_words
from .files import check_chmod, check_local
from .mounts import expand_mount
from .ports import expose_ports
from .settings import volume_paths
from .signals import check_signal
from .values import (
    Add,
    Arg,
    Argument,
    Build,
    Copy,
    Env,
    Expose,
    From,
    In,
    Instruction,
    Label,
    Pair,
    Publish,
    Run,
    Stopsignal,
    User,
    Volume,
    Workdir,
)

_I = TypeVar("_I", bound=Instruction)


def expand_instruction(
    instruction: _I, variables: Mapping[str, str], *, escape: str = "\\", used: set[str] | None = None
) -> _I:
    """``instruction`` with ``variables`` put in; a variable without value is the empty string.

    All values of one ENV see the variables as they were before it; the defaults of one ARG see those before them on
    the line.  The result of EXPOSE has one ``number/protocol`` for each port.  Names that were looked up are added to
    ``used``.  Raises ``DockerfileError`` without a place (see ``stages.shown_at``).
    """

    def word(text: str) -> str:
        return expand(text, variables, escape=escape, used=used)

    if isinstance(instruction, Expose):
        words = [split_words(port, variables, escape=escape, used=used) for port in instruction.ports]
        changes: dict[str, object] = {"ports": expose_ports(port for ports in words for port in ports)}
    elif isinstance(instruction, Arg):
        resolved = resolve_arguments(instruction, variables, escape=escape, used=used)
        changes = {"arguments": tuple(Argument(name, value) for name, value in resolved)}
    elif isinstance(instruction, (Copy, Add)):
        changes = _copy_changes(instruction, word) | {
            "files": tuple(_expand_file(file, variables, used) for file in instruction.files)
        }
    else:
        changes = _changes(instruction, word)
    return msgspec.structs.replace(instruction, **changes)


def resolve_arguments(
    arg: Arg,
    variables: Mapping[str, str],
    *,
    overrides: Mapping[str, str] | None = None,
    escape: str = "\\",
    used: set[str] | None = None,
) -> tuple[tuple[str, str | None], ...]:
    """The names of ``arg`` with their values, in order; ``None`` for one without.

    An override (``--build-arg``) wins, and then the default is not even looked at.  Each name is a variable for the
    defaults behind it.  Raises ``DockerfileError``.
    """
    known = dict(variables)
    resolved: list[tuple[str, str | None]] = []
    for argument in arg.arguments:
        name = expand(argument.name, known, escape=escape, used=used)
        if not name:
            raise DockerfileError(f"ARG “{argument.name}” has no name.", hint="write ARG NAME or ARG NAME=default")
        value = (overrides or {}).get(name)
        if value is None and argument.default is not None:
            value = expand(argument.default, known, escape=escape, used=used)
        if value is not None:
            known[name] = value
        resolved.append((name, value))
    return tuple(resolved)


def _changes(instruction: Instruction, word: Callable[[str], str]) -> dict[str, object]:
    """The fields that expansion changes, for the instructions whose words stay one word each."""
    match instruction:
        case From(base=base, platform=platform):
            expanded = word(base)
            if not expanded:
                raise DockerfileError(
                    f"FROM “{base}” names no image.", hint="an ARG before the first FROM gives it a default"
                )
            return {"base": expanded, "platform": word(platform)}
        case Env(pairs=pairs) | Label(pairs=pairs):
            expanded_pairs = tuple(Pair(word(pair.name), word(pair.value)) for pair in pairs)
            if isinstance(instruction, Env):
                _check_names(pairs, expanded_pairs)
            return {"pairs": expanded_pairs}
        case Run(mounts=mounts):
            return {"mounts": tuple(expand_mount(mount, word) for mount in mounts)}
        case Workdir(path=path):
            return {"path": word(path)}
        case User(user=user):
            return {"user": word(user)}
        case Volume(paths=paths):
            return {"paths": volume_paths(word(path) for path in paths)}
        case Stopsignal(signal=signal):
            expanded = word(signal)
            check_signal(expanded)
            return {"signal": expanded}
        case Build(directory=directory, dockerfile=dockerfile):
            return {"directory": word(directory), "dockerfile": word(dockerfile)}
        case In(directory=directory) | Publish(directory=directory):
            return {"directory": word(directory)}
    return {}


def _copy_changes(instruction: Copy | Add, word: Callable[[str], str]) -> dict[str, object]:
    changes: dict[str, object] = {
        "sources": tuple(word(source) for source in instruction.sources),
        "destination": word(instruction.destination),
        "chown": word(instruction.chown),
        "chmod": word(instruction.chmod),
    }
    check_chmod(str(changes["chmod"]))
    if isinstance(instruction, Copy):
        check_local(word(source) for source in instruction.sources)
    else:
        changes["checksum"] = word(instruction.checksum)
    return changes


def _expand_file(file: Heredoc, variables: Mapping[str, str], used: set[str] | None) -> Heredoc:
    """The here-document as the file's content; its escape character is a backslash, whatever the directive says."""
    body = expand(file.body, variables, used=used, keep_quotes=True) if file.is_expanded else file.body
    return msgspec.structs.replace(file, content=body, is_expanded=False, is_chomped=False)


def _check_names(written: tuple[Pair, ...], expanded: tuple[Pair, ...]) -> None:
    """BuildKit makes a variable without a name, and then no runtime starts a container of the image."""
    for before, after in zip(written, expanded, strict=True):
        if not after.name:
            raise DockerfileError(f"The name “{before.name}” is empty.", hint="write NAME=VALUE")
