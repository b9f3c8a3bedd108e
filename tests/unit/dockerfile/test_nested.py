"""BUILD, IN and PUBLISH as plain levels and stages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.dockerfile.instructions import Build, Copy, In, Publish
from dockerception.dockerfile.nested import find_target, has_build, split
from dockerception.dockerfile.stages import excerpt_for, load, print_dockerfile
from dockerception.errors import DockerfileError


def levels(text: str) -> list[str]:
    """The Dockerfiles of the levels, as text."""
    return ["\n".join(part.dockerfile.document.lines) for part in split(load(text.encode()))]


def error_of(text: str) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        split(load(text.encode()))
    return caught.value


def test_an_ordinary_file_is_one_level_as_it_is() -> None:
    dockerfile = load(b"ARG A\nFROM a AS b\nRUN x\n")
    (part,) = split(dockerfile)
    assert part.dockerfile is dockerfile
    assert part.build is None
    assert not has_build(dockerfile)


def test_levels_of_one_file() -> None:
    text = (
        "# escape=`\nFROM a AS one\nRUN x `\n  y\nBUILD /out\n\n# next\nARG V=1\nFROM b AS two\nBUILD -\nFROM scratch\n"
    )
    dockerfile = load(text.encode())
    parts = split(dockerfile)
    assert [part.build.directory if part.build else None for part in parts] == ["/out", "-", None]
    assert [part.dockerfile.stages[0].name for part in parts] == ["one", "two", ""]
    assert [len(part.dockerfile.global_args) for part in parts] == [0, 1, 0]
    assert {part.dockerfile.directives.escape for part in parts} == {"`"}
    targets = ("one", "TWO", "0", "1", "none")
    assert [find_target(parts, name) for name in targets] == [(0, "one"), (1, "TWO"), (0, "0"), (0, "1"), (0, "none")]
    # What messages show are the lines of the file as it was written.
    second = parts[1].dockerfile
    assert "   9 | >>> FROM b AS two" in excerpt_for(second, second.stages[0].base.location)


def test_a_file_that_ends_with_build_has_its_next_dockerfile_elsewhere() -> None:
    parts = split(load(b"FROM a\nBUILD /out Dockerfile.run\n"))
    assert [(part.build.directory, part.build.dockerfile) for part in parts if part.build] == [
        ("/out", "Dockerfile.run")
    ]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("FROM a\nBUILD /o D\nFROM b\n", "and instructions follow it as well", 2),
        ("FROM a\nBUILD /o\nARG x\n", "Behind BUILD there is no FROM", 3),
        ("FROM a\nBUILD /o\nBUILD /o\n", "BUILD stands before FROM", 3),
        ("FROM a\nIN /x {\nFROM b\nBUILD /o\n}\n", "BUILD can't stand in a block", 4),
        ("FROM a\nIN /x {\nFROM b\nPUBLISH /o\n}\n", "PUBLISH can't stand in a block", 4),
        ("FROM a\nPUBLISH /x\nRUN y\n", "not the last instruction", 2),
        ("FROM a\nPUBLISH /x\nFROM b\nPUBLISH /y\n", "more than one PUBLISH", 4),
        ("FROM a\nPUBLISH x\n", "absolute path of one directory, not “x”", 2),
        ("FROM a\nIN /x {\nFROM b\n}\nRUN --mount=from=0,target=/m true\n", "can't name a stage by its number", 5),
    ],
)
def test_wrong_files(text: str, message: str, line: int) -> None:
    error = error_of(text)
    assert message in error.message
    assert f"Dockerfile:{line}: " in error.message
    assert f"{line:4} | >>>" in error.details
    assert error.hint


BLOCKS = """ARG V=1
FROM a AS build
RUN one
IN /root {
  FROM b
  RUN two
  IN /inner {
    FROM c
  }
}
RUN <<E
three
E
COPY --from=0 /x /y
PUBLISH /root/
BUILD /out
"""


def test_blocks_become_stages() -> None:
    (level,) = levels(BLOCKS)
    assert level.split("\n") == [
        "ARG V=1",
        "FROM c AS in-2",
        "FROM b AS in-1",
        "  RUN two",
        "COPY --from=in-2 / /inner/",
        "FROM a AS build-unpublished",
        "RUN one",
        "COPY --from=in-1 / /root/",
        "RUN <<E",
        "three",
        "E",
        "COPY --from=build /x /y",
        "FROM in-1 AS build",
        "COPY --from=build-unpublished /root/ /",
    ]
    (part,) = split(load(BLOCKS.encode()))
    copies = [one for stage in part.dockerfile.stages for one in stage.instructions if isinstance(one, Copy)]
    assert [copy.root for copy in copies] == ["in", "in", "", "publish"]
    assert ">>> IN /root {" in excerpt_for(part.dockerfile, copies[1].location)
    assert ">>> PUBLISH /root/" in excerpt_for(part.dockerfile, copies[3].location)


def test_without_a_block_the_published_root_begins_empty() -> None:
    assert levels("FROM a\nPUBLISH /r\n")[0].split("\n")[1:] == [
        "FROM scratch AS stage-0",
        "COPY --from=stage-0-unpublished /r/ /",
    ]


def test_names_that_are_taken_are_left_alone() -> None:
    text = "FROM a AS in-1\nFROM b\nIN /x {\nFROM c\n}\nIN /y {\nFROM d AS own\n}\n"
    lines = levels(text)[0].split("\n")
    assert lines[0] == "FROM a AS in-1"
    assert "FROM c AS in-1-2" in lines
    assert "COPY --from=in-1-2 / /x/" in lines
    assert "COPY --from=own / /y/" in lines


STEPS = st.sampled_from(
    [
        "RUN a",
        "ENV A=b",
        "COPY a b",
        "IN /x {\nFROM i\nRUN c\n}",
        "IN /y {\nFROM j\nIN z {\nFROM k\n}\n}",
        "RUN <<E\nx\nE",
    ]
)
STAGES = st.lists(STEPS, max_size=3).map(lambda steps: "\n".join(["FROM a", *steps]))
LEVELS = st.tuples(
    st.lists(STAGES, min_size=1, max_size=2).map("\n".join),
    st.sampled_from(["", "\nPUBLISH /x"]),
    st.sampled_from(["/out", "-", "$D"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LEVELS, min_size=1, max_size=3), st.booleans())
def test_levels_hold_what_the_file_holds(drawn: list[tuple[str, str, str]], ends_with_build: bool) -> None:
    texts = [text + publish for text, publish, _ in drawn]
    wanted: list[str | None] = [build for _, _, build in drawn]
    if not ends_with_build:
        wanted[-1] = None
    whole = "".join(
        f"{text}\n" + (f"BUILD {build}\n" if build else "") for text, build in zip(texts, wanted, strict=True)
    )
    parts = split(load(whole.encode()))
    assert [part.build.directory if part.build else None for part in parts] == wanted
    for part, text in zip(parts, texts, strict=True):
        (alone,) = split(load(text.encode()))
        printed = print_dockerfile(part.dockerfile)
        assert printed == print_dockerfile(alone.dockerfile)
        assert print_dockerfile(load(printed.encode())) == printed
        stages = part.dockerfile.stages
        assert not any(isinstance(one, Build | In | Publish) for stage in stages for one in stage.instructions)
        assert len(stages) == text.count("FROM") + text.count("PUBLISH")
