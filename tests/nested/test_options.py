"""Which option means which level (part 2 of the rules, the table; docs/nested.md)."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from faults.program import Failure
from nested.bench import Bench, dockerfile_error

# Two levels that are written and one that is emitted, all with what the options are about.
THREE = """\
FROM busybox AS zero
COPY . /o/
{zero}
BUILD /o
FROM busybox AS one
COPY . /o/
{one}
RUN cd /o && mv Two Dockerfile
CMD tar -cC /o .
BUILD -
"""
TWO = "FROM busybox AS two\nCOPY . /\n{two}\n"


def three(zero: str = "", one: str = "", two: str = "", *, all_of_them: str = "") -> tuple[str, dict[str, str]]:
    """The Dockerfile and the files of a chain of three levels; ``@`` in what all do is the level's number."""
    lines = [line or all_of_them.replace("@", str(number)) for number, line in enumerate((zero, one, two))]
    text = THREE.format(zero=lines[0].replace("DIR", "/o"), one=lines[1].replace("DIR", "/o"))
    return text, {"Two": TWO.format(two=lines[2].replace("DIR", ""))}


def build_three(bench: Bench, all_of_them: str, *options: str | Path) -> dict[str, str]:
    """The files ``f0``, ``f1`` and ``f2`` that the levels have written."""
    text, files = three(all_of_them=all_of_them)
    made = bench.build(text, *options, files=files)
    return {name: text for name, text in made.files.items() if name in ("f0", "f1", "f2")}


# PATH, -, -f, <Dockerfile>.dockerignore: level 0.


def test_path_f_and_the_ignore_file_beside_it_are_of_level_0(bench: Bench) -> None:
    """The next level looks for ``Dockerfile`` and ``.dockerignore`` again, not for the names of level 0."""
    (bench.source / "Zero").write_text("FROM busybox\nCOPY . /o/\nRUN mv /o/Next /o/Dockerfile\nBUILD /o\n")
    (bench.source / "Zero.dockerignore").write_text("no\nZero\n")
    files = {"Next": "FROM scratch\nCOPY . /\n", "no": "", "yes": ""}
    made = bench.build("FROM nowhere\n", "-f", bench.source / "Zero", files=files)
    assert made.files.keys() == {"Dockerfile", "Zero.dockerignore", "yes"}


# --target: a stage of level 0 (the builder); a stage after a BUILD of the same file stops the chain there.

TARGETS = """\
FROM busybox AS small
RUN mkdir /o && echo small >/o/f
FROM busybox AS large
RUN mkdir /o && echo large >/o/f
BUILD /o
FROM busybox AS first
COPY f /first
RUN mkdir /o && echo second >/o/g
FROM busybox AS second
COPY --from=first /o /o
BUILD /o
FROM scratch
COPY . /
COPY --from=first /first /
"""


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("", {"first": "large\n", "g": "second\n"}),
        ("small", {"first": "small\n", "g": "second\n"}),
        ("LARGE", {"first": "large\n", "g": "second\n"}),
        ("0", {"first": "small\n", "g": "second\n"}),
        ("first", {"first": "large\n", "o/g": "second\n"}),
        ("second", {"o/g": "second\n"}),
    ],
)
def test_target_is_the_builder_or_ends_the_chain(bench: Bench, target: str, files: dict[str, str]) -> None:
    assert bench.build(TARGETS, *(["--target", target] if target else [])).files == files


def test_target_that_is_nowhere(bench: Bench) -> None:
    bench.fail(TARGETS, dockerfile_error("no stage “third”: its stages are small, large"), "--target", "third")


@pytest.mark.parametrize(("target", "found"), [("0", "zero"), ("1", "one"), ("in-1", "block")])
def test_target_by_number_counts_the_stages_that_are_written(bench: Bench, target: str, found: str) -> None:
    """Though IN and PUBLISH stand for stages of their own."""
    text = (
        "FROM busybox\nRUN echo zero >/f\n"
        "FROM busybox\nIN /r {\n  FROM busybox\n  RUN echo block >/f\n}\nRUN echo one >/r/f\nPUBLISH /r\n"
        "FROM busybox\nRUN exit 9\n"
    )
    assert bench.build(text, "--target", target, verb="assemble").files == {"f": f"{found}\n"}
    failure = dockerfile_error("no stage “3”: its stages are stage-0, stage-1, stage-2", "counted from 0")
    bench.fail("", failure, "--target", "3", verb="assemble")


