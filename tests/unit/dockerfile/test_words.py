"""Words: the forms of the Dockerfile reference, and what BuildKit makes of the corners."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.patterns import replaced, without_prefix, without_suffix
from dockerception.dockerfile.words import expand, raw_words, split_words, unquoted_words
from dockerception.errors import DockerfileError

VARIABLES = {"v": "value", "e": "", "path": "foo.tar.gz", "s": "a  b", "stars": "a*b*c", "_x1": "under", "1": "one"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$v", "value"),
        ("${v}", "value"),
        ("a${v}b", "avalueb"),
        ("$v$v", "valuevalue"),
        ("$v-x", "value-x"),
        ("$_x1", "under"),
        ("$1", "one"),
        ("$1x", "onex"),
        ("$nope", ""),
        ("${nope}", ""),
        ("a${nope}b", "ab"),
        ("$", "$"),
        ("a$", "a$"),
        ("$ a", "$ a"),
        ("$(date)", "$(date)"),
        ("$$v", "v"),
        ("${v:-word}", "value"),
        ("${e:-word}", "word"),
        ("${nope:-word}", "word"),
        ("${nope:-}", ""),
        ("${v-word}", "value"),
        ("${e-word}", ""),
        ("${nope-word}", "word"),
        ("${v:+word}", "word"),
        ("${e:+word}", ""),
        ("${nope:+word}", ""),
        ("${v+word}", "word"),
        ("${e+word}", "word"),
        ("${nope+word}", ""),
        ("${v:?message}", "value"),
        ("${e?message}", ""),
        ("${nope:-${v}}", "value"),
        ("${nope:-${nada:-deep}}", "deep"),
        ("${nope:-'a b'}", "a b"),
        (r"${nope:-\}}", "}"),
        ("${path#*.}", "tar.gz"),
        ("${path##*.}", "gz"),
        ("${path%.*}", "foo.tar"),
        ("${path%%.*}", "foo"),
        ("${path#f?o}", ".tar.gz"),
        ("${path#nothing}", "foo.tar.gz"),
        ("${path/o/0}", "f0o.tar.gz"),
        ("${path//o/0}", "f00.tar.gz"),
        ("${path//./}", "footargz"),
        ("${path/.*/!}", "foo!"),
        ("${path//$nope/x}", "xfxoxox.xtxaxrx.xgxzx"),
        (r"${stars//\*/-}", "a-b-c"),
        ("${nope/a/b}", ""),
        ("'$v'", "$v"),
        ("'a\\b'", "a\\b"),
        ('"$v"', "value"),
        ('"a\'b"', "a'b"),
        ("'a\"b'", 'a"b'),
        ('"a\\"b"', 'a"b'),
        ('"a\\$v"', "a$v"),
        ('"a\\nb"', "a\\nb"),
        ('"a\\\\b"', "a\\b"),
        ("a\\nb", "anb"),
        (r"\$v", "$v"),
        (r"\'", "'"),
        ("a\\", "a"),
        ('""', ""),
        ("  a  ", "  a  "),
        ("ü$vé", "ü"),
        ("ü${v}é", "üvalueé"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


def test_another_escape_character() -> None:
    assert expand("`$v", VARIABLES, escape="`") == "$v"
    assert expand("c:\\$v", VARIABLES, escape="`") == "c:\\value"
    assert expand('"`"`$`n"', VARIABLES, escape="`") == '"$`n'


def test_quotes_are_ordinary_in_a_here_document() -> None:
    text = "say \"$v\" 'n $v' \\$v a\\nb\n"
    assert expand(text, VARIABLES, keep_quotes=True) == "say \"value\" 'n value' $v anb\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "single quote"),
        ('"a', "double quote"),
        ('"a\\', "double quote"),
        ('"a\\"', "double quote"),
        ("${", "is not closed"),
        ("${v", "is not closed"),
        ("${v:", "is not closed"),
        ("${v:-a", "“}” is missing"),
        ("${v#a", "“}” is missing"),
        ("${v/a}", "“/” is missing"),
        ("${v/a/b", "“}” is missing"),
        ("${}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${{v}}", "bad substitution"),
        ("${v@Q}", "not a form"),
        ("${v:=x}", "not a form"),
        ("${v=x}", "not a form"),
        ("${v^^}", "not a form"),
        (r"${v#\a}", "before “a”"),
        ("${nope:?it must be there}", "nope: it must be there"),
        ("${nope?}", "nope: it is not allowed to be unset"),
        ("${e:?}", "e: it is not allowed to be empty"),
        ("${a:-" * 60 + "x" + "}" * 60, "nested more than"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand(text, VARIABLES)
    assert message in caught.value.message
    assert caught.value.hint


def test_used_names_are_told() -> None:
    used: set[str] = set()
    expand("$v ${nope:-$e} '$quoted' ${path%.*}", VARIABLES, used=used)
    assert used == {"v", "nope", "e", "path"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$s", ("a", "b")),
        ('"$s"', ("a  b",)),
        ("x$s", ("xa", "b")),
        ("$nope", ()),
        ("80 $v", ("80", "value")),
        ("a\\ b", ("a b",)),
        ("'' a", ("a",)),
    ],
)
def test_split_words(text: str, expected: tuple[str, ...]) -> None:
    assert split_words(text, VARIABLES) == expected


def test_raw_words_are_as_written() -> None:
    assert raw_words("RUN cat <<  'E O' \"a $v\" b\\ c ${x:-y}") == (
        "RUN",
        "cat",
        "<<  'E O'",
        '"a $v"',
        "b\\ c",
        "${x:-y}",
    )
    assert unquoted_words("'E O'$v\\'") == ("E O$v'",)


def test_patterns_are_fast_on_hostile_values() -> None:
    pattern, value = "*a" * 30 + "b", "a" * 3000
    assert without_prefix(value, pattern, longest=True) == value
    assert without_suffix(value, "b" + "a*" * 30, longest=False) == value


@pytest.mark.parametrize(
    ("value", "pattern", "everywhere", "expected"),
    [
        ("aXbXc", "X", False, "a-bXc"),
        ("aXbXc", "X", True, "a-b-c"),
        ("abc", "*", True, "-"),
        ("abc", "", False, "-abc"),
        ("", "", True, "-"),
        ("aaa", "a?", True, "-a"),
        ("a.b", ".", True, "a-b"),
        ("a}b", r"\}", True, "a-b"),
        ("a/b", r"\/", True, "a-b"),
        ("a\\b", "\\\\", True, "a-b"),
        ("ab\ncd", "*", True, "-\n-"),
        ("ab\ncd", "?", True, "--\n--"),
        ("ab\ncd", "b?", True, "ab\ncd"),
        ("ab\ncd", "b\n*", False, "a-"),
    ],
)
def test_replaced(value: str, pattern: str, everywhere: bool, expected: str) -> None:
    assert replaced(value, pattern, "-", everywhere=everywhere) == expected


def test_wildcards_end_with_their_line() -> None:
    value = "usr/bin\nusr/lib"
    assert without_prefix(value, "*/", longest=True) == "bin\nusr/lib"
    assert without_prefix(value, "*lib", longest=True) == value
    assert without_suffix(value, "/*", longest=True) == "usr/bin\nusr"
    assert without_suffix(value, "bin?usr/lib", longest=True) == value


@pytest.mark.parametrize(
    ("replacement", "everywhere", "expected"),
    [
        ("<$0>", True, "a<X>b<X>"),
        ("<${0}$1$name>", True, "a<X>b<X>"),
        ("$$1$", True, "a$1$b$1$"),
        ("<$0>", False, "a<$0>bX"),
    ],
)
def test_a_dollar_in_the_text_for_every_match(replacement: str, everywhere: bool, expected: str) -> None:
    assert replaced("aXbX", "X", replacement, everywhere=everywhere) == expected
