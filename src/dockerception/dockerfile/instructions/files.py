"""Readers of the instructions that place files: COPY and ADD, and the nested builds BUILD, IN and PUBLISH."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ...errors import DockerfileError
from ..heredocs import Heredoc, read_mark
from ..parser import Node
from ..text import read_json, split_arguments
from .flags import Flags, Kind, read_flags
from .settings import lines, required_text
from .values import Add, Build, Copy, In, Publish

_BOTH = {"chown": Kind.TEXT, "chmod": Kind.TEXT, "link": Kind.TRUTH, "exclude": Kind.LIST}
_COPY_FLAGS = {**_BOTH, "from": Kind.TEXT, "parents": Kind.TRUTH}
_ADD_FLAGS = {**_BOTH, "checksum": Kind.TEXT, "keep-git-dir": Kind.TRUTH, "unpack": Kind.TRUTH}
_OCTAL = re.compile("[0-7]{1,4}|0[0-7]{4}")
_SYMBOLIC = re.compile(r"[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*")
_REMOTE = re.compile(r"(?:https?|git|ssh)://|git@[^/]+:")


class _Places(msgspec.Struct, frozen=True):
    sources: tuple[str, ...]
    destination: str
    files: tuple[Heredoc, ...]


def read_copy(node: Node, escape: str) -> Copy:
    flags = read_flags(node, _COPY_FLAGS)
    places = _read_places(node)
    if "$" in flags.text("from"):
        raise DockerfileError(
            "COPY --from can't hold a variable.",
            hint="name the image in a stage of its own, FROM … AS name, and use --from=name",
        )
    if "$" not in flags.text("chmod"):
        check_chmod(flags.text("chmod"))
    check_local(source for source in places.sources if "$" not in source)
    return Copy(
        sources=places.sources,
        destination=places.destination,
        from_=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        is_link=_is_set(flags, "link"),
        keeps_parents=_is_set(flags, "parents"),
        exclude=tuple(filter(None, flags.all("exclude"))),
        files=places.files,
        location=lines(node),
        original=node.original,
    )


def read_add(node: Node, escape: str) -> Add:
    flags = read_flags(node, _ADD_FLAGS)
    places = _read_places(node)
    if "$" not in flags.text("chmod"):
        check_chmod(flags.text("chmod"))
    return Add(
        sources=places.sources,
        destination=places.destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        checksum=flags.text("checksum"),
        is_link=_is_set(flags, "link"),
        keeps_git_dir=_is_set(flags, "keep-git-dir"),
        unpack=flags.truth("unpack"),
        exclude=tuple(filter(None, flags.all("exclude"))),
        files=places.files,
        location=lines(node),
        original=node.original,
    )


def read_build(node: Node, escape: str) -> Build:
    text = required_text(node, "BUILD directory or BUILD -")
    words = split_arguments(text)
    is_cut = len(words) > 1 and (words[0].endswith(escape) or any(words[0].count(quote) % 2 for quote in "\"'"))
    if is_cut or text.startswith("["):
        raise DockerfileError(
            "BUILD takes words without blanks, and no JSON array.",
            hint='write BUILD directory [Dockerfile]; for a name with a blank ENV NAME="my name" and BUILD $NAME',
        )
    if len(words) > 2 or (words[0] == "-" and len(words) == 2):
        raise DockerfileError("BUILD has too many arguments.", hint="write BUILD directory [Dockerfile] or BUILD -")
    return Build(directory=words[0], dockerfile="".join(words[1:]), location=lines(node), original=node.original)


def read_in(node: Node, escape: str) -> In:
    """The opening line only; the instructions up to ``}`` are put in by whoever reads the document."""
    words = split_arguments(required_text(node, "IN directory {"))
    if len(words) != 2 or words[1] != "{":
        raise DockerfileError("IN takes a directory and a “{”.", hint="write IN directory { and end the block with }")
    return In(directory=words[0], instructions=(), location=lines(node), original=node.original)


def read_publish(node: Node, escape: str) -> Publish:
    words = split_arguments(required_text(node, "PUBLISH directory"))
    if len(words) != 1:
        raise DockerfileError("PUBLISH takes one directory.", hint="write PUBLISH directory")
    return Publish(directory=words[0], location=lines(node), original=node.original)


def check_chmod(mode: str) -> None:
    """Raise ``DockerfileError`` unless ``mode`` is empty, octal up to 7777, or symbolic as chmod(1) takes it."""
    if mode and not _OCTAL.fullmatch(mode) and not _SYMBOLIC.fullmatch(mode):
        raise DockerfileError(
            f"--chmod is “{mode}”.", hint="write an octal mode such as 755, or a symbolic one such as u+x"
        )


def check_local(sources: Iterable[str]) -> None:
    """Raise ``DockerfileError`` for a source of COPY that is a URL."""
    for source in sources:
        if _REMOTE.match(source):
            raise DockerfileError(f"COPY can't take the URL {source}.", hint="use ADD for URLs and git repositories")


def _read_places(node: Node) -> _Places:
    """Sources, here-documents and destination; in the JSON form every word is a path."""
    array = read_json(node.rest)
    words = split_arguments(node.rest) if array is None else list(array)
    if len(words) < 2:
        raise DockerfileError(
            f"{node.keyword} needs a source and a destination.", hint=f"write {node.keyword} source destination"
        )
    if array is None and read_mark(words[-1]):
        raise DockerfileError(
            f"{node.keyword} can't have a here-document as its destination.", hint=f"write {node.keyword} <<EOF /path"
        )
    contents = {heredoc.name: heredoc for heredoc in node.heredocs}
    sources: list[str] = []
    files: list[Heredoc] = []
    for word in words[:-1]:
        mark = read_mark(word) if array is None else None
        if mark and mark.name in contents:
            files.append(msgspec.structs.replace(contents[mark.name], mark=word))
        else:
            sources.append(word)
    if len(files) < len(node.heredocs):
        raise DockerfileError(
            f"{node.keyword} has a here-document that is none of its sources.",
            hint="write <<EOF as one word, without a blank",
        )
    return _Places(tuple(sources), words[-1], tuple(files))


def _is_set(flags: Flags, name: str) -> bool:
    return flags.truth(name) is True
