"""BUILD: the pipe inside a Dockerfile (part 2 of the rules; docs/nested.md, "BUILD").  The numbers are the rules'."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.program import Failure
from nested.bench import AS_IS, Bench, context_error, dockerfile_error, marked, of_directory

# 2.1: Everything before it is one level; its image is the builder.


def test_2_1_all_stages_before_it_are_one_level_and_the_last_is_the_builder(bench: Bench) -> None:
    made = bench.build(
        "FROM busybox AS one\nRUN mkdir /o && echo 1 >/o/one\n"
        "FROM busybox AS two\nCOPY --from=one /o /o\nRUN echo 2 >/o/two\nBUILD /o\n" + AS_IS
    )
    assert made.files == {"one": "1\n", "two": "2\n"}


@pytest.mark.parametrize(
    ("steps", "build"),
    [
        ("RUN mkdir -p /o && echo x >/o/f\n", "BUILD /o\n"),
        ("RUN mkdir -p /o && echo x >/o/f\n", "BUILD /o/\n"),
        ("RUN mkdir -p /o && echo x >/o/f\n", "BUILD /p/.././o\n"),
        ("RUN mkdir -p /o && echo x >/o/f\nENV DIR=/o\n", "BUILD $DIR\n"),
        ("RUN mkdir -p /o && echo x >/o/f\nARG DIR=/o\n", "BUILD ${DIR}\n"),
        ("RUN mkdir -p /o && echo x >/o/f\nARG DIR=/no\nENV DIR=/o\n", "BUILD $DIR\n"),
        ("RUN mkdir -p /o && echo x >/o/f\nENV DIR=/no\nARG DIR=/o\n", "BUILD $DIR\n"),
        ("RUN mkdir -p /o && echo x >/o/f\nARG GIVEN\n", "BUILD /${GIVEN#x}\n"),
        ("RUN mkdir -p /o && echo x >/o/f\n", "BUILD ${NONE:-/o}\n"),
        ('RUN mkdir -p "/o p" && echo x >"/o p/f"\nENV DIR="/o p"\n', "BUILD $DIR\n"),
        ("RUN mkdir -p /- && echo x >/-/f\nWORKDIR /\n", "BUILD ./-\n"),
        ("WORKDIR /w\nRUN mkdir o && echo x >o/f\n", "BUILD o\n"),
        ("WORKDIR /w\nRUN echo x >f\n", "BUILD .\n"),
        ("RUN mkdir /o && echo x >/o/f\nWORKDIR /w\n", "BUILD ../o\n"),
    ],
)
def test_2_1_that_directory_is_the_context_variables_expand_and_workdir_counts(
    bench: Bench, steps: str, build: str
) -> None:
    """Nothing is run for it: the image has no command that would emit."""
    made = bench.build(of_directory(f"{steps}CMD false\n", build), "--build-arg", "GIVEN=xo")
    assert made.files == {"f": "x\n"}


def test_2_1_a_variable_of_the_base_image_counts_too(bench: Bench) -> None:
    bench.build("FROM busybox\nRUN mkdir /o && echo x >/o/f\nENV DIR=/o\n", "-t", "with-dir", verb="assemble")
    made = bench.build("FROM with-dir\nBUILD $DIR\n" + AS_IS)
    bench.program.succeed("rm", "with-dir")
    assert made.files == {"f": "x\n"}


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("RUN mkdir /real && echo x >/real/f && ln -s /real /o\n", {"f": "x\n"}),
        ("RUN mkdir /real && echo x >/real/f && ln -s real /o\n", {"f": "x\n"}),
        ("RUN mkdir /real && echo x >/real/f && ln -s ../../../real /o\n", {"f": "x\n"}),
        ("RUN mkdir -p /a/o && echo x >/a/o/f && ln -s a/b /o && ln -s o /a/b\n", {"f": "x\n"}),
        ("RUN mkdir /o\n", {}),
        ("RUN mkdir /o && echo x >/o/f\nRUN rm /o/f && echo y >/o/g\n", {"g": "y\n"}),
        ("RUN mkdir /o && echo x >/o/f\nRUN rm -r /o && mkdir /o && echo y >/o/g\n", {"g": "y\n"}),
    ],
    ids=["link", "relative link", "link above the root", "link to a link", "empty", "a file gone", "made anew"],
)
def test_2_1_it_is_a_directory_of_the_image_after_following_links_inside_it(
    bench: Bench, steps: str, found: dict[str, str]
) -> None:
    assert bench.build(of_directory(steps)).files == found


def test_2_1_it_may_lie_in_a_layer_of_the_base(bench: Bench) -> None:
    made = bench.build(of_directory("", "BUILD /etc\n"))
    assert {"passwd", "group"} <= made.contents.keys()


@pytest.mark.parametrize(
    ("steps", "build", "refused"),
    [
        ("", "BUILD /", "/"),
        ("", "BUILD /..", "/"),
        ("WORKDIR /\n", "BUILD .", "/"),
        ("", "BUILD /proc", "/proc"),
        ("", "BUILD /proc/sys", "/proc/sys"),
        ("", "BUILD /sys/", "/sys"),
        ("ENV D=dev\n", "BUILD /$D", "/dev"),
        ("RUN ln -s / /o\n", "BUILD /o", "/"),
        ("RUN ln -s ../proc /o\n", "BUILD /o/sys", "/proc/sys"),
        ("RUN mkdir /a && ln -s ../o /a/b && ln -s dev /o\n", "BUILD /a/b", "/dev"),
    ],
)
def test_2_1_the_root_and_what_the_kernel_fills_are_refused_after_following_links_too(
    bench: Bench, steps: str, build: str, refused: str
) -> None:
    failure = dockerfile_error(rf"BUILD can't take {refused} as a context", "directory that the build has filled")
    assert marked(bench.fail(of_directory(steps, f"{build}\n"), failure)) == [build]


@pytest.mark.parametrize(
    ("steps", "build", "message"),
    [
        ("", "BUILD /o", "/o is not there in the image; in / there is: bin/, dev/, etc/"),
        ("", "BUILD /etc/x/y", "/etc/x/y is not there in the image; in /etc there is: group, passwd"),
        ("RUN mkdir /o && touch /o/f\nRUN rm -r /o\n", "BUILD /o", "/o is not there in the image"),
        ("", "BUILD /etc/passwd", "/etc/passwd is a file in the image"),
        ("RUN ln -s etc/passwd /o\n", "BUILD /o", "/etc/passwd is a file in the image"),
        ("RUN ln -s nowhere /o\n", "BUILD /o", "/nowhere is not there"),
        ("RUN mkfifo /o\n", "BUILD /o", "/o is a fifo in the image"),
        ("RUN ln -s b /a && ln -s a /b\n", "BUILD /a", "too many|loop|links"),
    ],
)
def test_2_1_what_is_no_directory_is_told_with_what_is_there(
    bench: Bench, steps: str, build: str, message: str
) -> None:
    assert build in marked(bench.fail(of_directory(steps, f"{build}\n"), context_error(message)))


@pytest.mark.parametrize(("word", "what"), [("$D", "directory"), ("/etc $D", "Dockerfile"), ("${D:-}", "directory")])
def test_2_1_a_variable_without_a_value_is_no_directory(bench: Bench, word: str, what: str) -> None:
    failure = dockerfile_error(rf"BUILD names no {what}: “\$.*” is empty", "--build-arg NAME=value")
    assert marked(bench.fail(f"FROM busybox\nWORKDIR /w\nBUILD {word}\n", failure)) == [f"BUILD {word}"]


def test_2_1_build_dash_runs_the_image_and_its_stdout_is_the_context_by_the_rules_of_the_pipe(bench: Bench) -> None:
    steps = "RUN mkdir /o && echo x >/o/f\n"
    assert bench.build(of_directory(f"{steps}CMD tar -cC /o .\n", "BUILD -\n")).files == {"f": "x\n"}
    bench.fail(of_directory(f"{steps}CMD tar -cC /o .; exit 3\n", "BUILD -\n"), Failure(1, "builder-failed", "code 3"))
    bench.fail(of_directory("CMD echo hello\n", "BUILD -\n"), Failure(4, "stream", "is not a tar archive .*“hello”"))


# 2.2: The next level's Dockerfile: the argument, else the instructions that follow, else <context>/Dockerfile.


def test_2_2_the_argument_is_looked_up_in_the_new_context(bench: Bench) -> None:
    steps = "RUN mkdir -p /o/d && printf 'FROM scratch\\nCOPY f /named\\n' >/o/d/Run && echo x >/o/f\n"
    made = bench.build(of_directory(steps, "BUILD /o d/Run\n", ""), files={"Run": "FROM nowhere"})
    assert made.files == {"named": "x\n"}
    bench.fail(
        of_directory("RUN mkdir /o\n", "BUILD /o Run\n", ""),
        context_error("The directory /o that level 0 has built has no Run at its top; there is: nothing"),
        files={"Run": "FROM scratch"},
    )


def test_2_2_the_argument_expands_too(bench: Bench) -> None:
    steps = "ARG NAME=Run\nRUN mkdir /o && printf 'FROM scratch\\nCOPY . /\\n' >/o/Run\n"
    assert bench.build(of_directory(steps, "BUILD /o $NAME\n", "")).files.keys() == {"Run"}


def test_2_2_instructions_that_follow_count_more_than_a_dockerfile_in_the_context(bench: Bench) -> None:
    made = bench.build(of_directory("RUN mkdir /o && echo FROM nowhere >/o/Dockerfile\n"))
    assert made.files == {"Dockerfile": "FROM nowhere\n"}


def test_2_2_else_the_dockerfile_of_the_context_which_the_build_may_have_written(bench: Bench) -> None:
    steps = (
        "ARG NAMES\nRUN mkdir /o && cd /o && echo FROM scratch >Dockerfile"
        ' && for name in $NAMES; do echo $name >$name; echo "COPY $name /made/" >>Dockerfile; done\n'
    )
    made = bench.build(of_directory(steps, last=""), "--build-arg", "NAMES=a b")
    assert made.files == {"made/a": "a\n", "made/b": "b\n"}


def test_2_2_the_dockerfile_may_be_a_link_inside_the_context_but_not_out_of_it(bench: Bench) -> None:
    make = "RUN mkdir -p /o/d && printf 'FROM scratch\\nCOPY d /\\n' | tee /o/d/Run >/Run"
    assert bench.build(of_directory(f"{make} && ln -s d/Run /o/Dockerfile\n", last="")).files.keys() == {"Run"}
    bench.fail(
        of_directory(f"{make} && ln -s ../Run /o/Dockerfile && rm -r /o/d\n", last=""),
        context_error("has no Dockerfile at its top; there is: Dockerfile"),
    )


def test_2_2_an_argument_and_instructions_together_are_an_error(bench: Bench) -> None:
    done = bench.fail(
        of_directory("", "BUILD /o Run\n"),
        dockerfile_error("BUILD names the Dockerfile Run, and instructions follow it as well", "leave one of the two"),
    )
    assert marked(done) == ["BUILD /o Run"]


def test_2_2_none_of_the_three_is_an_error_that_names_the_directory_and_lists_its_top(bench: Bench) -> None:
    failure = context_error(
        "The directory /o that level 0 has built has no Dockerfile at its top; there is: a, b/", "write it there in a"
    )
    assert marked(bench.fail(of_directory("RUN mkdir -p /o/b && touch /o/a\n", last=""), failure)) == ["BUILD /o"]


# 2.3: The new level sees only its context, filtered by <context>/.dockerignore.


@pytest.mark.parametrize("wanted", ["source", "outside", "../outside", "/o/f", "link"])
def test_2_3_the_new_level_sees_only_its_context(bench: Bench, wanted: str) -> None:
    """Neither the files of the level before, nor those of the image around the directory, nor by a link."""
    steps = "COPY . /src\nRUN mkdir /o && touch /outside /o/f && ln -s ../outside /o/link\n"
    failure = context_error(f"“/?{wanted}” is not in the directory /?o of the image")
    done = bench.fail(of_directory(steps, last=f"FROM scratch\nCOPY {wanted} /\n"), failure, files={"source": ""})
    assert marked(done) == [f"COPY {wanted} /"]


IGNORED = "RUN mkdir -p /o/sub && cd /o && touch kept a.log b.log sub/c.log && printf '**/*.log\\n' >.dockerignore\n"


@pytest.mark.parametrize("build", ["BUILD /o", "BUILD -"])
def test_2_3_it_is_filtered_by_its_ignore_file_with_a_count(bench: Bench, build: str) -> None:
    made = bench.build(of_directory(f"{IGNORED}CMD tar -cC /o .\n", f"{build}\n"))
    assert made.files.keys() == {"kept", ".dockerignore"}
    origin = "directory /o that level 0 has built" if build == "BUILD /o" else "context that the builder emitted"
    assert f".dockerignore left 3 entries out of the {origin}." in made.said


def test_2_3_the_ignore_file_beside_a_named_dockerfile_counts_more(bench: Bench) -> None:
    steps = f"{IGNORED}RUN cd /o && printf 'FROM scratch\\nCOPY . /\\n' >Run && echo kept >Run.dockerignore\n"
    made = bench.build(of_directory(steps, "BUILD /o Run\n", ""))
    assert made.files.keys() == {"Run", "Run.dockerignore", ".dockerignore", "a.log", "b.log", "sub/c.log"}
    assert "Run.dockerignore left 1 entry out of the directory /o" in made.said


@pytest.mark.parametrize("build", ["BUILD /o", "BUILD /o Run", "BUILD -"])
def test_2_3_the_dockerfile_and_the_ignore_file_are_found_even_if_ignored(bench: Bench, build: str) -> None:
    name = "Run" if build.endswith("Run") else "Dockerfile"
    make = "RUN mkdir /o && cd /o && touch f && printf 'FROM scratch\\nCOPY . /\\n'"
    steps = f"{make} >{name} && echo '*' >.dockerignore\n"
    assert bench.build(of_directory(f"{steps}CMD tar -cC /o .\n", f"{build}\n", "")).files == {}


@pytest.mark.parametrize("build", ["BUILD /o", "BUILD -"])
def test_2_3_copy_makes_owners_root_unless_chown(bench: Bench, build: str) -> None:
    steps = "RUN mkdir /o && touch /o/f && chmod 640 /o/f && chown 7:8 /o/f\nCMD tar -cC /o .\n"
    made = bench.build(of_directory(steps, f"{build}\n", "FROM scratch\nCOPY f /\nCOPY --chown=3:4 f /owned\n"))
    assert (made.owner("f"), made.owner("owned")) == ((0, 0), (3, 4))
    assert made.entries["f"].mode == 0o640


# 2.4: All stage state starts empty; build arguments are seen where declared.


STATE = """\
ENV A=1
WORKDIR /w
USER 7
ENTRYPOINT ["/e"]
CMD ["/c"]
EXPOSE 80
VOLUME /v
ONBUILD RUN exit 9
LABEL l=1
SHELL ["/bin/busybox", "ash", "-c"]
STOPSIGNAL SIGKILL
HEALTHCHECK CMD true
"""


@pytest.mark.parametrize("build", ["BUILD /o", "BUILD -"])
def test_2_4_all_stage_state_starts_empty(bench: Bench, build: str) -> None:
    """The same instructions leave the same config whether or not a level with every kind of state is before them."""
    command = 'ENTRYPOINT ["tar", "-cC", "/o", "."]\nCMD []\nUSER 0\n' if build == "BUILD -" else ""
    first = f"FROM busybox\nRUN mkdir /o && touch /o/f\n{STATE}{command}{build}\n"
    last = "FROM scratch\nCOPY f /\n"
    nested = bench.build(first + last)
    (bench.source / "f").touch()
    alone = bench.build(last, verb="assemble")
    assert nested.config == alone.config
    assert not {"Env", "User", "Entrypoint", "Cmd", "ExposedPorts", "Volumes", "OnBuild", "Labels", "Shell"} & {
        name for name, value in nested.config.items() if value and name != "Env"
    }
    assert "A=1" not in nested.config.get("Env", [])
    # And in the steps: the shell is the default one, the user root, the directory the root, the variable unset.
    steps = bench.build(f'{first}FROM busybox\nRUN echo "$0 $(id -u) $PWD ${{A-unset}}" >/told\n')
    assert steps.contents["told"] == "/bin/sh 0 / unset\n"


def test_2_4_build_arguments_are_seen_where_declared(bench: Bench) -> None:
    """Declared before FROM or in a stage, in each level by itself; an undeclared one is nowhere."""
    made = bench.build(
        "ARG G=default\nFROM busybox\nARG G\nARG S\nARG D=0\nRUN mkdir /o && echo $G$S$D >/o/zero\nBUILD /o\n"
        'FROM busybox\nCOPY . /o/\nARG G\nRUN echo "${G-unset} ${S-unset} ${D-unset}" >/o/one\nBUILD /o\n'
        'ARG G=2\nFROM busybox AS last\nARG G\nARG S\nRUN echo "$G $S" >/two\nFROM scratch\nCOPY . /\n'
        "COPY --from=last /two /\n",
        *("--build-arg", "S=s"),
    )
    assert made.files == {"zero": "defaults0\n", "one": "unset unset unset\n", "two": "2 s\n"}


def test_2_4_a_variable_of_an_earlier_level_is_none_in_a_from(bench: Bench) -> None:
    failure = dockerfile_error(r"FROM “\$\{B\}” names no image", "an ARG before the first FROM")
    done = bench.fail("ARG B=busybox\nFROM $B\nRUN mkdir /o\nBUILD /o\nFROM ${B}\n", failure)
    assert (marked(done), "Dockerfile:5" in done.errors) == (["FROM ${B}"], True)


# 2.5: A nested Dockerfile may contain BUILD again: recursion, with a depth limit and a cycle check.


def tower(levels: int) -> str:
    """A Dockerfile of so many levels that are written; each adds a line to a file."""
    step = "FROM busybox\nCOPY . /o/\nRUN echo level >>/o/f\nBUILD /o\n"
    return step * (levels - 1) + AS_IS


def countdown(levels: int) -> str:
    """A Dockerfile whose level writes the next level's, so many levels in all."""
    script = (
        "mkdir /o && cp /o.in/* /o/ && n=$(cat /o/n) && echo $((n - 1)) >/o/n"
        " && if test $n = 1; then printf 'FROM scratch\\nCOPY . /\\n' >/o/Dockerfile; fi"
    )
    return f"FROM busybox\nCOPY . /o.in/\nRUN {script}\nBUILD /o\n" if levels else ""