# -- COMMAND: replaces CMD, not ENTRYPOINT, of the container whose emit was appended; an error with a written BUILD.

ENTRY = 'FROM busybox\nRUN mkdir /o && echo FROM scratch >/o/Dockerfile\nENTRYPOINT ["tar"]\n'


def test_command_replaces_cmd_and_not_entrypoint(bench: Bench) -> None:
    bench.build(f'{ENTRY}CMD ["-tf", "/nowhere"]\n', "--", "-cC", "/o", ".")


def test_command_is_an_error_with_a_written_build(bench: Bench) -> None:
    for build in ("BUILD -\n", "BUILD /o\n"):
        failure = Failure(2, "usage", "this Dockerfile has a BUILD", "write the command into the Dockerfile, as CMD")
        bench.fail(ENTRY + build, failure, "--", "-cC", "/o", ".")


def test_command_is_not_for_a_build_that_an_emitted_file_has_written(bench: Bench) -> None:
    files = {
        "Inner": "FROM busybox\nCOPY . /o/\nRUN mv /o/Last /o/Dockerfile\nCMD tar -cC /o .\nBUILD -\n",
        "Last": "FROM scratch\nCOPY f /\n",
        "f": "x",
    }
    text = "FROM busybox\nCOPY . /i/\nRUN mv /i/Inner /i/Dockerfile\nCMD false\n"
    bench.write(text, **files)
    assert bench.build(b"", "--", "tar", "-cC", "/i", ".").files == {"f": "x"}


# --build-arg: every level that declares it; "not consumed" only if none does.


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_build_argument_that_one_level_declares_is_consumed(bench: Bench, level: int) -> None:
    """Whichever it is: one whose directory is taken, one that is run, or one whose Dockerfile was emitted."""
    parts = ["true"] * 3
    text, files = three(*(f"RUN {part}" if number != level else "ARG GIVEN" for number, part in enumerate(parts)))
    said = bench.build(text, "--build-arg", "GIVEN=1", "--build-arg", "NOBODY=1", files=files).said
    assert "No ARG of any level declares the build argument NOBODY." in said
    assert "GIVEN" not in "".join(line for line in said.splitlines() if "declares the build argument" in line)


def test_build_arguments_reach_every_level_that_declares_them(bench: Bench) -> None:
    found = build_three(bench, "ARG WHO\nRUN echo ${WHO}@ >DIR/f@", "--build-arg", "WHO=me")
    assert found == {"f0": "me0\n", "f1": "me1\n", "f2": "me2\n"}


# --build-context, --platform, --secret, --ssh, --network, --no-cache, --pull: all.


def test_named_contexts_reach_every_level(bench: Bench) -> None:
    given = bench.folder / "given"
    given.mkdir()
    (given / "f").write_text("given")
    assert build_three(bench, "COPY --from=given f DIR/f@", f"--build-context=given={given}").keys() == {
        "f0",
        "f1",
        "f2",
    }


def test_secrets_reach_every_level(bench: Bench) -> None:
    (bench.folder / "key").write_text("secret")
    mount = "RUN --mount=type=secret,id=key,required cat /run/secrets/key >DIR/f@"
    found = build_three(bench, mount, "--secret", f"id=key,src={bench.folder / 'key'}")
    assert found == {"f0": "secret", "f1": "secret", "f2": "secret"}


def test_the_ssh_agent_reaches_every_level(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.folder)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent")
        agent.listen()
        answering = threading.Thread(target=_answer, args=(agent, 3), daemon=True)
        answering.start()
        ask = "RUN --mount=type=ssh,required test -S $SSH_AUTH_SOCK && echo there >DIR/f@"
        found = build_three(bench, ask, "--ssh", f"default={bench.folder / 'agent'}")
    assert found == {f"f{level}": "there\n" for level in range(3)}


