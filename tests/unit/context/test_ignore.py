"""Ignore files: what they leave out of a tree, and that all ways to ask give one answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.context import ignore
from dockerception.context.ignore import IgnoreRules, Pattern


def rules(text: str) -> IgnoreRules:
    return ignore.compile(ignore.read(text.encode()))


def parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def with_parents(paths: Iterable[str]) -> set[str]:
    return {step for path in paths for step in (*parents(path), path)}


def walk(found: IgnoreRules, paths: Iterable[str], *, prune: bool = False) -> Iterator[str]:
    """The paths that a walk keeps, parents first; with ``prune`` it skips directories as a real walk may."""
    states, pruned = {"": found.start()}, set()
    for path in sorted(with_parents(paths)):
        directory = path.rpartition("/")[0]
        if directory in pruned:
            pruned.add(path)
            continue
        is_ignored, states[path] = found.check(states[directory], path)
        if not is_ignored:
            yield path
        elif prune and not found.may_contain_exceptions(path):
            pruned.add(path)


# --- what is left out ------------------------------------------------------------------------------------------------

TREE = (
    "Dockerfile",
    "README.md",
    "README-secret.md",
    "main.go",
    "temp",
    "tempa",
    "docs/guide.md",
    "docs/README.md",
    "docs/img/logo.png",
    "src/main.go",
    "src/temporary.txt",
    "src/lib/temp1",
    "src/lib/deep/util.go",
    "vendor/foo/foo.go",
    "vendor/foobar",
)


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        # the examples of Docker's reference
        ("*/temp*", {"src/temporary.txt"}),
        ("*/*/temp*", {"src/lib/temp1"}),
        ("temp?", {"tempa"}),
        ("**/*.go", {"main.go", "src/main.go", "src/lib/deep/util.go", "vendor/foo/foo.go"}),
        ("*.md\n!README.md", {"README-secret.md"}),
        ("*.md\n!README*.md\nREADME-secret.md", {"README-secret.md"}),
        ("*.md\nREADME-secret.md\n!README*.md", set()),
        ("/src/lib", {"src/lib/temp1", "src/lib/deep/util.go"}),
        # a directory takes its contents along; a name only counts where it is written
        ("docs", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("docs/*", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("docs/**", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("main.go", {"main.go"}),
        ("lib", set()),
        ("doc", set()),
        ("src/temp", set()),
        # any depth
        ("**/lib", {"src/lib/temp1", "src/lib/deep/util.go"}),
        ("**/foo*", {"vendor/foo/foo.go", "vendor/foobar"}),
        ("**/temp?", {"tempa", "src/lib/temp1"}),
        ("**/README.md", {"README.md", "docs/README.md"}),
        ("**README.md", {"README.md", "docs/README.md"}),
        ("src/**/util.go", {"src/lib/deep/util.go"}),
        ("src/**/main.go", {"src/main.go"}),
        ("src/**/deep", {"src/lib/deep/util.go"}),
        ("temp**", {"temp", "tempa"}),
        ("vendor/foo**", {"vendor/foo/foo.go", "vendor/foobar"}),
        ("**/lib/**", {"src/lib/temp1", "src/lib/deep/util.go"}),
        ("**/*e*/*.go", {"src/lib/deep/util.go"}),
        # sets and escapes
        ("[Rm]*", {"README.md", "README-secret.md", "main.go"}),
        ("[^a-z]*", {"Dockerfile", "README.md", "README-secret.md"}),
        (r"\temp", set()),  # a tab and "emp"
        (r"README\.md", {"README.md"}),
        ("src/lib/temp[[:digit:]]", {"src/lib/temp1"}),
        (r"src/lib/temp\d", {"src/lib/temp1"}),
        ("main.g[*]", set()),
        ("src[^a]main.go", {"src/main.go"}),
        # exceptions
        ("docs\n!docs/README.md", {"docs/guide.md", "docs/img/logo.png"}),
        ("docs\n!docs/img", {"docs/guide.md", "docs/README.md"}),
        ("docs\n!docs/img\ndocs/img/*.png", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("*\n!src/lib", set(TREE) - {"src/lib/temp1", "src/lib/deep/util.go"}),
        ("*\n!**/*.go", set(TREE) - {"main.go", "src/main.go", "src/lib/deep/util.go", "vendor/foo/foo.go"}),
        ("*\n!*.go", set(TREE) - {"main.go"}),
        ("*\n!vendor/foo", set(TREE) - {"vendor/foo/foo.go"}),
        ("!docs\ndocs", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("!README.md", set()),
        # an exception is only tried where something was ignored: for "docs" there is nothing to except yet
        ("docs/guide.md\n!docs", {"docs/guide.md"}),
        ("docs/*\n!docs", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("docs/guide.md\n!docs/**", set()),
        # a slash or dot before the mark hides it from the reader, not from the matcher
        ("docs\n/!docs/README.md", {"docs/guide.md", "docs/img/logo.png"}),
        # patterns that can match nothing
        (".", set()),
        ("./", set()),
        ("/", set()),
        ("..", set()),
        ("../docs", set()),
        ("docs/../../docs", set()),
        ("/../docs", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("docs/.", {"docs/guide.md", "docs/README.md", "docs/img/logo.png"}),
        ("**", set(TREE)),
        ("*", set(TREE)),
        ("?*", set(TREE)),
    ],
)
def test_what_a_file_leaves_out(text: str, left_out: set[str]) -> None:
    found = rules(text)
    assert {path for path in TREE if found.is_ignored(path)} == left_out
    assert set(TREE) - set(walk(found, TREE, prune=True)) == left_out


@pytest.mark.parametrize(
    ("pattern", "path", "is_ignored"),
    [
        ("a.b", "axb", False),
        ("a+(b)|{c}$", "a+(b)|{c}$", True),
        ("a^b", "a^b", True),
        ("a^b*", "a^bc", False),
        ("^a*", "ab", True),
        ("a]b", "a]b", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"[\]]", "]", True),
        ("[?]b", "?b", False),
        ("[*]b", "^]b", True),
        ("[a-c]x", "bx", True),
        ("[.-/]x", "/x", True),
        ("[&&~~||]", "~", True),
        ("caf?", "café", True),
        ("a**b", "ax/b", True),
        ("a**b", "axb", False),
        ("***b", "x/yb", True),
        ("**/*", "a", True),
        ("**/**/a", "x/y/a", True),
        ("a/**/**/b", "a/b", True),
        ("**/a\nb*", "x\ny/a\nbc", True),
        ("*", "a\n", True),
        ("a", "a\n", False),
    ],
)
def test_how_one_pattern_matches_a_path(pattern: str, path: str, is_ignored: bool) -> None:
    assert ignore.compile([Pattern(pattern)]).is_ignored(path) is is_ignored


@pytest.mark.parametrize("text", ["*", "**", ".", "**/."])
def test_the_root_is_never_ignored(text: str) -> None:
    assert not rules(text).is_ignored("")
    assert not rules(text).is_ignored(".")


def test_a_pattern_of_many_stars_is_decided() -> None:
    found = rules("*a*?" * 20 + "*b")
    assert not found.is_ignored("a" * 255)
    assert found.is_ignored("a" * 254 + "b")


# --- pruning and explaining ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "directory", "expected"),
    [
        ("a", "a", False),
        ("a\n!a/b", "a", True),
        ("a\n!a/b", "a/c", False),
        ("a\n!a/b/c", "a/b", True),
        ("a\n!b", "a", False),
        ("ab\n!abc/d", "ab", False),
        ("*\n!a/b/*", "a/b", True),
        ("*\n!a/b/*", "a/b/c", False),
        ("*\n!a/b/**", "a/b", True),
        ("*\n!a/b/**\na/b/c", "a/b/c", False),
        ("*\n!*.md", "node_modules", False),
        ("*\n!*/*.md", "node_modules", True),
        ("*\n!*/*.md", "node_modules/x", False),
        ("*\n!src/*.md", "node_modules", False),
        ("*\n!**/*.md", "node_modules/x/y", True),
        ("*\n!src/**/x", "src/a/b", True),
        ("*\n!src/**/x", "lib", False),
        ("*\n!a[^b]c", "a", True),
        ("*\n!foo**", "foobar/x", True),
        ("*\n!a/b", "", True),
        ("*", "", False),
    ],
)
def test_a_directory_is_walked_only_if_an_exception_reaches_into_it(text: str, directory: str, expected: bool) -> None:
    assert rules(text).may_contain_exceptions(directory) is expected


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("main.go", None),
        ("README.md", 3),
        ("guide.md", 2),
        ("docs", 5),
        ("docs/img", 5),
        ("docs/img/logo.png", 6),
        ("docs/img/logo.png/x", 6),
    ],
)
def test_explain_gives_the_pattern_that_decided(path: str, line: int | None) -> None:
    decided = rules("# rules\n*.md\n!README.md\nvendor\ndocs\n!docs/img/logo.png").explain(path)
    assert (decided.line if decided else None) == line


@pytest.mark.parametrize(
    ("text", "path", "is_emptied"),
    [
        ("**\n!**/*.go\nvendor", "vendor/foo/foo.go", True),
        ("**\n!**/*.go\nvendor", "main.go", False),
        ("**\n!**/*.go\n**/lib", "src/lib/deep/util.go", True),
        ("**\nvendor\n!**/*.go", "vendor/foo/foo.go", False),
        ("vendor\n!vendor/foo", "vendor/foo/foo.go", False),
        ("**\n!**/*.go\nvendor\n!vendor/foo", "vendor/foo/foo.go", False),
    ],
)
def test_a_directory_excluded_behind_an_exception_empties_its_files(text: str, path: str, is_emptied: bool) -> None:
    assert not rules(text).is_ignored(path)
    assert rules(text).is_emptied(path) is is_emptied


def test_what_the_note_on_emptied_files_proposes() -> None:
    assert rules("**\n!**/*.go\nvendor/**").is_ignored("vendor/foo/foo.go")
    assert not rules("**\nvendor\n!**/*.go").is_emptied("vendor/foo/foo.go")


def test_a_pattern_knows_its_place() -> None:
    assert Pattern("a", 3).place == ".dockerignore, line 3"
    assert Pattern("a", source="--exclude").place == "--exclude"


# --- against a reference ---------------------------------------------------------------------------------------------


def glob_matches(glob: str, path: str) -> bool:
    """One glob as patternmatcher has it, by trying everything; for globs without sets and escapes."""
    if "*" not in glob and "?" not in glob:
        return path == glob
    first, last = glob.removeprefix("**"), glob.removesuffix("**")
    if first != glob and "*" not in first and "?" not in first:
        return path.endswith(first) or path == first.removeprefix("/")
    if last != glob and "*" not in last and "?" not in last:
        return path.startswith(last)
    return expression_matches(glob, path)


def expression_matches(glob: str, path: str) -> bool:
    if glob in ("**", "**/"):
        return True
    if glob.startswith("**"):
        rest = glob[2:].removeprefix("/")
        starts = [0, *(index + 1 for index, char in enumerate(path) if char == "/")]
        return any(expression_matches(rest, path[start:]) for start in starts)
    if glob.startswith("*"):
        ends = range(len(path.partition("/")[0]) + 1)
        return any(expression_matches(glob[1:], path[end:]) for end in ends)
    if not glob or not path:
        return glob == path
    return (glob[0] == path[0] or (glob[0] == "?" and path[0] != "/")) and expression_matches(glob[1:], path[1:])


def reference(patterns: Iterable[str], path: str) -> bool:
    """What patternmatcher's MatchesUsingParentResults gives at the end of a walk down to ``path``."""
    texts = list(patterns)
    matched = [False] * len(texts)
    is_ignored = False
    for step in [*parents(path), path]:
        is_ignored = False
        for index, text in enumerate(texts):
            is_exception = text.startswith("!")
            if not matched[index] and is_exception == is_ignored:
                matched[index] = glob_matches(text.removeprefix("!"), step)
            if matched[index]:
                is_ignored = not is_exception
    return is_ignored


