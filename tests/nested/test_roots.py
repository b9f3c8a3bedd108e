"""IN and PUBLISH (part 3 of the rules; docs/nested.md, "IN and PUBLISH")."""

from __future__ import annotations

import json

import pytest

from nested.bench import Bench, context_error, dockerfile_error, marked

BLOCK = "IN /r {\n  FROM busybox\n  RUN mkdir /in && echo in >/in/f && echo block >/both\n}\n"


def assembled(bench: Bench, steps: str, publish: str = "PUBLISH /r\n", **files: str) -> dict[str, str]:
    """The files of a stage on busybox."""
    return bench.build(f"FROM busybox\n{steps}{publish}", verb="assemble", files=files).files


# IN: the block is a build of its own whose root file system is <dir> of the outer one.


def test_3_1_from_fills_the_directory_and_run_is_rooted_in_it(bench: Bench) -> None:
    found = assembled(bench, f"RUN touch /outer\n{BLOCK}RUN test -e /r/bin/busybox && cp /r/in/f /copied\n", "")
    assert found == {"outer": "", "r/in/f": "in\n", "r/both": "block\n", "copied": "in\n"} | {
        name: text for name, text in found.items() if name.startswith(("r/etc/", "r/bin/", "r/usr/"))
    }
    assert "r/bin/busybox" in found


def test_3_1_copy_and_add_read_the_same_context_as_outside(bench: Bench) -> None:
    steps = "COPY f /outer\nIN /r {\n  FROM scratch\n  COPY f /copied\n  ADD f /added\n}\n"
    assert assembled(bench, steps, "", f="x") == {"outer": "x", "r/copied": "x", "r/added": "x"}


def test_3_1_the_state_of_the_outer_stage_is_not_that_of_the_block_nor_the_other_way_round(bench: Bench) -> None:
    made = bench.build(
        "FROM busybox\nENV A=outer\nWORKDIR /w\nUSER 7\nARG G=outer\n"
        'IN /r {\n  FROM busybox\n  RUN echo "${A-unset} ${G-unset} $PWD $(id -u)" >/told\n'
        "  ENV B=block\n  WORKDIR /b\n  USER 8\n  LABEL l=1\n}\n"
        'USER 0\nRUN echo "${B-unset} $A $PWD" >/told\n',
        verb="assemble",
    )
    assert (made.files["r/told"], made.files["told"]) == ("unset unset / 0\n", "unset outer /w\n")
    assert "Labels" not in made.config or not made.config["Labels"]


def test_3_1_arguments_before_the_first_from_are_for_a_blocks_from_too(bench: Bench) -> None:
    text = "ARG BASE=nowhere\nFROM ${BASE}\nIN /r {\n  FROM ${BASE}\n  ARG BASE\n  RUN echo $BASE >/f\n}\nPUBLISH /r\n"
    made = bench.build(text, "--build-arg", "BASE=busybox", verb="assemble")
    assert made.files == {"f": "busybox\n"}


def test_3_1_a_block_of_nothing_begins_empty(bench: Bench) -> None:
    assert assembled(bench, "IN /r {\n  FROM scratch\n}\nRUN ls -A /r >/list && mv /list /r/\n") == {"list": ""}


def test_3_1_a_block_reads_earlier_stages_and_blocks_but_not_its_own(bench: Bench) -> None:
    text = (
        "FROM busybox AS first\nRUN echo 1 >/one\n"
        "FROM busybox AS outer\n"
        "IN /a {\n  FROM scratch AS a\n  COPY --from=0 /one /\n  COPY --from=first /one /two\n}\n"
        "IN /b {\n  FROM scratch\n  COPY --from=a /one /\n}\n"
    )
    found = bench.build(text, verb="assemble").files
    assert found == {"a/one": "1\n", "a/two": "1\n", "b/one": "1\n"}
    own = "FROM busybox AS outer\nRUN echo 1 >/one\nIN /b {\n  FROM scratch\n  COPY --from=outer /one /\n}\n"
    done = bench.fail(own, dockerfile_error("“?outer”? is a stage that begins later"), verb="assemble")
    assert marked(done) == ["COPY --from=outer /one /"]


# Afterwards the outer build goes on and may write into <dir>.


def test_3_2_the_outer_build_goes_on_and_may_write_into_it(bench: Bench) -> None:
    steps = f"{BLOCK}RUN echo outer >/r/both && echo new >/r/new\nCOPY f /r/in/\n"
    assert assembled(bench, steps, f="x") == {"both": "outer\n", "new": "new\n", "in/f": "x"}


# Blocks may nest.