@pytest.mark.parametrize("write", [tower, countdown])
@pytest.mark.parametrize("limit", [8, 3])
def test_2_5_a_chain_of_as_many_levels_as_are_allowed_is_built(
    bench: Bench, write: Callable[[int], str], limit: int
) -> None:
    options = () if limit == 8 else ("--max-depth", str(limit))
    if write is tower:
        assert bench.build(tower(limit), *options).files["f"] == "level\n" * (limit - 1)
    else:
        made = bench.build(countdown(limit), *options, files={"n": str(limit - 1)})
        assert made.files["n"] == "0\n"


@pytest.mark.parametrize("write", [tower, countdown])
@pytest.mark.parametrize("limit", [8, 3])
def test_2_5_one_more_is_not(bench: Bench, write: Callable[[int], str], limit: int) -> None:
    options = () if limit == 8 else ("--max-depth", str(limit))
    text = tower(limit + 1) if write is tower else countdown(limit + 1)
    failure = dockerfile_error(f"The chain has more than {limit} levels", "--max-depth N")
    done = bench.fail(text, failure, *options, files={"n": str(limit)})
    assert marked(done) == ["BUILD /o"]
    if write is tower:  # what is written too deep is not begun
        assert "#1 " not in done.errors


def test_2_5_a_chain_of_one_level_builds_what_has_no_builder(bench: Bench) -> None:
    bench.build("FROM scratch\nCOPY Dockerfile /\n", "--max-depth", "1", verb="assemble")
    failure = dockerfile_error("The chain has more than 1 level\\.", "--max-depth N")
    bench.fail("FROM busybox\nCMD tar -cC / etc\n", failure, "--max-depth", "1")