NAMES = st.text("abc.", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(["a", "b", "c", ".", "*", "?", "**", "/", "**/", "/**", "a/", "/b"])
GLOBS = st.one_of(PATHS, st.lists(PIECES, min_size=1, max_size=5).map("".join))
LINES = st.tuples(st.sampled_from(["", "", "!"]), GLOBS).map("".join)
FILES = st.lists(LINES, min_size=1, max_size=6)


def cleaned(lines: list[str]) -> tuple[Pattern, ...]:
    return tuple(pattern for pattern in ignore.read("\n".join(lines).encode()) if pattern.text not in ("!", "!/"))


@given(FILES, st.lists(PATHS, min_size=1, max_size=8))
def test_every_way_to_ask_agrees_with_the_reference(lines: list[str], paths: list[str]) -> None:
    patterns = cleaned(lines)
    found = ignore.compile(patterns)
    tree = with_parents(paths)
    kept = {path for path in tree if not reference([pattern.text for pattern in patterns], path)}
    assert set(walk(found, paths)) == kept
    assert {path for path in tree if not found.is_ignored(path)} == kept
    assert set(walk(found, paths, prune=True)) == kept


@given(FILES, PATHS)
def test_explain_agrees_with_the_verdict(lines: list[str], path: str) -> None:
    found = ignore.compile(cleaned(lines))
    decided = found.explain(path)
    assert found.is_ignored(path) is (decided is not None and not decided.is_exception)
    if decided is not None:
        glob = decided.text.removeprefix("!")
        assert any(glob_matches(glob, step) for step in [*parents(path), path])