def test_3_3_blocks_nest(bench: Bench) -> None:
    steps = (
        "IN /r {\n  FROM busybox\n  IN /inner {\n    FROM busybox\n    IN /most {\n      FROM scratch\n      COPY f /\n"
        "    }\n    RUN cp /most/f /g\n  }\n  RUN cp /inner/g /h\n}\n"
    )
    found = assembled(bench, steps, f="x")
    assert {name: text for name, text in found.items() if text == "x"} == {
        "inner/most/f": "x",
        "inner/g": "x",
        "h": "x",
    }


def test_3_3_sixteen_deep_and_no_deeper(bench: Bench) -> None:
    def text(depth: int) -> str:
        return "FROM scratch\n" + "IN /d {\nFROM scratch\n" * depth + "COPY f /\n" + "}\n" * depth

    assert bench.build(text(16), verb="assemble", files={"f": "x"}).files == {"d/" * 16 + "f": "x"}
    failure = dockerfile_error("Blocks of IN are nested more than 16 deep", "use stages")
    assert marked(bench.fail(text(17), failure, verb="assemble")) == ["IN /d {"]


# <dir> must be absent or empty before.


@pytest.mark.parametrize(
    ("before", "directory", "file"),
    [
        ("", "/r", "r/f"),
        ("", "/a/b/c", "a/b/c/f"),
        ("RUN mkdir /r && chown 7 /r\n", "/r", "r/f"),
        ("RUN mkdir -p /real && ln -s real /r\n", "/r", "real/f"),
        ("RUN mkdir /r && touch /r/x\nRUN rm /r/x\n", "/r", "r/f"),
        ("RUN mkdir /r && touch /r/x\nRUN rm -r /r\n", "/r", "r/f"),
        ("WORKDIR /w\n", "r", "w/r/f"),
        ("ENV D=/r\n", "$D/s", "r/s/f"),
        ("ARG D=/r\n", '"${D}"', "r/f"),
    ],
)
def test_3_4_absent_or_empty_is_filled(bench: Bench, before: str, directory: str, file: str) -> None:
    found = assembled(bench, f"{before}IN {directory} {{\n  FROM scratch\n  COPY f /\n}}\n", "", f="x")
    assert found == {file: "x"}


@pytest.mark.parametrize(
    ("before", "directory", "there"),
    [
        ("RUN mkdir /r && touch /r/x /r/y\n", "/r", "/r of IN must be absent or empty .* there is: /r/x, /r/y"),
        ("RUN mkdir /r && touch /r/x\nWORKDIR /r\n", ".", "/r of IN .* there is: /r/x"),
        ("RUN mkdir /a && touch /a/x && ln -s a /r\n", "/r", "/a of IN .* there is: /a/x"),
        ("RUN touch /r\n", "/r", "/r of IN .* there is: /r"),
        ("IN /r {\n  FROM busybox\n}\n", "/r", "/r of IN .* there is: /r/bin"),
        ("IN /r/s {\n  FROM busybox\n}\n", "/r", "/r of IN .* there is: /r/s"),
        ("", "/etc", "/etc of IN .* there is: /etc/group"),
        ("", "/", "/ of IN .* there is: /bin"),
    ],
)
def test_3_4_what_is_occupied_is_refused(bench: Bench, before: str, directory: str, there: str) -> None:
    text = f"FROM busybox\n{before}IN {directory} {{\n  FROM scratch\n  COPY f /\n}}\n"
    done = bench.fail(text, dockerfile_error(there, "another directory"), verb="assemble", files={"f": "x"})
    assert marked(done) == [f"IN {directory} {{"]


# PUBLISH: that subtree becomes the root of the image, everything outside it is dropped.


@pytest.mark.parametrize("directory", ["/r", "/r/", "/s/../r", "//r", '"/r"', "/link", "/l/r"])
def test_3_5_that_subtree_becomes_the_root_and_all_else_is_dropped(bench: Bench, directory: str) -> None:
    steps = "RUN mkdir -p /r/sub && echo x >/r/sub/f && echo lost >/lost && ln -s r /link && ln -s / /l\n"
    assert assembled(bench, steps, f"PUBLISH {directory}\n") == {"sub/f": "x\n"}


def test_3_5_its_config_is_that_of_the_in_block_anchored_there(bench: Bench) -> None:
    steps = (
        'IN {0} {{\n  FROM busybox\n  ENV B=1\n  CMD ["/block"]\n  LABEL l=1\n  USER 7\n}}\n'
        'ENV O=1\nCMD ["/outer"]\nEXPOSE 80\n'
    )
    text = f"FROM busybox\n{steps}PUBLISH {{1}}\n"
    for written, published in (("/r", "/r"), ("/r/", "/r"), ("/r", "/r/"), ("/x/../r", "/r"), ('"/r"', "//r")):
        config = bench.build(text.format(written, published), verb="assemble").config
        assert (config["Cmd"], config["Labels"], config["User"]) == (["/block"], {"l": "1"}, "7")
        assert ("B=1" in config["Env"], "O=1" in config["Env"]) == (True, False)
        assert "ExposedPorts" not in config or not config["ExposedPorts"]


