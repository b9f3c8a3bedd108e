"""The rules of nested builds that an engine could get wrong, on every engine.  All rules, on one: tests/nested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from engines.test_nested import built, files, project
from faults.program import Failure

BUSYBOX = ("busybox",)
OLDER = ("docker-classic", "docker-20.10", "podman")
"""They know no here-documents, and no stages that are done anew by name."""


def same(lab: Lab, embedded: Lab, verb: str, source: Path, *arguments: str) -> None:
    """The image is that of the embedded engine."""
    images = [built(each, verb, source, source / f"../{each.name}.tar", *arguments) for each in (embedded, lab)]
    found = differences(lab, *images)
    if lab.name == "podman":  # instructions without files count as layers there
        found = [one for one in found if not one.where.startswith("image history")]
    assert found == []


# 2.1: a directory of the image, after following links inside of it.

DIRECTORIES = {
    "in a layer of the base": "BUILD /var/www",
    "empty": "RUN mkdir /o\nBUILD /o",
    "a relative link": "RUN mkdir -p /real/d && echo x >/real/d/f && ln -s real /l\nBUILD /l",
    "links on the way and upwards": (
        "RUN mkdir -p /a/b/d /c && echo x >/a/b/d/f && ln -s ../../a /c/up\nBUILD /c/up/b/d"
    ),
    "files and directories that are gone": (
        "RUN mkdir -p /o/gone && echo x >/o/f && touch /o/gone/g /o/h\n"
        "RUN rm -r /o/h /o/gone && mkdir /o/gone\nBUILD /o"
    ),
    "odd names and owners": (
        "RUN mkdir -p '/o o/ä' && cd '/o o' && touch 'a b' ä/ü && chown 7:8 'a b' && chmod 711 ä/ü && ln -s 'a b' link"
        ' && ln ä/ü hard\nENV D="/o o"\nBUILD $D'
    ),
}


@pytest.mark.parametrize("case", DIRECTORIES)
def test_2_1_a_directory_of_the_image(lab: Lab, embedded: Lab, tmp_path: Path, case: str) -> None:
    text = f"FROM busybox\n{DIRECTORIES[case]}\nFROM busybox\nCOPY . /all/\n"
    same(lab, embedded, "build", project(tmp_path / "source", text))


@pytest.mark.parametrize("target", ["/proc", "/", "/dev"])
def test_2_1_a_link_to_what_is_no_context(lab: Lab, tmp_path: Path, target: str) -> None:
    """But for a builder of buildx, which does not tell where a link leads (docs/nested.md)."""
    source = project(tmp_path / "source", f"FROM busybox\nRUN ln -s {target} /l\nBUILD /l\nFROM scratch\nCOPY f /\n")
    done = lab.run("build", source, bases=BUSYBOX)
    if lab.engine == "buildx":
        assert done.code == 4, done.errors
    else:
        Failure(3, "dockerfile", f"BUILD can't take {target} as a context", "has filled", ">>> BUILD /l").check(done)
    assert lab.containers() == []


# 2.2 to 2.4: the Dockerfile of the next level, its ignore file, and its empty state.

WRITTEN = """\
FROM busybox
RUN mkdir -p /o/d && cd /o && touch kept a.log d/b.log && ln -s d/File Run \\
 && echo '**/*.log' >Run.dockerignore && echo kept >.dockerignore \\
 && printf 'FROM busybox\\nARG SEEN=no\\nARG GIVEN\\nCOPY kept d /all/\\n' >d/File \\
 && echo 'RUN echo "$SEEN $GIVEN $A $PWD" >/told' >>d/File