@pytest.mark.parametrize("build", ["BUILD /o", "BUILD -"])
def test_2_5_a_level_that_was_there_before_is_a_circle(bench: Bench, build: str) -> None:
    """The same Dockerfile and the same files; the build arguments are the same for all levels."""
    failure = dockerfile_error("goes round in a circle: level 2 has the Dockerfile and the files of level 1", "else")
    text = f"FROM busybox\nCOPY Dockerfile /o/\nCMD tar -cC /o .\n{build}\n"
    done = bench.fail(text, failure, "--max-depth", "100")
    assert marked(done) == [build]


TEMPLATE = """\
FROM busybox
ARG LEFT=@LEFT@
COPY . /o/
RUN cd /o && if test $LEFT = 0; then printf 'FROM scratch\\nCOPY template /\\n'; \\
 else sed s/@[L]EFT@/$((LEFT - 1))/ template; fi >Dockerfile
BUILD /o
"""


def test_2_5_another_dockerfile_with_the_same_files_is_no_circle(bench: Bench) -> None:
    """That other files with the same Dockerfile are none, ``countdown`` shows."""
    files = {"template": TEMPLATE, "__dockerignore": "Dockerfile\n"}
    made = bench.build(TEMPLATE.replace("@LEFT@", "3"), files=files)
    assert made.files == {"template": TEMPLATE}
    # An argument that all levels get makes them one and the same.
    failure = dockerfile_error("goes round in a circle: level 2 has the Dockerfile and the files of level 1")
    bench.fail("", failure, "--build-arg", "LEFT=3")