@pytest.mark.parametrize("directory", ["/", "/r", "/r/etc"])
def test_3_5_else_the_config_is_empty(bench: Bench, directory: str) -> None:
    """Whatever the outer stage has, and a block of another directory."""
    steps = 'ENV A=1\nCMD ["x"]\nIN /r/b {\n  FROM busybox\n  ENV B=1\n}\nRUN mkdir /r/etc\n'
    text = f"FROM busybox\n{steps}PUBLISH {directory}\n"
    empty = bench.build("FROM scratch\nCOPY Dockerfile /\n", verb="assemble").config
    assert bench.build(text, verb="assemble").config == empty


def test_3_5_publish_of_the_root_keeps_the_files_and_drops_the_config(bench: Bench) -> None:
    assert assembled(bench, "RUN echo x >/f\n", "PUBLISH /\n") == {"f": "x\n"}


def test_3_5_a_build_may_follow_and_takes_the_published_root(bench: Bench) -> None:
    text = f"FROM busybox\n{BLOCK}PUBLISH /r\nBUILD /in\nFROM scratch\nCOPY . /\n"
    assert bench.build(text).files == {"f": "in\n"}


def test_3_5_a_stage_behind_it_sees_the_published_image(bench: Bench) -> None:
    text = f"FROM busybox AS a\n{BLOCK}PUBLISH /r\nFROM scratch\nCOPY --from=a /in/f /\nCOPY --from=0 /both /\n"
    assert bench.build(text, verb="assemble").files == {"f": "in\n", "both": "block\n"}


# Base layers of an untouched IN base stay shared.


def test_3_6_the_layers_of_the_block_stay_and_only_the_last_is_of_the_outer_build(bench: Bench) -> None:
    base = bench.build("FROM busybox\n", verb="assemble").layers
    plain = bench.build("FROM busybox\nIN /r {\n  FROM busybox\n}\nRUN echo x >/r/f\nPUBLISH /r\n", verb="assemble")
    assert plain.layers[:-1] == base
    assert len(plain.layers) == len(base) + 1
    block = bench.build("FROM busybox\nRUN mkdir /in && echo in >/in/f && echo block >/both\n", verb="assemble")
    made = bench.build(f"FROM busybox\n{BLOCK}RUN echo outer >/r/both\nPUBLISH /r\n", "-t", "roots", verb="assemble")
    (facts,) = json.loads(bench.program.succeed("inspect", "roots").stdout)
    history = bench.program.succeed("history", "--no-trunc", "roots").stdout.decode()
    bench.program.succeed("rm", "roots")
    assert made.layers[: len(base)] == block.layers[: len(base)] == base
    assert len(made.layers) == len(block.layers) + 1
    assert facts["RootFS"]["Layers"] == made.layers
    assert "RUN mkdir /in" in history.replace("/bin/sh -c ", "")


# One PUBLISH; a missing path is an error.


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("PUBLISH /a\nFROM busybox\nPUBLISH /b\n", "There is more than one PUBLISH", "PUBLISH /b"),
        ("PUBLISH /a\nPUBLISH /a\n", "PUBLISH is not the last instruction|more than one", "PUBLISH /a"),
        ("PUBLISH /a\nRUN true\n", "PUBLISH is not the last instruction of its stage", "PUBLISH /a"),
        ("PUBLISH a\n", "the absolute path of one directory, not “a”", "PUBLISH a"),
        ("ENV A=/a\nPUBLISH $A\n", "the absolute path of one directory, not “\\$A”", "PUBLISH $A"),
        ("PUBLISH /a*\n", "the absolute path of one directory, not “/a\\*”", "PUBLISH /a*"),
        ('PUBLISH "/a\n', "the absolute path of one directory", 'PUBLISH "/a'),
        ("PUBLISH /a /b\n", "PUBLISH takes one directory", "PUBLISH /a /b"),
        ("PUBLISH\n", "PUBLISH needs an argument", "PUBLISH"),
        ("BUILD /a\nPUBLISH /a\n", "PUBLISH stands before FROM", "PUBLISH /a"),
        ("ENV A=/a\nIN $A {\n  FROM busybox\n}\nPUBLISH /a\n", "IN takes an absolute path without", "IN $A {"),
        ("IN a {\n  FROM busybox\n}\nPUBLISH /a\n", "IN takes an absolute path without variables", "IN a {"),
    ],
)
def test_3_7_one_publish_at_the_end_of_its_stage_with_an_absolute_path(
    bench: Bench, text: str, message: str, line: str
) -> None:
    done = bench.fail(f"FROM busybox\n{text}", dockerfile_error(message), verb="assemble")
    assert marked(done)[0] == line


