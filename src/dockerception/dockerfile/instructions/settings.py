"""Readers of the instructions that only change the image's config, and of FROM and ARG."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import DockerfileError
from ..parser import Node
from ..text import SPACES, read_json, split_arguments
from .flags import Kind, read_flags
from .ports import expose_ports
from .signals import check_signal
from .values import (
    Arg,
    Argument,
    Env,
    Expose,
    From,
    Label,
    Lines,
    Maintainer,
    Pair,
    Stopsignal,
    User,
    Volume,
    Workdir,
)

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")


def read_from(node: Node, escape: str) -> From:
    flags = read_flags(node, {"platform": Kind.TEXT})
    words = split_arguments(node.rest)
    if not words or len(words) == 2 or len(words) > 3 or (len(words) == 3 and words[1].lower() != "as"):
        raise DockerfileError(
            "FROM takes an image, or an image and AS and a name.", hint="write FROM image or FROM image AS name"
        )
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.fullmatch(name):
        raise DockerfileError(
            f"“{words[2]}” can't be the name of a stage.",
            hint="a name begins with a letter and has letters, digits, “-”, “_” and “.”",
        )
    return From(base=words[0], name=name, platform=flags.text("platform"), location=lines(node), original=node.original)


def read_arg(node: Node, escape: str) -> Arg:
    words = _plain_words(node, escape)
    arguments: list[Argument] = []
    for word in words:
        name, equals, default = word.partition("=")
        if not name:
            raise DockerfileError(f"ARG “{word}” has no name.", hint="write ARG NAME or ARG NAME=default")
        arguments.append(Argument(name, default if equals else None))
    return Arg(arguments=tuple(arguments), location=lines(node), original=node.original)


def read_env(node: Node, escape: str) -> Env:
    pairs, is_legacy = _read_pairs(node, escape)
    return Env(pairs=pairs, is_legacy=is_legacy, location=lines(node), original=node.original)


def read_label(node: Node, escape: str) -> Label:
    pairs, is_legacy = _read_pairs(node, escape)
    return Label(pairs=pairs, is_legacy=is_legacy, location=lines(node), original=node.original)


def read_workdir(node: Node, escape: str) -> Workdir:
    return Workdir(path=required_text(node, "WORKDIR /path"), location=lines(node), original=node.original)


def read_user(node: Node, escape: str) -> User:
    return User(user=required_text(node, "USER name or USER uid:gid"), location=lines(node), original=node.original)


def read_maintainer(node: Node, escape: str) -> Maintainer:
    name = required_text(node, "LABEL org.opencontainers.image.authors=…")
    return Maintainer(name=name, location=lines(node), original=node.original)


def read_stopsignal(node: Node, escape: str) -> Stopsignal:
    signal = required_text(node, "STOPSIGNAL SIGTERM")
    if not _has_syntax(signal):
        check_signal(signal)
    return Stopsignal(signal=signal, location=lines(node), original=node.original)


def read_expose(node: Node, escape: str) -> Expose:
    words = tuple(split_arguments(required_text(node, "EXPOSE 8080/tcp")))
    if not any(_has_syntax(word) for word in words):
        expose_ports(words)
    return Expose(ports=words, location=lines(node), original=node.original)


def read_volume(node: Node, escape: str) -> Volume:
    text = required_text(node, 'VOLUME /data or VOLUME ["/data"]')
    array = read_json(text)
    written = split_arguments(text) if array is None else array
    paths = volume_paths(path.strip(SPACES) for path in written)
    return Volume(paths=paths, location=lines(node), original=node.original)


def volume_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths of a VOLUME; raises ``DockerfileError`` for none at all and for an empty one."""
    found = tuple(paths)
    if not found or "" in found:
        raise DockerfileError("VOLUME has an empty path.", hint="name the directories of the volume")
    return found


def lines(node: Node) -> Lines:
    """Where ``node`` stands."""
    return Lines(node.start, node.end)


def required_text(node: Node, example: str) -> str:
    """Everything behind the keyword; raises ``DockerfileError`` for flags and for nothing."""
    read_flags(node, {})
    if not node.rest:
        raise DockerfileError(f"{node.keyword} needs an argument.", hint=f"write {example}")
    return node.rest


def _has_syntax(text: str) -> bool:
    """Whether expansion may change ``text``, so that it can't be judged yet."""
    return any(char in text for char in "$'\"\\`")


def _read_pairs(node: Node, escape: str) -> tuple[tuple[Pair, ...], bool]:
    """The pairs of ENV or LABEL; the old form is told by a first word without ``=``."""
    words = _plain_words(node, escape)
    if "=" not in words[0]:
        name, value = [*split_arguments(node.rest, 1), ""][:2]
        if not value:
            raise DockerfileError(f"{node.keyword} {name} has no value.", hint=f"write {node.keyword} {name}=VALUE")
        return (Pair(name, value),), True
    pairs: list[Pair] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(
                f"{node.keyword} has “{word}” without a “=”.",
                hint="write NAME=VALUE, and quote a value that has blanks",
            )
        if not name:
            raise DockerfileError(f"{node.keyword} “{word}” has no name.", hint="write NAME=VALUE")
        pairs.append(Pair(name, value))
    return tuple(pairs), False


def _plain_words(node: Node, escape: str) -> list[str]:
    text = required_text(node, f"{node.keyword} NAME=VALUE")
    words = _quoted_words(text, escape)
    if not words:
        raise DockerfileError(f"{node.keyword} needs an argument.", hint=f"write {node.keyword} NAME=VALUE")
    return words


def _quoted_words(text: str, escape: str) -> list[str]:
    """Words cut at white space outside of quotes; quotes and escapes stay, they are taken out by expansion."""
    words: list[str] = []
    word, quote = "", ""
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == escape and quote != "'":
            following = text[position : position + 1]
            position += 1
            word += char + following if following else ""  # at the end of the line it escapes nothing
        elif char in SPACES and not quote:
            words += [word] if word else []
            word = ""
        else:
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word += char
    return [*words, word] if word else words
