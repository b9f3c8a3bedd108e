"""Here-documents: finding their ``<<WORD`` in a command line (Dockerfile reference, "Here-Documents")."""

from __future__ import annotations

import re

import msgspec

from ..errors import DockerfileError
from .words import raw_words, unquoted_words

_MARK = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


class Heredoc(msgspec.Struct, frozen=True, kw_only=True):
    """One here-document.  ``mark`` is its ``<<WORD`` as written; ``content`` its lines, each with its line end.

    ``is_expanded`` is false where any part of the word is quoted; ``is_chomped`` is true for ``<<-``.
    """

    name: str
    mark: str
    content: str = ""
    is_expanded: bool = True
    is_chomped: bool = False

    @property
    def body(self) -> str:
        """The content as its reader gets it: without leading tabs if ``<<-`` says so."""
        return _LEADING_TABS.sub("", self.content) if self.is_chomped else self.content

    def is_end(self, line: str) -> bool:
        """Whether ``line`` (without its line end) ends this here-document."""
        return (line.lstrip("\t") if self.is_chomped else line) == self.name


def heredocs_in(line: str) -> tuple[Heredoc, ...]:
    """The here-documents that ``line`` announces, in order, still without content.

    ``<<`` counts only where a word begins.  A line whose quotes do not close announces none, as in BuildKit.
    """
    if "<<" not in line:
        return ()
    try:
        words = raw_words(line)
    except DockerfileError:  # a shell sees the line later and may well accept it
        return ()
    return tuple(found for word in words if (found := read_mark(word)))


def read_mark(word: str) -> Heredoc | None:
    """The here-document that ``word`` announces, or ``None``."""
    match = _MARK.fullmatch(word)
    if not match:
        return None
    try:
        names, raw_names = unquoted_words(match[2]), raw_words(match[2])
    except DockerfileError:
        return None
    if len(names) != 1:
        return None
    quotes, raw_quotes = (sum(words[0].count(quote) for quote in "'\"") for words in (names, raw_names))
    return Heredoc(name=names[0], mark=word, is_expanded=quotes == raw_quotes, is_chomped=match[1] == "-")