@pytest.mark.parametrize(
    ("steps", "directory", "message"),
    [
        ("", "/none", "PUBLISH takes a directory, and /none is not there in the image; in / there is: bin/"),
        ("", "/etc/none/x", "/etc/none/x is not there in the image; in /etc there is: group, passwd"),
        ("", "/etc/passwd", "/etc/passwd is a file in the image"),
        ("RUN ln -s nowhere /l\n", "/l", "/nowhere is not there in the image"),
        (f"{BLOCK}RUN rm -r /r\n", "/r", "/r is not there in the image"),
    ],
)
def test_3_7_a_path_that_is_no_directory_is_an_error(bench: Bench, steps: str, directory: str, message: str) -> None:
    text = f"FROM busybox\n{steps}PUBLISH {directory}\n"
    done = bench.fail(text, context_error(message, "make it in a RUN"), verb="assemble")
    assert marked(done) == [f"PUBLISH {directory}"]


# Owners are kept by a copy from a stage.


def test_3_8_owners_and_modes_are_kept(bench: Bench) -> None:
    steps = (
        "IN /r {\n  FROM busybox\n"
        "  RUN touch /f && chown 7:8 /f && chmod 4750 /f && mkdir -m 1777 /d && chown 3 /d\n}\n"
        "RUN touch /r/g && chown 9:9 /r/g\n"
    )
    made = bench.build(f"FROM busybox\n{steps}PUBLISH /r\n", verb="assemble")
    assert (made.owner("f"), made.owner("d"), made.owner("g")) == ((7, 8), (3, 0), (9, 9))
    assert (made.entries["f"].mode, made.entries["d"].mode) == (0o4750, 0o1777)


# What the outer build deleted under <dir> is gone exactly.


def test_3_9_what_the_outer_build_deleted_is_gone(bench: Bench) -> None:
    """A file, a directory, a directory that was made anew, a file that became a directory, one that only moved."""
    steps = (
        "IN /r {\n  FROM busybox\n  RUN mkdir /gone /anew && touch /gone/x /anew/old /file /becomes /moved /kept\n}\n"
        "RUN cd /r && rm -r file gone && rm -r anew && mkdir anew && touch anew/new && mv moved other"
        " && rm becomes && mkdir becomes && touch becomes/f && rm -r bin usr\n"
    )
    made = bench.build(f"FROM busybox\n{steps}PUBLISH /r\n", verb="assemble")
    assert made.files.keys() == {"anew/new", "other", "becomes/f", "kept"}
    assert not [name for name in made.entries if name.startswith(("bin", "usr", "gone", "file"))]


def test_3_9_a_deletion_before_the_block_or_inside_it_is_no_matter(bench: Bench) -> None:
    steps = "RUN rm -r /home\nIN /r {\n  FROM busybox\n  RUN rm -r /home /usr /bin/true\n}\n"
    made = bench.build(f"FROM busybox\n{steps}PUBLISH /r\n", verb="assemble")
    assert not [name for name in made.entries if name.startswith(("home", "usr")) or name == "bin/true"]


# How the block is rewritten is in tests/unit/dockerfile/test_nested.py; here: the names that come of it.


def test_3_10_a_blocks_name_is_its_own(bench: Bench) -> None:
    for text in (
        "FROM busybox AS x\nFROM busybox\nIN /r {\n  FROM busybox AS X\n}\n",
        "FROM busybox\nIN /r {\n  FROM busybox AS x\n}\nIN /s {\n  FROM busybox AS x\n}\n",
        "FROM busybox\nIN /r {\n  FROM busybox AS x\n  IN /s {\n    FROM busybox AS x\n  }\n}\n",
        "FROM busybox AS x\nIN /r {\n  FROM busybox AS x\n}\n",
    ):
        failure = dockerfile_error("“x” is the name of another stage as well", "a name of its own")
        assert marked(bench.fail(text, failure, verb="assemble"))[0].lower() == "from busybox as x"


def test_3_10_blocks_are_cached_like_stages(bench: Bench) -> None:
    text = f"FROM busybox\n{BLOCK}RUN echo {bench.folder} >/r/new\nPUBLISH /r\n"
    first = bench.build(text, verb="assemble")
    again = bench.build(text, verb="assemble")
    assert "Everything was cached" in again.said
    assert again.document == first.document
