"""Text to nodes: lines, directives, comments, continuations, here-documents and flags.

No meaning yet: a node is a keyword, its flags and the rest of its logical line, with the lines it came from.
"""

from __future__ import annotations

import re

import msgspec

from ..errors import DockerfileError
from .heredocs import Heredoc, heredocs_in
from .text import SPACES, excerpt_lines, read_json, split_arguments

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = ("escape", "syntax", "check")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")


class Directives(msgspec.Struct, frozen=True, kw_only=True):
    """The parser directives at the top of the file; empty where they are not given."""

    escape: str = "\\"
    syntax: str = ""
    check: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction as written.  ``start`` and ``end`` are its first and last line, counted from 1.

    ``flags`` are the ``--name=value`` words before the arguments, quotes removed; ``rest`` is everything behind them.
    ``original`` is the logical line: continuations joined, keyword in upper case, without here-documents.
    """

    keyword: str
    flags: tuple[str, ...]
    rest: str
    original: str
    start: int
    end: int
    heredocs: tuple[Heredoc, ...] = ()


class Written(msgspec.Struct, frozen=True):
    """The file that a person wrote, for a document that was made of it: its lines, and for each line of the document
    the number of the line there, counted from 1."""

    lines: tuple[str, ...]
    numbers: tuple[int, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file: its name for messages, its lines (without line ends), its directives and its nodes.

    ``written`` is what messages show in place of lines that nobody has written (see ``nested``).
    """

    name: str
    lines: tuple[str, ...]
    directives: Directives
    nodes: tuple[Node, ...]
    written: Written | None = None


def parse(source: str, *, name: str = "Dockerfile", escape: str = "") -> Document:
    """Read a Dockerfile's text; ``escape`` set means that a directive can't change it (a trigger of ONBUILD).

    Raises ``DockerfileError`` for a repeated or wrong directive and a here-document without end.
    """
    raw = source.removeprefix("\ufeff").split("\n")
    if raw[-1] == "":
        raw.pop()
    document = Document(name=name, lines=tuple(line.rstrip("\r") for line in raw), directives=Directives(), nodes=())
    if "\0" in source:
        number = next(number for number, line in enumerate(raw, 1) if "\0" in line)
        raise located(document, number, number, DockerfileError("This is not a Dockerfile: it holds a NUL character."))
    directives = Directives(escape=escape) if escape else _read_directives(document)
    nodes: list[Node] = []
    position = 0
    while position < len(raw):
        start = position
        line, position, last = _logical_line(document.lines, start, directives.escape)
        if not line:
            continue
        try:
            node = _read_node(line, start + 1, last)
        except DockerfileError as error:
            raise located(document, start + 1, last, error) from error
        if node.heredocs:
            node, position = _with_contents(document, node, raw, position)
        nodes.append(node)
    return msgspec.structs.replace(document, directives=directives, nodes=tuple(nodes))


def parse_bytes(data: bytes, *, name: str = "Dockerfile") -> Document:
    """Read a Dockerfile's bytes: ``parse`` of its UTF-8 text.

    In comments, LABEL and MAINTAINER bytes that are no UTF-8 become U+FFFD, as BuildKit writes them into a config.
    Raises ``DockerfileError`` that says what the bytes are instead, where they are no such text.
    """
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            raise DockerfileError(f"{name} is not a Dockerfile: it looks like {kind}.", hint=_WANTED)
    if data[257:262] == b"ustar":
        raise DockerfileError(f"{name} is not a Dockerfile: it looks like a tar archive.", hint=_WANTED)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise DockerfileError(f"{name} is not a Dockerfile: line {line} holds a NUL byte.", hint=_WANTED)
    text = data.decode("utf-8", "surrogateescape")
    document = parse(_NO_UTF8.sub("\ufffd", text), name=name)
    for number, written in enumerate(text.split("\n"), 1):
        if _NO_UTF8.search(written) and not _takes_any_bytes(document, number):
            raise DockerfileError(f"{name} is not UTF-8 text: line {number}.", hint="save the file as UTF-8")
    return document


def _takes_any_bytes(document: Document, number: int) -> bool:
    """Whether nothing of a line is in a command, a path or a file."""
    node = next((node for node in document.nodes if node.start <= number <= node.end), None)
    if node is None or node.keyword in ("LABEL", "MAINTAINER"):
        return True
    return not node.heredocs and document.lines[number - 1].lstrip(SPACES).startswith("#")


_NO_UTF8 = re.compile("[\udc80-\udcff]")
_WANTED = "a Dockerfile is a text file that begins with FROM or ARG"
_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "a program"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


def excerpt(document: Document, start: int, end: int, context: int = 2) -> str:
    """Lines ``start`` to ``end`` (from 1) with ``context`` lines around them; ``>>>`` marks the lines meant."""
    lines = document.written.lines if document.written is not None else document.lines
    return excerpt_lines(document.name, lines, *lines_written(document, start, end), context)


def lines_written(document: Document, start: int, end: int) -> tuple[int, int]:
    """The numbers of these lines in the file that a person wrote."""
    if document.written is None:
        return start, end
    numbers = document.written.numbers[start - 1 : end]
    return numbers[0], max(numbers)