def _answer(agent: socket.socket, times: int) -> None:
    try:
        for _ in range(times):
            agent.accept()[0].close()
    except OSError:
        pass  # the test is over


def test_the_network_is_that_of_every_level_and_of_the_builder(bench: Bench) -> None:
    """E: the emitting container has the network of RUN."""
    count = "grep -c : /proc/net/dev"
    found = build_three(bench, f"RUN {count} >DIR/f@", "--network", "none")
    assert found == {"f0": "1\n", "f1": "1\n", "f2": "1\n"}
    last = "echo -e 'FROM scratch\\nCOPY f /' >/o/Dockerfile"
    text = f"FROM busybox\nCMD mkdir /o && {count} >/o/f && {last} && tar -cC /o .\n"
    assert bench.build(text, "--network", "none").files == {"f": "1\n"}


def test_the_platform_is_that_of_every_level(bench: Bench) -> None:
    found = build_three(bench, "ARG TARGETPLATFORM\nRUN echo $TARGETPLATFORM >DIR/f@", "--platform", "linux/amd64")
    assert found == {f"f{level}": "linux/amd64\n" for level in range(3)}


# --no-cache: all.  --no-cache-filter: stage names, level:N, emit.

ONCE = "RUN cat /proc/sys/kernel/random/uuid >DIR/f@"


@pytest.mark.parametrize(
    ("options", "anew"),
    [
        ((), set()),
        (("--no-cache",), {"f0", "f1", "f2"}),
        (("--no-cache-filter", "level:0"), {"f0"}),
        (("--no-cache-filter", "level:1"), {"f1"}),
        (("--no-cache-filter", "level:2"), {"f2"}),
        (("--no-cache-filter", "level:0,level:2"), {"f0", "f2"}),
        (("--no-cache-filter", "level:9"), set()),
        (("--no-cache-filter", "zero"), {"f0"}),
        (("--no-cache-filter", "ONE"), {"f1"}),
        (("--no-cache-filter", "two"), {"f2"}),
        (("--no-cache-filter", "emit"), set()),
    ],
)
def test_what_is_done_anew(bench: Bench, options: tuple[str, ...], anew: set[str]) -> None:
    """What comes behind a level whose result has changed is done anew as well: it reads the files."""
    before = build_three(bench, ONCE)
    after = build_three(bench, ONCE, *options)
    changed = {name for name in before if before[name] != after[name]}
    first = min(anew, default="f9")
    assert changed == {name for name in before if name >= first}


def test_no_cache_filter_emit_runs_the_builder_alone(bench: Bench) -> None:
    text = (
        "FROM busybox\nRUN mkdir /o && cat /proc/sys/kernel/random/uuid >/o/built && echo FROM scratch >/o/Dockerfile"
        " && echo COPY . / >>/o/Dockerfile\nCMD cp /proc/sys/kernel/random/uuid /o/run && tar -cC /o .\n"
    )
    first, second = bench.build(text), bench.build(text)
    third = bench.build(text, "--no-cache-filter", "emit")
    assert first.files == second.files
    assert (first.files["built"] == third.files["built"], first.files["run"] == third.files["run"]) == (True, False)


# -t, --label, -o, --load, --push, --iidfile, --metadata-file: the last image.


