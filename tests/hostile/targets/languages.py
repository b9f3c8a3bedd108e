"""Texts that people write: Dockerfiles, their words, ignore files, names, addresses, values of options."""

from __future__ import annotations

from typing import Final

import msgspec

from dockerception import sizes
from dockerception.cli import limit_options, values
from dockerception.context import ignore
from dockerception.dockerfile import instructions, nested, outline, roots, stages, words
from dockerception.dockerfile.check.running import check
from dockerception.dockerfile.instructions import Instruction, Lines
from dockerception.engines.embedded.sharing import options as caches
from dockerception.errors import DockerceptionError
from dockerception.reference import Digest, Platform, Reference
from dockerception.remotes import locations
from dockerception.transports import spec
from hostile.targets.guard import guarded, refused

_PATHS: Final = ("a", "a/b/c", "Dockerfile", ".git/x", "a/" * 100 + "b", "a" * 250)
_VALUES: Final = {"a": "x y", "b": "", "P": "80"}


@guarded
def dockerfile(data: bytes) -> None:
    """A Dockerfile, down to its stages, levels and findings; printed and read again it is the same."""
    found = stages.load(data)
    printed = stages.print_dockerfile(found)
    again = stages.load(printed.encode())
    assert _shape(again) == _shape(found)
    assert stages.print_dockerfile(again) == printed
    for look in (nested.split, roots.with_plain_stages, check, outline.targets_of, outline.outline_of):
        refused(lambda _, look=look: look(found), data)  # type: ignore[misc]
    for stage in found.stages:
        for each in (stage.base, *stage.instructions):
            refused(
                lambda _, one=each: instructions.expand_instruction(one, _VALUES, escape=found.directives.escape),  # type: ignore[misc]
                data,
            )


def _shape(found: stages.Dockerfile) -> list[list[Instruction]]:
    parts: list[list[Instruction]] = [list(found.global_args)]
    parts += [[stage.base, *stage.instructions] for stage in found.stages]
    return [[_without_places(each) for each in part] for part in parts]


def _without_places(instruction: Instruction) -> Instruction:
    """The instruction without its place in the file and the spelling that printing does not keep."""
    changes: dict[str, object] = {"location": Lines(0, 0), "original": ""}
    for name in instruction.__struct_fields__:
        if name == "instructions":
            changes[name] = tuple(map(_without_places, getattr(instruction, name)))
        elif name == "text" and not getattr(instruction, "heredocs", ()):
            changes[name] = ""
    return msgspec.structs.replace(instruction, **changes)


def word(data: bytes) -> None:
    """``a=value`` in the first line, and below it words that may use it."""
    first, _, rest = data.decode(errors="replace").partition("\n")
    text, known = rest, {"a": first.removeprefix("a=")}
    for escape in ("\\", "`"):
        refused(lambda _, sign=escape: words.expand(text, known, escape=sign), data)  # type: ignore[misc]
        refused(lambda _, sign=escape: words.split_words(text, known, escape=sign), data)  # type: ignore[misc]
    refused(lambda _: words.raw_words(text), data)
    refused(lambda _: words.unquoted_words(text), data)


@guarded
def ignored(data: bytes) -> None:
    """Ignore patterns, and a question to each."""
    rules = ignore.compile(ignore.read(data))
    for path in _PATHS:
        rules.is_ignored(path)
        rules.may_contain_exceptions(path)


def names(data: bytes) -> None:
    """References, digests and platforms; what was understood is written and understood again."""
    text = data.decode(errors="surrogateescape")
    for parse in (Reference.parse, Digest.parse, Platform.parse):
        try:
            found = parse(text)
        except DockerceptionError as error:
            str(error).encode()
            continue
        assert parse(str(found)) == found
        if isinstance(found, Reference):
            assert Reference.parse(found.familiar) == found


def location(data: bytes) -> None:
    """Repositories and files on web servers, as a context and as a source of ADD."""
    text = data.decode(errors="surrogateescape")
    for is_context in (False, True):
        refused(lambda _, given=is_context: _located(text, is_context=given), data)  # type: ignore[misc]


def _located(text: str, *, is_context: bool) -> None:
    found = locations.parse(text, is_context=is_context)
    if found is None:
        return
    found.shown.encode(errors="backslashreplace")
    if isinstance(found, locations.GitLocation):
        assert not found.remote.startswith("-")
        assert not found.ref.startswith("-")
        assert not found.subdir.startswith("/")
        assert ".." not in found.subdir.split("/")
    else:
        assert "/" not in found.name
        assert found.name not in ("", ".", "..")


def option(data: bytes) -> None:
    """Values of options: outputs, caches, sources of images, sizes, durations, limits."""
    text = data.decode(errors="surrogateescape")
    for read in (
        values.output, values.duration, values.label, values.named_context, values.volume, sizes.size, sizes.cap,
        limit_options.ulimit, caches.read_source, caches.read_target, spec.parse,
    ):  # fmt: skip
        refused(lambda _, read=read: read(text), data)  # type: ignore[misc]
