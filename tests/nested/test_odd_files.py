"""BUILD, IN and PUBLISH in strange places: what is built of them, or the line that is marked and what is said."""

from __future__ import annotations

import pytest

from nested.bench import Bench, context_error, dockerfile_error, marked

FILLED = "FROM busybox\nRUN mkdir /o && touch /o/f\n"
COPIED = "FROM scratch\nCOPY f /\n"

# The file, how many levels it has, and the files of its image.
BUILT = {
    "words of a here-document of RUN": (
        """\
FROM busybox
RUN <<E
cat >/f <<F
BUILD /x
IN /a {
PUBLISH /y
}
F
E
RUN mkdir /o && mv /f /o/
BUILD /o
FROM scratch
COPY f /
""", 2, {"f": "BUILD /x\nIN /a {\nPUBLISH /y\n}\n"},
    ),
    "words of a here-document of COPY, in a block": (
        """\
FROM busybox
IN /r {
  FROM scratch
  COPY <<E /f
BUILD /x
}
E
}
PUBLISH /r
""", 1, {"f": "BUILD /x\n}\n"},
    ),
    "continuation lines and comments between them": (
        """\
FROM busybox
RUN mkdir /o && touch /o/f
BUILD \\
# a comment
  /o
FROM busybox
IN \\
 /r \\
 {
 FROM scratch
 # IN /x {
 COPY f \\
  /g
 # }
}
PUBLISH \\
 /r
""", 2, {"g": ""},
    ),
    "another escape character": (
        """\
# escape=`
FROM busybox
RUN mkdir /o `
 && touch /o/f
BUILD `
 /o
FROM busybox
IN /r {
FROM scratch
COPY f `
 /g
}
PUBLISH /r
""", 2, {"g": ""},
    ),
    "a comment behind BUILD that looks like a directive": (
        f"{FILLED}BUILD /o\n# escape=`\nFROM scratch\nCOPY f \\\n /g\n", 2, {"g": ""}
    ),
    "a directive above and its like behind BUILD": (
        f"# escape=`\n{FILLED}BUILD /o\n# escape=\\\nFROM scratch\nCOPY f `\n /g\n", 2, {"g": ""}
    ),
    "lower case": (
        f"{FILLED}build /o\nfrom busybox\nin /r {{\nfrom scratch\ncopy f /\n}}\npublish /r\n", 2, {"f": ""}
    ),
    "lines that end in CR LF": (
        f"{FILLED}BUILD /o\nFROM busybox\nIN /r {{\nFROM scratch\nCOPY <<E /g\nx\nE\n}}\nPUBLISH /r\n".replace(
            "\n", "\r\n"
        ), 2, {"g": "x\r\n"},
    ),
    "a byte order mark": (f"\ufeff{FILLED}BUILD /o\n{COPIED}", 2, {"f": ""}),
    "no newline at the end": (f"{FILLED}BUILD /o\n{COPIED.rstrip()}", 2, {"f": ""}),
    "blank lines and comments around": (
        f"\n\n# c\n{FILLED}\n# c\nBUILD /o\n\n\n# c\n\n{COPIED}\n# c\n", 2, {"f": ""}
    ),
    "tabs, and blanks behind": (
        "FROM busybox\n\tIN\t/r\t{ \n\t\tFROM scratch\n\t\tCOPY <<E /f\nE\n\t} \nPUBLISH\t/r \n", 1, {"f": ""}
    ),
    "the syntax directive, and checks": (
        f"# syntax=docker/dockerfile:1\n# check=skip=all\n{FILLED}BUILD /o\n{COPIED}", 2, {"f": ""}
    ),
    "words that begin alike": (
        f"{FILLED}ENV BUILD=/o IN=/r PUBLISH=/x\nBUILD $BUILD\n{COPIED}", 2, {"f": ""}
    ),
    "triggers of a block's base": (
        """\
FROM busybox AS base
ONBUILD RUN echo triggered >/f
FROM busybox
IN /r {
FROM base
}
RUN rm -r /r/bin /r/usr /r/etc
PUBLISH /r
""", 1, {"f": "triggered\n"},
    ),
    "the name of a stage that a block would get": (
        """\
FROM busybox AS in-1
RUN echo own >/f
FROM busybox
IN /r {
FROM scratch
COPY --from=in-1 /f /
}
PUBLISH /r
""", 1, {"f": "own\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BUILT)
def test_what_is_built(bench: Bench, case: str) -> None:
    """And ``levels`` counts the levels alike."""
    text, levels, files = BUILT[case]
    assert bench.build(text, verb="assemble").files == files
    shown = bench.program.run("levels", bench.source)
    assert shown.code == 0, shown.errors
    assert [line for line in shown.stdout.decode().splitlines() if line.startswith("level ")] == [
        f"level {number}" for number in range(levels)
    ]


WRONG = {
    "BUILD in a block": ("IN /r {\nFROM busybox\nBUILD /o\n}\n", "BUILD can't stand in a block", "BUILD /o"),
    "BUILD in a block in a block": ("IN /r {\nFROM b\nIN /s {\nFROM b\nBUILD /o\n}\n}\n", "BUILD can't", "BUILD /o"),
    "PUBLISH in a block": ("IN /r {\nFROM busybox\nPUBLISH /o\n}\n", "PUBLISH can't stand in a block", "PUBLISH /o"),
    "ONBUILD BUILD": ("ONBUILD BUILD /o\n", "BUILD can't be a trigger", "ONBUILD BUILD /o"),
    "ONBUILD IN": ("ONBUILD IN /r {\nFROM busybox\n}\n", "IN can't be a trigger", "ONBUILD IN /r {"),
    "ONBUILD PUBLISH": ("ONBUILD PUBLISH /r\n", "PUBLISH can't be a trigger", "ONBUILD PUBLISH /r"),
    "a block that is not closed": ("IN /r {\nFROM busybox\n", "The block of IN is not closed", "IN /r {"),
    "a block closed once too seldom": ("IN /r {\nFROM b\nIN /s {\nFROM b\n}\n", "is not closed", "IN /r {"),
    "a block closed once too often": ("IN /r {\nFROM busybox\n}\n}\n", "This “}” closes no block", "}"),
    "something behind the end": ("IN /r {\nFROM busybox\n} # end\n", "has something behind it", "} # end"),
    "a block in one line": ("IN /r { FROM busybox }\n", "IN takes a directory and a “{”", "IN /r { FROM busybox }"),
    "the brace in the next line": ("IN /r\n{\nFROM busybox\n}\n", "IN takes a directory and a “{”", "IN /r"),
    "the brace without a blank": ("IN /r{\nFROM busybox\n}\n", "IN takes a directory and a “{”", "IN /r{"),
    "a block without FROM": ("IN /r {\nRUN true\n}\n", "has one FROM, and it stands first", "RUN true"),
    "a block with two": ("IN /r {\nFROM busybox\nFROM scratch\n}\n", "has one FROM", "FROM scratch"),
    "ARG in front of a block's FROM": ("IN /r {\nARG A\nFROM $A\n}\n", "has one FROM, and it stands first", "ARG A"),
    "a flag of BUILD": ("BUILD --target=x /o\n", "BUILD has no flag --target", "BUILD --target=x /o"),
    "a flag of IN": ("IN --from=x /r {\nFROM busybox\n}\n", "IN has no flag --from", "IN --from=x /r {"),
    "a flag of PUBLISH": ("PUBLISH --from=x /r\n", "PUBLISH has no flag --from", "PUBLISH --from=x /r"),
    "a list": ('BUILD ["/o", "File"]\n', "no JSON array", 'BUILD ["/o", "File"]'),
    "a name with a blank": ('BUILD "/o o"\n', "words without blanks", 'BUILD "/o o"'),
    "a name with an escaped blank": ("BUILD /o\\ o\n", "words without blanks", "BUILD /o\\ o"),
    "too much": ("BUILD /o File more\n", "BUILD has too many arguments", "BUILD /o File more"),
    "stdout and a Dockerfile": ("BUILD - File\n", "BUILD has too many arguments", "BUILD - File"),
    "an open quote": ('BUILD "/o\n', "quote is not closed", 'BUILD "/o'),
    "BUILD twice": ("BUILD /o\nBUILD /o\n", "BUILD stands before FROM", "BUILD /o"),
    "ARG alone behind BUILD": ("BUILD /o\nARG A\n", "Behind BUILD there is no FROM", "ARG A"),
    "an instruction right behind BUILD": ("BUILD /o\nCOPY a /\n", "COPY stands before FROM", "COPY a /"),
    "a block right behind BUILD": ("BUILD /o\nIN /r {\nFROM busybox\n}\n", "IN stands before FROM", "IN /r {"),
    "a mount by number in a block": (
        "IN /r {\nFROM busybox\nRUN --mount=from=0,target=/m true\n}\n", "can't name a stage by its number",
        "RUN --mount=from=0,target=/m true",
    ),
    "an unknown word in a block": ("IN /r {\nFROM busybox\nBIULD /o\n}\n", "Unknown instruction: BIULD", "BIULD /o"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_and_where(bench: Bench, case: str) -> None:
    """``levels`` says the same, where it can know it."""
    text, message, line = WRONG[case]
    done = bench.fail(f"FROM busybox\n{text}", dockerfile_error(message, "."), verb="assemble")
    assert marked(done)[0] == line
    levels = bench.program.run("levels", bench.source)
    if case != "an open quote":  # it is the build that expands
        dockerfile_error(message, ".").check(levels)
        assert marked(levels) == marked(done)


@pytest.mark.parametrize("first", ["BUILD /o", "IN /r {\nFROM busybox\n}", "PUBLISH /r", "ARG A\nBUILD /o"])
def test_nothing_of_it_stands_before_from(bench: Bench, first: str) -> None:
    bench.fail(f"{first}\nFROM busybox\n", dockerfile_error("stands before FROM", "only ARG"), verb="assemble")


# Errors of a level that was written behind BUILD, or emitted, tell its lines.


@pytest.mark.parametrize(
    ("last", "line", "number"),
    [
        ("FROM scratch\nCOPY none /\n", "COPY none /", 5),
        ("FROM busybox\nENV A=${b^^}\n", "ENV A=${b^^}", 5),
        ("FROM busybox\nRUN exit 3\n", "RUN exit 3", 5),
        ("ARG A=${b^^}\nFROM busybox\n", "ARG A=${b^^}", 4),
        ("FROM busybox\nIN /etc {\nFROM scratch\n}\n", "IN /etc {", 5),
        ("FROM busybox\nIN /r {\nFROM busybox\nRUN exit 3\n}\n", "RUN exit 3", 7),
        ("FROM busybox\nPUBLISH /none\n", "PUBLISH /none", 5),
        ("FROM busybox\nBUILD /none\n", "BUILD /none", 5),
    ],
)
@pytest.mark.parametrize("way", ["written", "in a directory", "emitted"])
def test_errors_tell_the_lines_that_were_written(bench: Bench, last: str, line: str, number: int, way: str) -> None:
    first = "FROM busybox\nCOPY . /o/\n"
    if way == "written":
        bench.write(f"{first}BUILD /o\n{last}")
    else:
        build = "BUILD /o Inner\n" if way == "in a directory" else "RUN mv /o/Inner /o/Dockerfile\nCMD tar -cC /o .\n"
        bench.write(first + build, Inner=last)
        number -= 3
    done = bench.run("build")
    assert done.code in (1, 3, 4), done.errors
    assert marked(done) == [line]
    assert f"{number:4} | >>> " in done.errors
    name = {"written": "Dockerfile", "in a directory": "Inner of", "emitted": "Dockerfile of the context"}[way]
    assert f"\n{name}" in done.errors or f": {name}" in done.errors


def test_a_build_in_a_file_that_runtime_file_names(bench: Bench) -> None:
    files = {"Run": "FROM busybox\nCOPY . /p/\nBUILD /p Last\n", "Last": "FROM scratch\nCOPY f /\n", "f": "x"}
    text = "FROM busybox\nCOPY . /o/\nCMD tar -cC /o .\n"
    assert bench.build(text, "--runtime-file", "Run", files=files).files == {"f": "x"}
    (bench.source / "Run").write_text("FROM busybox\nBUILD /p Last\n")
    done = bench.fail("", context_error("BUILD takes a directory, and /p is not there"), "--runtime-file", "Run")
    assert (marked(done), "Run of the context that the builder emitted:2" in done.errors) == (["BUILD /p Last"], True)


@pytest.mark.parametrize("name", ["Dockerfile", "Other"])
def test_a_dockerfile_that_the_ignore_file_leaves_out_is_read_all_the_same(bench: Bench, name: str) -> None:
    (bench.source / name).write_text("FROM busybox\nCOPY . /o/\nRUN cp /o/n /o/Dockerfile\nBUILD /o\n")
    for file, content in {
        "n": "FROM scratch\nCOPY . /\n",
        ".dockerignore": "Dockerfile\nOther\nn.*\n",
        "n.x": "",
    }.items():
        (bench.source / file).write_text(content)
    made = bench.build(b"", "-f", bench.source / name)
    assert made.files.keys() == {"n", ".dockerignore"}


def test_a_dockerfile_that_nobody_can_have_written(bench: Bench) -> None:
    huge = b"FROM scratch\n" + b"#" * (16 << 20)
    bench.fail(huge, dockerfile_error("is larger than 16 MiB", "COPY takes them from there"), verb="assemble")
    fill = "RUN mkdir /o && head -c 17000000 /dev/zero >/o/Dockerfile"
    done = bench.fail(f"FROM busybox\n{fill}\nBUILD /o\n", context_error("Dockerfile .*larger than 16"))
    assert marked(done) == ["BUILD /o"]