def test_names_labels_and_files_are_of_the_last_image(bench: Bench) -> None:
    text, files = three(all_of_them="ENV LEVEL=@")
    ids, facts = bench.folder / "id", bench.folder / "facts"
    wanted: list[str | Path] = [
        "-t",
        "last:1",
        "-t",
        "last:2",
        "--label",
        "l=1",
        "--builder-tag=steps",
        "--iidfile",
        ids,
    ]
    made = bench.build(text, *wanted, "--metadata-file", facts, files=files)
    names = bench.program.names()
    images = {
        name: json.loads(bench.program.succeed("inspect", name).stdout)[0]
        for name in ("last:1", "last:2", "steps:latest", "steps:latest-1")
    }
    bench.program.succeed("rm", *images)
    assert {name for name in names if name != "busybox:latest"} == images.keys()
    assert {name: image["Config"].get("Labels") or {} for name, image in images.items()} == {
        "last:1": {"l": "1"}, "last:2": {"l": "1"}, "steps:latest": {}, "steps:latest-1": {}
    }  # fmt: skip
    levels = {name: [each for each in image["Config"]["Env"] if "LEVEL" in each] for name, image in images.items()}
    assert levels == {
        "last:1": ["LEVEL=2"],
        "last:2": ["LEVEL=2"],
        "steps:latest": ["LEVEL=0"],
        "steps:latest-1": ["LEVEL=1"],
    }
    # --iidfile holds the config digest.
    metadata = json.loads(facts.read_text())
    assert ids.read_text() == names["last:1"] == metadata["containerimage.config.digest"]
    assert made.config["Labels"] == {"l": "1"}
    assert [each["level"] for each in metadata["dockerception.levels"]] == [0, 1]


# --runtime-file, --runtime-dockerfile: level 1.

LEVELS = """\
FROM busybox
COPY . /o/
CMD tar -cC /o .
"""
NEXT = """\
FROM busybox
COPY . /o/
RUN printf 'FROM scratch\\nCOPY f /default\\n' >/o/Dockerfile
BUILD /o
"""


def test_runtime_file_is_the_dockerfile_of_level_1_alone(bench: Bench) -> None:
    made = bench.build(LEVELS, "--runtime-file", "Next", files={"Next": NEXT, "f": "x"})
    assert made.files == {"default": "x"}


def test_runtime_dockerfile_brings_it_from_outside(bench: Bench) -> None:
    outside = bench.folder / "Outside"
    outside.write_text(NEXT)
    assert bench.build(LEVELS, "--runtime-dockerfile", outside, files={"f": "x"}).files == {"default": "x"}


@pytest.mark.parametrize("option", ["--runtime-file", "--runtime-dockerfile"])
@pytest.mark.parametrize("build", ["BUILD /o Next\n", "BUILD /o\nFROM scratch\n"])
def test_runtime_options_are_an_error_where_the_build_says_it(bench: Bench, option: str, build: str) -> None:
    failure = Failure(2, "usage", "here its BUILD says that", "leave the option out")
    bench.fail(LEVELS + build, failure, option, bench.source / "Next", files={"Next": "FROM scratch\n"})


# --builder-tag[=NAME]: every level but the last.

FOUR = "FROM busybox\nRUN mkdir /o\nENV LEVEL=0\nBUILD /o\n" + "".join(
    f"FROM busybox\nCOPY . /o/\nENV LEVEL={level}\nBUILD /o\n" for level in (1, 2)
)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--builder-tag=b",), ["b:latest", "b:latest-1", "b:latest-2"]),
        (("--builder-tag=b:x",), ["b:x", "b:x-1", "b:x-2"]),
        (("--builder-tag", "-t", "app:1", "-t", "other"), ["app-builder:1", "app-builder:1-1", "app-builder:1-2"]),
        (("-t", "app:1"), []),
    ],
)
def test_builder_tag_names_every_level_but_the_last(bench: Bench, options: tuple[str, ...], names: list[str]) -> None:
    bench.build(f"{FOUR}FROM busybox\nENV LEVEL=3\n", *options)
    found = {name for name in bench.program.names() if name not in ("busybox:latest", "app:1", "other:latest")}
    levels = {}
    for name in found:
        (image,) = json.loads(bench.program.succeed("inspect", name).stdout)
        levels[name] = next(each for each in image["Config"]["Env"] if each.startswith("LEVEL="))
    bench.program.succeed("rm", *[name for name in bench.program.names() if name != "busybox:latest"], *[])
    assert levels == {name: f"LEVEL={level}" for level, name in enumerate(names)}


def test_a_bare_builder_tag_needs_a_name_to_make_one_from(bench: Bench) -> None:
    bench.write(FOUR + "FROM busybox\n")
    done = bench.run("build", "--builder-tag")
    Failure(2, "usage", "--builder-tag needs a name to begin with", "give a -t").check(done)
    assert os.listdir(bench.folder) == ["source"]
