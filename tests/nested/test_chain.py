"""BUILD: what holds from level to level (part 2 of the rules, 6 to the end; docs/nested.md, "BUILD")."""

from __future__ import annotations

import pytest

from nested.bench import Bench, dockerfile_error, marked, of_directory

# 2.6: COPY --from=level:N, and the stage of an earlier level by its name.


SHADOWED = """\
FROM busybox AS tools
RUN mkdir /o && echo of level 0 >/o/f && echo whole 0 >/whole
BUILD /o
FROM busybox AS other
RUN echo of other >/f
FROM busybox AS {name}
COPY . /o/
RUN echo of level 1 >/o/f && echo whole 1 >/whole
BUILD /o
FROM scratch
"""


@pytest.mark.parametrize(
    ("name", "copy", "found"),
    [
        ("x", "COPY --from=level:0 /whole /f", "whole 0\n"),
        ("x", "COPY --from=level:1 /whole /f", "whole 1\n"),
        ("x", "COPY --from=tools /o/f /f", "of level 0\n"),
        ("x", "COPY --from=TOOLS /o/f /f", "of level 0\n"),
        ("x", "COPY --from=other /f /f", "of other\n"),
        ("tools", "COPY --from=tools /o/f /f", "of level 1\n"),
    ],
)
def test_2_6_copy_from_a_level_or_its_stage_of_several_the_latest(
    bench: Bench, name: str, copy: str, found: str
) -> None:
    assert bench.build(f"{SHADOWED.format(name=name)}{copy}\n").files == {"f": found}


def test_2_6_a_stage_of_the_level_itself_comes_first(bench: Bench) -> None:
    text = SHADOWED.format(name="x").removesuffix("FROM scratch\n")
    own = "FROM busybox AS tools\nRUN echo own >/f\nFROM scratch\nCOPY --from=tools /f /\n"
    assert bench.build(text + own).files == {"f": "own\n"}


def test_2_6_a_named_context_comes_first(bench: Bench) -> None:
    (bench.folder / "given").mkdir()
    (bench.folder / "given" / "f").write_text("given")
    text = f"{SHADOWED.format(name='x')}COPY --from=tools f /\n"
    assert bench.build(text, f"--build-context=tools={bench.folder / 'given'}").files == {"f": "given"}


def test_2_6_levels_are_bases_and_mounts_too(bench: Bench) -> None:
    made = bench.build(
        "FROM busybox AS tools\nRUN mkdir /o && echo x >/o/f && echo y >/g\nENV A=1\nBUILD /o\n"
        "FROM level:0\nRUN --mount=from=tools,source=/g,target=/m cat /m >/n\n"
        "RUN --mount=from=level:0,target=/m cat /m/o/f >>/n\n"
    )
    assert made.contents["n"] == "y\nx\n"
    assert "A=1" in made.config["Env"]


@pytest.mark.parametrize(
    ("line", "name", "known"),
    [
        ("COPY --from=level:9 /f /", "level:9", "the levels before it: level:0"),
        ("COPY --from=level:1 /f /", "level:1", "the levels before it: level:0"),
        ("RUN --mount=from=level:2,target=/m true", "level:2", "the levels before it: level:0"),
    ],
)
def test_2_6_a_level_that_is_not_before_is_an_error(bench: Bench, line: str, name: str, known: str) -> None:
    failure = dockerfile_error(f"There is no {name} before this level", known)
    text = of_directory("RUN mkdir /o\n", last=f"FROM busybox\n{line}\n")
    assert marked(bench.fail(text, failure)) == [line]


def test_2_6_an_emitted_dockerfile_names_what_was_before_it(bench: Bench) -> None:
    emitted = "FROM scratch\\nCOPY --from=level:0 /f /\\nCOPY --from=one /f /g\\n"
    steps = f"RUN mkdir /o && echo x >/f && printf '{emitted}' >/o/Dockerfile\n"
    made = bench.build(f"FROM busybox AS one\n{steps}CMD tar -cC /o .\n")
    assert made.files == {"f": "x\n", "g": "x\n"}


# 2.7: Levels are cached like stages; -t names the last image.


def test_2_7_levels_are_cached_like_stages(bench: Bench) -> None:
    """Nothing is done twice, and what changes in one level is not done again in those before it."""
    text = of_directory(f"RUN mkdir /o && echo {bench.folder} >/o/f\n", last="FROM busybox\nCOPY f /\nRUN cat /f >/g\n")
    bench.build(text)
    assert "Everything was cached" in bench.build(text).said
    said = bench.build(text.replace("cat /f", "cat /f /f")).said
    (first,) = (line for line in said.splitlines() if "RUN mkdir" in line)
    number = first.split(" ")[0]
    assert f"{number} CACHED" in said
    assert "Everything was cached" not in said


def test_2_7_an_emitted_context_that_comes_out_the_same_builds_nothing_behind_it(bench: Bench) -> None:
    text = of_directory(
        "RUN mkdir /o && echo {} >/unused && echo x >/o/f && touch -d @9 /o/f\n",
        last="FROM busybox\nCOPY f /\nRUN cat /f\n",
    )
    bench.build(text.format(1))
    said = bench.build(text.format(2)).said
    (last,) = (line for line in said.splitlines() if line.endswith("RUN cat /f"))
    assert f"{last.split(' ')[0]} CACHED" in said


# The heart: `build` of an ordinary file is that file with BUILD - appended.

EMITTING = """\
FROM busybox
RUN mkdir /o && echo x >/o/f && printf 'FROM scratch\\nCOPY f /\\n' >/o/Dockerfile
CMD tar -cC /o .
"""


def test_2_8_build_is_the_file_with_build_dash_appended(bench: Bench) -> None:
    implied, written = bench.build(EMITTING), bench.build(f"{EMITTING}BUILD -\n")
    assert implied.files == written.files == {"f": "x\n"}
    assert implied.document == written.document
    assert "Everything was cached" in written.said


def test_2_8_where_a_build_is_written_nothing_is_appended(bench: Bench) -> None:
    """The last level here could emit."""
    made = bench.build(of_directory("RUN mkdir /o\n", last=EMITTING))
    assert made.contents["o/f"] == "x\n"


def test_2_8_assemble_appends_nothing_and_follows_what_is_written(bench: Bench) -> None:
    assert bench.build(EMITTING, verb="assemble").contents["o/f"] == "x\n"
    assert bench.build(f"{EMITTING}BUILD -\n", verb="assemble").files == {"f": "x\n"}


def test_2_8_an_emitted_dockerfile_ends_the_chain_unless_it_has_a_build(bench: Bench) -> None:
    inner = EMITTING.replace("\\n", "\\\\n").replace("\n", "\\n").replace("'", "'\\''")
    outer = f"FROM busybox\nRUN mkdir /o && printf '{inner}' >/o/Dockerfile\nCMD tar -cC /o .\n"
    assert bench.build(outer).contents["o/f"] == "x\n"
    again = outer.replace("tar -cC /o .\\n'", "tar -cC /o .\\nBUILD -\\n'")
    assert again != outer
    assert bench.build(again).files == {"f": "x\n"}
