"""Lines, directives, continuations, flags and here-documents."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.parser import Node, excerpt, parse, parse_bytes
from dockerception.errors import DockerfileError


def only(source: str) -> Node:
    document = parse(source)
    assert len(document.nodes) == 1, document.nodes
    return document.nodes[0]


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ("RUN a", "a"),
        ("  run   a  b  ", "a  b"),
        ("RUN\ta", "a"),
        ("RUN a \\\n  b", "a   b"),
        ("RUN a\\\nb", "ab"),
        ("RUN a \\  \t\n b", "a  b"),
        ("RUN a \\\n# comment\n  # another\n b", "a  b"),
        ("RUN a \\\n\n   \n b", "a  b"),
        ("RUN a # b", "a # b"),
        ("RUN a\\\\\n", "a\\\\"),
        ("RUN a \\", "a"),
        ("RUN a \\\n# the end", "a"),
        ("RUN \\\n\\\na", "a"),
        ("RUN a\r\n", "a"),
        ("RUN a \\\r\n b\r\n", "a  b"),
        ("\ufeffRUN a", "a"),
        ("\\\nRUN a", "a"),
        ("# escape=`\nRUN c:\\ `\n b", "c:\\  b"),
        ("  # ESCAPE = ` \nRUN a `\n b", "a  b"),
        ("RUN -- --flag", "--flag"),
        ("RUN é\u00a0b\u00a0", "é\u00a0b"),
    ],
)
def test_rest_of_the_line(source: str, rest: str) -> None:
    node = only(source)
    assert (node.keyword, node.rest) == ("RUN", rest)


@pytest.mark.parametrize("before", ["\n", "# note\n", "# unknown=1\n", "ARG x\n"])
def test_a_directive_counts_only_at_the_top(before: str) -> None:
    document = parse(before + "# escape=`\nRUN a\\\nb")
    assert document.directives.escape == "\\"
    assert document.nodes[-1].rest == "ab"


def test_directives() -> None:
    document = parse("#syntax=docker/dockerfile:1\n# check=skip=all;error=true\n# escape=`\nFROM a")
    assert document.directives.syntax == "docker/dockerfile:1"
    assert document.directives.check == "skip=all;error=true"
    assert document.directives.escape == "`"
    assert parse("#!/usr/bin/env build\n# syntax=a\nFROM b").directives.syntax == "a"
    behind = parse("#!/usr/bin/env build\n# escape=`\n# check=skip=all\nFROM b").directives
    assert (behind.escape, behind.check) == ("\\", "skip=all")


def test_lines_and_original() -> None:
    document = parse("# c\n\nfrom a\nrun  b \\\n  # c\n  d\n\n# trailing\nCOPY <<E /f\nx\nE\nUSER x \\\n\n# end\n")
    assert [(node.original, node.start, node.end) for node in document.nodes] == [
        ("FROM a", 3, 3),
        ("RUN b   d", 4, 6),
        ("COPY <<E /f", 9, 11),
        ("USER x", 12, 12),
    ]


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("--a=b c", ("--a=b",), "c"),
        ("--a --b=c d --e", ("--a", "--b=c"), "d --e"),
        ('--a="b c" d', ("--a=b c",), "d"),
        ("--a='b \"c' d", ('--a=b "c',), "d"),
        ('--a="b \\" c" d', ('--a=b " c',), "d"),
        ("--a=b\\ c d", ("--a=b c",), "d"),
        ("-a b", (), "-a b"),
        ("--a", ("--a",), ""),
        ("-- --a b", (), "--a b"),
        ("--a -- b", ("--a",), "b"),
        ('--a="b', ("--a=b",), ""),
        ("--a\\", ("--a",), ""),
    ],
)
def test_flags(text: str, flags: tuple[str, ...], rest: str) -> None:
    node = only(f"COPY {text}")
    assert (node.flags, node.rest) == (flags, rest)


@pytest.mark.parametrize(
    ("head", "lines", "expected"),
    [
        ("RUN <<E", "a\nb\nE", [("E", "a\nb\n", True, False)]),
        ("RUN <<E", "E", [("E", "", True, False)]),
        ("RUN 3<<E", "a\nE", [("E", "a\n", True, False)]),
        ("RUN <<-E", "\ta\n\t\tE", [("E", "\ta\n", True, True)]),
        ("RUN <<'E'", "$a\nE", [("E", "$a\n", False, False)]),
        ('RUN <<"E"', "a\nE", [("E", "a\n", False, False)]),
        ("RUN <<E'F'", "a\nEF", [("EF", "a\n", False, False)]),
        ("RUN <<E\\'F", "a\nE'F", [("E'F", "a\n", True, False)]),
        ("RUN <<'one two'", "a\none two", [("one two", "a\n", False, False)]),
        ("RUN <<$E", "$E", [("$E", "", True, False)]),
        ("RUN <<  E", "a\nE", [("E", "a\n", True, False)]),
        ("RUN <<E", "# kept\n\n  x \\\nE", [("E", "# kept\n\n  x \\\n", True, False)]),
        ("RUN --mount=type=cache,target=/x <<E sh", "a\nE", [("E", "a\n", True, False)]),
        ("COPY <<A <<B /d", "B\nA\nA\nB", [("A", "B\n", True, False), ("B", "A\n", True, False)]),
        ("ADD <<file.txt /d", "x\nfile.txt", [("file.txt", "x\n", True, False)]),
        ("ONBUILD RUN <<E", "a\nE", [("E", "a\n", True, False)]),
        ("RUN <<E", "a\r\nE\r", [("E", "a\r\n", True, False)]),
    ],
)
def test_here_documents(head: str, lines: str, expected: list[tuple[str, str, bool, bool]]) -> None:
    node = only(f"{head}\n{lines}\n")
    found = [(doc.name, doc.content, doc.is_expanded, doc.is_chomped) for doc in node.heredocs]
    assert found == expected
    assert node.end == 1 + lines.count("\n") + 1


@pytest.mark.parametrize(
    "line",
    [
        'RUN "<<E"',
        "RUN '<<E'",
        "RUN cat<<E",
        "RUN <<<E",
        'RUN ["<<E"]',
        'RUN ["cat", "<<E"]',
        'RUN ["cat"] <<E',
        "USER <<E",
        "RUN <<",
        "RUN <<-",
        "RUN <<'E",
        "RUN a < b",
        'CMD ["a"] <<E',
    ],
)
def test_what_is_no_here_document(line: str) -> None:
    assert only(line).heredocs == ()


def test_body_drops_tabs_only_if_chomped() -> None:
    assert only("RUN <<-E\n\t\ta\n\t b\nE").heredocs[0].body == "a\n b\n"
    assert only("RUN <<E\n\ta\nE").heredocs[0].body == "\ta\n"


def test_excerpt() -> None:
    document = parse("FROM a\nRUN \x1b[31mb\nUSER c\nUSER d\nUSER e\n", name="app/Dockerfile")
    assert excerpt(document, 2, 3, context=1) == "\n".join(
        [
            "app/Dockerfile:2",
            "--------------------",
            "   1 |     FROM a",
            "   2 | >>> RUN \ufffd[31mb",
            "   3 | >>> USER c",
            "   4 |     USER d",
            "--------------------",
        ]
    )
    long = parse("RUN " + "x" * 500)
    assert max(len(line) for line in excerpt(long, 1, 1).split("\n")) < 200


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x1f\x8b\x08abc", "a gzip archive"),
        (b"\x7fELF\x02", "a program"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"BZh91AY", "a bzip2 archive"),
        ("FROM a".encode("utf-16"), "UTF-16 text"),
        (b"a" * 257 + b"ustar\0", "a tar archive"),
        (b"FROM a\nRUN \0", "line 2 holds a NUL byte"),
        (b"FROM a\n# caf\xe9\nRUN a \\\n  # caf\xe9\n  caf\xe9\n", "is not UTF-8 text: line 5"),
        (b"FROM a\nCOPY <<E /\n# caf\xe9\nE\n", "is not UTF-8 text: line 3"),
        (b"FROM a\nENV x=\xe9", "is not UTF-8 text: line 2"),
    ],
)
def test_bytes_that_are_no_dockerfile(data: bytes, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_bytes(data, name="builder/Dockerfile")
    assert message in caught.value.message
    assert caught.value.message.startswith("builder/Dockerfile")


def test_bytes_that_no_file_or_command_gets() -> None:
    """Each byte that is no UTF-8 is one U+FFFD, as in what Go writes."""
    data = b"# caf\xe9\nFROM a\nLABEL a=\xe2\x82 \\\n# \xe9\nb=\xff\nMAINTAINER J\xe9r\nRUN a\\\n  # \xe9\n  b\n"
    nodes = parse_bytes(data).nodes
    assert [node.rest for node in nodes] == ["a", "a=\ufffd\ufffd b=\ufffd", "J\ufffdr", "a  b"]


def test_text_with_nul() -> None:
    with pytest.raises(DockerfileError, match="NUL character"):
        parse("FROM a\0")


def test_bytes_are_utf_8() -> None:
    assert parse_bytes("\ufeffRUN é\r\n".encode()).nodes[0].rest == "é"