def located(document: Document, start: int, end: int, error: DockerfileError) -> DockerfileError:
    """``error`` with the place and the excerpt of its lines; one that has an excerpt already stays as it is."""
    if error.details:
        return error
    message = f"{document.name}:{lines_written(document, start, end)[0]}: {error.message}"
    return type(error)(message, details=excerpt(document, start, end), hint=error.hint)


def split_keyword(line: str) -> tuple[str, str]:
    """The first word of a logical line in upper case, and the rest."""
    keyword, rest = [*split_arguments(line, 1), "", ""][:2]
    return keyword.upper(), rest


def is_continued(line: str, escape: str) -> bool:
    """Whether ``line`` ends in the escape character (blanks behind it allowed), itself not escaped."""
    stripped = line.rstrip(" \t")
    return stripped.endswith(escape) and not stripped[:-1].endswith(escape)


def _read_directives(document: Document) -> Directives:
    """Directives stand before everything else, one of each; the first other line ends them.

    As in BuildKit, a first line that begins with ``#!`` may stand before ``syntax`` and ``check``; an ``escape`` behind
    it is a comment.
    """
    found: dict[str, str] = {}
    has_shebang = bool(document.lines) and document.lines[0].startswith("#!")
    for number, line in enumerate(document.lines, 1):
        if number == 1 and has_shebang:
            continue
        match = _DIRECTIVE.fullmatch(line.strip(SPACES))
        key = match[1].lower() if match else ""
        if not match or key not in _DIRECTIVES:
            break
        if key == "escape" and has_shebang:
            continue
        problem = ""
        if key in found:
            problem = f"The directive “{key}” is given twice."
        elif key == "escape" and match[2] not in ("\\", "`"):
            problem = f"The escape character can't be “{match[2]}”."
        if problem:
            error = DockerfileError(problem, hint="write # escape=\\ or # escape=`, once")
            raise located(document, number, number, error)
        found[key] = match[2]
    return Directives(**found)


def _logical_line(lines: tuple[str, ...], start: int, escape: str) -> tuple[str, int, int]:
    """The line at ``start`` with its continuations, the next position, and the number of its last line.

    Comments and blank lines between continued lines are left out.  Only the first line loses its leading blanks:
    what a continuation line begins with is part of the command, as in BuildKit.
    """
    line = lines[start].lstrip(SPACES)
    position = last = start + 1
    if line.startswith("#"):
        return "", position, last
    is_open = is_continued(line, escape)
    joined = line.rstrip(" \t")[:-1] if is_open else line
    while is_open and position < len(lines):
        line = lines[position]
        position += 1
        content = line.lstrip(SPACES)
        if not content or content.startswith("#"):
            continue
        last = position
        is_open = is_continued(line, escape)
        joined += line.rstrip(" \t")[:-1] if is_open else line
    return joined.strip(SPACES), position, last


def _read_node(line: str, start: int, end: int) -> Node:
    keyword, remainder = split_keyword(line)
    flags, rest = _split_flags(remainder)
    original = f"{keyword} {remainder}".strip(SPACES)
    heredocs = heredocs_in(line) if _may_have_heredocs(keyword, rest) else ()
    return Node(keyword=keyword, flags=flags, rest=rest, original=original, start=start, end=end, heredocs=heredocs)


def _may_have_heredocs(keyword: str, rest: str) -> bool:
    if keyword == "ONBUILD":
        keyword, remainder = split_keyword(rest)
        rest = _split_flags(remainder)[1]
    return keyword in _WITH_HEREDOCS and read_json(rest) is None


def _with_contents(document: Document, node: Node, raw: list[str], position: int) -> tuple[Node, int]:
    """``node`` with the contents of its here-documents, which follow each other, and the position behind them."""
    filled: list[Heredoc] = []
    for heredoc in node.heredocs:
        start = position
        while position < len(raw) and not heredoc.is_end(raw[position].rstrip("\r")):
            position += 1
        if position == len(raw):
            error = DockerfileError(
                f"The here-document {heredoc.mark} has no end.", hint=f"add a line that holds only {heredoc.name}"
            )
            raise located(document, node.start, node.end, error)
        content = "".join(line + "\n" for line in raw[start:position])
        filled.append(msgspec.structs.replace(heredoc, content=content))
        position += 1
    return msgspec.structs.replace(node, heredocs=tuple(filled), end=position), position


def _split_flags(text: str) -> tuple[tuple[str, ...], str]:
    """The leading ``--`` words of ``text``, quotes and escapes removed, and what follows; ``--`` alone ends them."""
    flags: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in SPACES:
            position += 1
        if not text.startswith("--", position):
            return tuple(flags), text[position:].strip(SPACES)
        flag, position = _flag_word(text, position)
        if flag == "--":
            return tuple(flags), text[position:].strip(SPACES)
        flags.append(flag)


def _flag_word(text: str, position: int) -> tuple[str, int]:
    """One word from ``position``; the escape character is always a backslash here."""
    word, quote = "", ""
    while position < len(text):
        char = text[position]
        if not quote and char in SPACES:
            break
        position += 1
        if char == "\\":
            word += text[position : position + 1]
            position += 1
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            word += char
    return word, min(position, len(text))