ENV A=1
WORKDIR /w
ENTRYPOINT ["/e"]
CMD ["/c"]
EXPOSE 80
VOLUME /v
LABEL l=1
STOPSIGNAL SIGKILL
ONBUILD RUN exit 9
BUILD /o Run
"""


def test_2_2_a_named_dockerfile_behind_a_link_its_ignore_file_and_an_empty_state(
    lab: Lab, embedded: Lab, tmp_path: Path
) -> None:
    source = project(tmp_path / "source", WRITTEN)
    same(lab, embedded, "build", source, "--build-arg", "GIVEN=given")
    done = lab.succeed("build", source, "--build-arg=GIVEN=given", "--build-arg=NOBODY=1", bases=BUSYBOX)
    done.has_said(r"Run\.dockerignore left 2 entries out of the directory /o that level 0 has built\.")
    # The argument that only level 1 declares is consumed; the other one is not.
    done.has_said(r"No ARG of any level declares the build argument NOBODY\.")


def test_2_4_an_argument_of_an_emitted_level_is_consumed(lab: Lab, tmp_path: Path) -> None:
    emitted = "printf 'FROM scratch\\nARG LAST\\nCOPY Dockerfile /\\n' >/o/Dockerfile"
    text = f"FROM busybox\nARG FIRST\nRUN mkdir /o && {emitted}\nCMD tar -cC /o .\n"
    arguments = ("--build-arg=FIRST=1", "--build-arg=LAST=1", "--build-arg=NONE=1")
    done = lab.succeed("build", project(tmp_path / "source", text), *arguments, bases=BUSYBOX)
    done.has_said(r"No ARG of any level declares the build argument NONE\.")


# 2.5: the depth.


def test_2_5_a_chain_has_at_most_so_many_levels(lab: Lab, tmp_path: Path) -> None:
    again = "FROM busybox\nCOPY . /o/\nRUN echo x >>/o/f\nBUILD /o\n"
    source = project(tmp_path / "source", f"{again}{again}FROM scratch\nCOPY f /\n")
    assert files(lab, "build", source, tmp_path / "tree.tar", "--max-depth", "3")["f"][2] == b"x\nx\n"
    failure = Failure(3, "dockerfile", "The chain has more than 2 levels", "--max-depth N", ">>> BUILD /o")
    failure.check(lab.run("build", "--max-depth", "2", source, bases=BUSYBOX))


# 2.6: levels and stages of earlier levels.

EARLIER = """\
FROM busybox AS tools
RUN mkdir /o && echo 0 >/o/f && echo whole >/whole
ENV LEVEL=0
BUILD /o
FROM busybox AS side
RUN echo side >/f
FROM busybox AS tools
COPY . /o/
RUN echo 1 >>/o/f
BUILD /o
FROM level:0
COPY --from=level:1 /o/f /of-level-1
COPY --from=tools /o/f /of-tools
COPY --from=side /f /of-side
COPY . /all/
"""


def test_2_6_levels_and_stages_of_earlier_levels(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    source = project(tmp_path / "source", EARLIER)
    same(lab, embedded, "build", source)
    found = files(lab, "build", source, tmp_path / "tree.tar")
    assert {name: content for name, (_, _, content) in found.items() if "of-" in name or name == "whole"} == {
        "of-level-1": b"0\n1\n", "of-tools": b"0\n1\n", "of-side": b"side\n", "whole": b"whole\n"
    }  # fmt: skip


# 2.7 and the table of options.

ONCE = """\
FROM busybox AS zero
RUN mkdir /o && cat /proc/sys/kernel/random/uuid >/o/zero
BUILD /o
FROM busybox AS one
COPY . /o/
RUN cat /proc/sys/kernel/random/uuid >/o/one && printf 'FROM scratch\\nCOPY . /\\n' >/o/Dockerfile
CMD cat /proc/sys/kernel/random/uuid >/o/emit && tar -cC /o .
BUILD -
"""


def test_the_filter_names_levels_stages_and_the_emission(lab: Lab, tmp_path: Path) -> None:
    """Each run is compared with the one before it: what it does anew, and what comes behind that, is another."""
    source = project(tmp_path / "source", ONCE)
    wanted = {
        "level:9": (), "emit": ("emit",), "level:1": ("one", "emit"), "level:0": ("zero", "one", "emit"),
    }  # fmt: skip
    stages = {} if lab.name in OLDER else {"ONE": ("one", "emit")}
    before = files(lab, "build", source, tmp_path / "first.tar")
    for number, (name, anew) in enumerate({**wanted, **stages}.items()):
        after = files(lab, "build", source, tmp_path / f"{number}.tar", "--no-cache-filter", name)
        changed = tuple(each for each in ("zero", "one", "emit") if after[each] != before[each])
        # A builder of buildx shares its cache with everybody, and may have lost something of it meanwhile.
        assert set(anew) <= set(changed) if lab.engine == "buildx" else changed == anew, name
        before = after


TARGETS = """\
FROM busybox AS small
RUN mkdir /o && echo small >/o/f
FROM busybox AS large
RUN mkdir /o && echo large >/o/f
BUILD /o
FROM busybox AS first
COPY f /first
FROM scratch
COPY f /
"""


@pytest.mark.parametrize(("target", "found"), [("small", {"f": b"small\n"}), ("first", {"first": b"large\n"})])
def test_target_is_the_builder_or_ends_the_chain(
    lab: Lab, tmp_path: Path, target: str, found: dict[str, bytes]
) -> None:
    source = project(tmp_path / "source", TARGETS)
    got = files(lab, "build", source, tmp_path / "tree.tar", "--target", target)
    assert {name: content for name, (_, _, content) in got.items() if "etc/" not in name} == found


def test_names_labels_and_ids_of_a_chain_of_four_levels(lab: Lab, tmp_path: Path) -> None:
    again = "FROM busybox\nCOPY . /o/\nLABEL level={}\nBUILD /o\n"
    text = "".join(again.format(level) for level in range(3)) + "FROM scratch\nCOPY . /\nLABEL level=3\n"
    source, ids, facts = project(tmp_path / "source", text), tmp_path / "id", tmp_path / "facts"
    wanted = ("-t", "chain:1", "--builder-tag", "--label", "l=1", "--iidfile", str(ids), "--metadata-file", str(facts))
    lab.succeed("build", *wanted, source, bases=BUSYBOX)
    names = lab.names()
    builders = ["chain-builder:1", "chain-builder:1-1", "chain-builder:1-2"]
    assert {name for name in names if name.startswith("chain")} == {"chain:1", *builders}
    levels = json.loads(facts.read_text())["dockerception.levels"]
    assert [each["image"] for each in levels] == [names[name] for name in builders]
    assert ids.read_text() == names["chain:1"]
    lab.remove("chain:1", *builders)


@pytest.mark.parametrize("kind", ["secret", "context"])
def test_secrets_and_named_contexts_reach_every_level(lab: Lab, tmp_path: Path, kind: str) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "f").write_text("given")
    step, option = "COPY --from=given f /o/f@", f"--build-context=given={given}"
    if kind == "secret":
        step = "RUN --mount=type=secret,id=key,required=true cat /run/secrets/key >/o/f@"
        option = f"--secret=id=key,src={given / 'f'}"
    level = f"FROM busybox\nCOPY . /o/\n{step}\n"
    text = "".join(f"{level.replace('@', str(number))}BUILD /o\n" for number in range(2)) + level.replace("@", "2")
    source = project(tmp_path / "source", text)
    if kind == "secret" and lab.name == "docker-classic":
        Failure(3, "not-supported", "").check(lab.run("build", option, source, bases=BUSYBOX))
        return
    found = files(lab, "build", source, tmp_path / "tree.tar", option)
    assert {name: content for name, (_, _, content) in found.items() if name.startswith("o/f")} == {
        f"o/f{number}": b"given" for number in range(3)
    }


# 3: IN and PUBLISH.

ROOTS = {
    "a block in a block, in a directory behind a link": (
        "RUN mkdir /real && ln -s real /r\n"
        "IN /r {\n  FROM busybox\n  IN /in {\n    FROM scratch\n    COPY --chown=7:8 Dockerfile /f\n  }\n  USER 7\n}\n"
    ),
    "a block of nothing": "IN /r {\n  FROM scratch\n}\nRUN echo x >/r/f\nPUBLISH /r\n",
    "an untouched block": 'IN /r {\n  FROM busybox\n  USER 7\n  CMD ["x"]\n}\nPUBLISH /r\n',
    "PUBLISH without a block": "RUN mkdir -p /r/d && echo x >/r/d/f && chown 7:8 /r/d\nENV A=1\nPUBLISH /r\n",
    "PUBLISH behind a link": "RUN mkdir /r && echo x >/r/f && ln -s r /l\nPUBLISH /l\n",
    "two blocks, one published": (
        "IN /a {\n  FROM busybox AS a\n  RUN echo a >/f\n}\nIN /b {\n  FROM busybox\n  COPY --from=a /f /g\n}\n"
        "RUN cp /a/f /b/h && echo new >/b/g\nPUBLISH /b\n"
    ),
}


@pytest.mark.parametrize("case", ROOTS)
def test_3_roots_in_a_root(lab: Lab, embedded: Lab, tmp_path: Path, case: str) -> None:
    same(lab, embedded, "assemble", project(tmp_path / "source", f"FROM busybox\n{ROOTS[case]}"))


WRONG = {
    "PUBLISH of nothing": ("PUBLISH /none\n", 4, "context", "PUBLISH takes a directory, and .*/none", ">>> PUBLISH"),
    "PUBLISH of a file": (
        "PUBLISH /etc/passwd\n", 4, "context", "PUBLISH takes a directory, and .*/etc/passwd", ">>> PUBLISH"
    ),
    "a block that is gone": (
        "IN /r {\n  FROM busybox\n}\nRUN rm -r /r\nPUBLISH /r\n", 4, "context", "PUBLISH takes a dir", ">>> PUBLISH"
    ),
    "a block over a block": (
        "IN /r {\n  FROM busybox\n}\nIN /r {\n  FROM busybox\n}\n", 3, "dockerfile", "/r of IN must be .* /r/bin",
        ">>> IN /r",
    ),
    "a block in a block's directory that is full": (
        "IN /r {\n  FROM busybox\n  IN /etc {\n    FROM busybox\n  }\n}\n", 3, "dockerfile", "/etc of IN must be",
        ">>> +IN /etc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_3_what_is_wrong_is_the_same_on_every_engine(lab: Lab, tmp_path: Path, case: str) -> None:
    text, code, kind, message, marked = WRONG[case]
    source = project(tmp_path / "source", f"FROM busybox\n{text}")
    Failure(code, kind, message, ".", marked).check(lab.run("assemble", "-t", "unwanted", source, bases=BUSYBOX))
    assert "unwanted:latest" not in lab.names()
    assert lab.containers() == []


# How a file is taken apart: what an engine gets of each line.

ODD = """\
# escape=`
FROM busybox
RUN mkdir /o && echo x >/o/f
BUILD /o
# escape=\\
FROM busybox AS a
COPY f `
  /made/g
"""
HERE_DOCUMENTS = """\
COPY <<E /made/
line
E
RUN <<E
echo y >/made/h
E
"""


def test_lines_reach_an_engine_as_they_are(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    """Also those that end in CR LF: a here-document keeps its CRs."""
    source = tmp_path / "source"
    source.mkdir()
    text = ODD + ("" if lab.name in OLDER else HERE_DOCUMENTS)
    (source / "Dockerfile").write_bytes(text.replace("\n", "\r\n").encode())
    same(lab, embedded, "build", source)
