"""Printing, and what must hold for every text: it is read, or it is a Dockerfile error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dockerception.dockerfile.instructions import (
    Instruction,
    Lines,
    expand_instruction,
    parse_instruction,
    print_instruction,
    read_instructions,
)
from dockerception.dockerfile.parser import parse, parse_bytes
from dockerception.dockerfile.stages import Dockerfile, find_stage, load, print_dockerfile, references
from dockerception.dockerfile.words import expand, raw_words, split_words
from dockerception.errors import DockerfileError

T = TypeVar("T")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("from  a  as B", "FROM a AS b"),
        ("FROM --platform='x' a", "FROM --platform=x a"),
        ("RUN  a \\\n  b", "RUN a   b"),
        ('RUN ["a","b"]', 'RUN ["a", "b"]'),
        (
            "RUN --network=none --mount=type=cache,target='/a b' c",
            'RUN --mount="type=cache,target=/a b" --network=none c',
        ),
        ("RUN -- --a", "RUN -- --a"),
        ("RUN --network=default a", "RUN a"),
        ("COPY --chown=a  b  c", "COPY --chown=a b c"),
        ('COPY ["a", "b"]', "COPY a b"),
        ('COPY ["a b", "c"]', 'COPY ["a b", "c"]'),
        ('COPY ["<<E", "c"]', 'COPY ["<<E", "c"]'),
        ("COPY [a] b", 'COPY ["[a]", "b"]'),
        ("COPY <<E /x\na\nE", "COPY <<E /x\na\nE"),
        ("ADD --unpack=false a b", "ADD --unpack=false a b"),
        ("ENV a  b  c", "ENV a b  c"),
        ('ENV a="b c"  d=e', 'ENV a="b c" d=e'),
        ("ARG a  b='c d'", "ARG a b='c d'"),
        ("HEALTHCHECK --interval=90s --timeout=1500ms CMD a", "HEALTHCHECK --interval=90s --timeout=1500ms CMD a"),
        ("HEALTHCHECK NONE", "HEALTHCHECK NONE"),
        ("ONBUILD RUN <<E\na\nE", "ONBUILD RUN <<E\na\nE"),
        ('SHELL ["a","b"]', 'SHELL ["a", "b"]'),
        ("IN /x {\n FROM a\n RUN b\n}", "IN /x {\nFROM a\nRUN b\n}"),
        ("BUILD /out  X", "BUILD /out X"),
    ],
)
def test_print_instruction(text: str, printed: str) -> None:
    (instruction,) = read_instructions(parse(text))
    assert print_instruction(instruction) == printed + "\n"


def without_places(instruction: Instruction) -> Instruction:
    changes: dict[str, object] = {"location": Lines(0, 0), "original": ""}
    for name in instruction.__struct_fields__:
        value = getattr(instruction, name)
        if name == "instructions":
            changes[name] = tuple(without_places(inner) for inner in value)
        elif name == "text" and not getattr(instruction, "heredocs", ()):
            changes[name] = ""  # the spelling of JSON is not kept
    return msgspec.structs.replace(instruction, **changes)


def shape(dockerfile: Dockerfile) -> object:
    return (
        dockerfile.directives,
        [without_places(arg) for arg in dockerfile.global_args],
        [
            (stage.index, stage.name, [without_places(one) for one in (stage.base, *stage.instructions)])
            for stage in dockerfile.stages
        ],
    )


def check_fixpoint(text: str) -> None:
    dockerfile = load(text.encode())
    printed = print_dockerfile(dockerfile)
    again = load(printed.encode())
    assert shape(again) == shape(dockerfile)
    assert print_dockerfile(again) == printed


def attempt(action: Callable[[], T]) -> T | None:
    """What ``action`` returns, or ``None`` for a Dockerfile error that says something; anything else is a bug."""
    try:
        return action()
    except DockerfileError as error:
        if not error.message:
            raise
        return None


SNIPPETS = """
FROM a|RUN |COPY |ENV |ARG |ADD |ONBUILD |CMD |LABEL |VOLUME |IN x {|}|BUILD -|HEALTHCHECK CMD |EXPOSE 80|SHELL |
|--mount=type=cache,target=/x |--from=b |-- |<<E|<<-'E'|E|a|b=c|$v|${v:-|${|}|\\|`|"|'|[|]|["a", "b"]|,|#|é| AS |=|/|
|# escape=`|# syntax=docker/dockerfile:1|--|<|-|.|\t|\f|\v|\r|\u00a0|\u0085|\u2028|\x1c|\ufeff| | |"""
FRAGMENTS = st.lists(st.sampled_from(SNIPPETS.split("|")), max_size=25).map("".join)


@settings(max_examples=500, deadline=None)
@given(st.one_of(FRAGMENTS, FRAGMENTS.map("FROM a\n".__add__), st.text(max_size=60)))
@example("FROM a\nRUN a\\\u00a0")
@example('FROM a\nCOPY ["a",\f"b"] c')
@example("FROM a\nRUN \\\n\\")
@example("FROM a\nENV a b\\\u00a0")
def test_any_text_is_read_or_refused(text: str) -> None:
    dockerfile = attempt(lambda: load(text.encode()))
    if dockerfile is None:
        return
    check_fixpoint(text)
    for stage in dockerfile.stages:
        assert find_stage(dockerfile, str(stage.index)) == stage
        references(stage)
        for instruction in (stage.base, *stage.instructions):
            expanding = partial(expand_instruction, instruction, {"v": "x y"}, escape=dockerfile.directives.escape)
            attempt(expanding)


@settings(max_examples=200, deadline=None)
@given(st.one_of(FRAGMENTS, st.text(max_size=40)), st.sampled_from(["\\", "`"]))
def test_any_words_are_expanded_or_refused(text: str, escape: str) -> None:
    attempt(lambda: expand(text, {"v": "x"}, escape=escape))
    attempt(lambda: split_words(text, {"v": "x y"}, escape=escape))
    attempt(lambda: raw_words(text))
    attempt(lambda: parse_instruction(text, name="trigger", escape=escape))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    attempt(lambda: parse_bytes(data))
