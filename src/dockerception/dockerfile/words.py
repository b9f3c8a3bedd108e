"""Words as the Dockerfile reference reads them ("Environment replacement"): quotes, escapes and variables.

``$name`` and ``${name}``; ``${name:-word}`` and its kin ``- :+ + :? ?``; ``${name#pattern}`` and ``## % %%``;
``${name/pattern/text}`` and ``//``.  A variable that is not set is the empty string.  Single quotes keep everything,
double quotes keep all but ``$`` and the escape character before ``"``, ``$`` or itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import DockerfileError
from .patterns import replaced, without_prefix, without_suffix
from .text import SPACES

# The special parameters of POSIX (2.5.2): one character each; here they are looked up like any other name.
_SPECIAL = "@*#?-$!"
_ORDINARY = re.compile(r"[^$'\"<\\`}/]+")
_SPACE = re.compile(f"[{SPACES}]")
_DEEPEST_NESTING = 50
_LONGEST_SHOWN = 80
_NO_VARIABLES: Mapping[str, str] = {}


def expand(
    text: str,
    variables: Mapping[str, str],
    *,
    escape: str = "\\",
    used: set[str] | None = None,
    keep_quotes: bool = False,
) -> str:
    """``text`` with its variables put in and its quotes and escapes taken out.

    Every name that was looked up, set or not, is added to ``used``.  With ``keep_quotes`` quotes are ordinary
    characters, as in the here-documents of COPY.  Raises ``DockerfileError`` for an unfinished quote or ``${``, an
    unknown form, and ``${name:?message}`` of a name without value.
    """
    lexer = _Lexer(text, variables, escape, used)
    lexer.has_quotes = not keep_quotes
    return "".join(piece for piece, _ in lexer.pieces())


def split_words(
    text: str, variables: Mapping[str, str], *, escape: str = "\\", used: set[str] | None = None
) -> tuple[str, ...]:
    """The words of ``text`` after expansion: a value with spaces gives several words unless it is quoted (EXPOSE)."""
    return tuple(_cut(_Lexer(text, variables, escape, used).pieces()))


def raw_words(text: str) -> tuple[str, ...]:
    """The words of a command line, each still as it is written: quotes, escapes and variables untouched.

    ``<<`` keeps the blanks behind it, so that ``<< EOF`` is one word.  The escape character is always a backslash
    here, whatever the ``escape`` directive says.
    """
    lexer = _Lexer(text, _NO_VARIABLES, "\\", None)
    lexer.is_raw = True
    return tuple(_cut(lexer.pieces()))


def unquoted_words(text: str) -> tuple[str, ...]:
    """The words of ``text`` without quotes and escapes, variables left as they are written."""
    lexer = _Lexer(text, _NO_VARIABLES, "\\", None)
    lexer.keeps_variables = True
    return tuple(_cut(lexer.pieces()))


def _cut(pieces: list[tuple[str, bool]]) -> list[str]:
    """Words out of pieces; only a piece that is marked as splittable ends a word at white space."""
    words: list[str] = []
    word = ""
    for piece, is_splittable in pieces:
        if not is_splittable:
            word += piece
            continue
        first, *others = _SPACE.split(piece)
        word += first
        for other in others:
            if word:
                words.append(word)
            word = other
    return [*words, word] if word else words


def _shown(text: str) -> str:
    """The first line of ``text`` for a message, cut where it gets long."""
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…"


class _Lexer:
    """One pass over one text.  A piece is text and whether white space in it separates words."""

    def __init__(self, text: str, variables: Mapping[str, str], escape: str, used: set[str] | None) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.used = used
        self.position = 0
        self.depth = 0
        self.has_quotes = True
        self.is_raw = False
        self.keeps_variables = False

    def pieces(self) -> list[tuple[str, bool]]:
        return self._until("", keeps_escapes=self.is_raw)

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _next(self) -> str:
        char = self._peek()
        self.position += 1
        return char

    def _until(self, stop: str, *, keeps_escapes: bool) -> list[tuple[str, bool]]:
        """Everything up to ``stop``, which is eaten; to the end if it is empty."""
        pieces: list[tuple[str, bool]] = []
        while char := self._peek():
            if char == stop:
                self.position += 1
                return pieces
            if char == "$":
                pieces.append((self._dollar(), True))
            elif char in "'\"" and self.has_quotes:
                pieces.append((self._quoted(keeps_escapes), False))
            elif char == "<" and self.is_raw:
                pieces.append((self._less_than(), False))
            elif char == self.escape:
                self.position += 1
                pieces.append(((char if keeps_escapes else "") + self._next(), False))
            else:
                pieces.append((self._ordinary(), True))
        if stop:
            raise DockerfileError(
                f"“${{” is not closed: “{stop}” is missing in “{_shown(self.text)}”.", hint=f"add the “{stop}”"
            )
        return pieces

    def _ordinary(self) -> str:
        """One character, and those behind it that mean nothing anywhere."""
        run = _ORDINARY.match(self.text, self.position + 1)
        start, self.position = self.position, run.end() if run else self.position + 1
        return self.text[start : self.position]

    def _less_than(self) -> str:
        if not self.text.startswith("<<", self.position):
            return self._next()
        start = self.position
        self.position += 2
        while self._peek() and self._peek() in " \t":
            self.position += 1
        return self.text[start : self.position]

    def _quoted(self, keeps_escapes: bool) -> str:
        quote = self._next()
        out = quote if self.is_raw else ""
        while (char := self._peek()) != quote:
            if not char:
                kind = "single" if quote == "'" else "double"
                raise DockerfileError(
                    f"A {kind} quote is not closed in “{_shown(self.text)}”.",
                    hint=f"add the closing {quote} or escape the quote",
                )
            if quote == '"' and char == "$":
                out += self._dollar()
            elif quote == '"' and char == self.escape:
                out += self._escaped_in_quotes(keeps_escapes)
            else:
                out += self._next()
        self.position += 1
        return out + quote if self.is_raw else out

    def _escaped_in_quotes(self, keeps_escapes: bool) -> str:
        escape, following = self._next(), self._peek()
        if following and following in ('"', "$", self.escape):
            self.position += 1
            return escape + following if keeps_escapes else following
        if not following:  # the text ends here, and so does the quote: the caller reports it
            return ""
        # Before any other character the escape stays; BuildKit writes it twice where escapes are kept.
        return escape * 2 if keeps_escapes and not self.is_raw else escape

    def _dollar(self) -> str:
        start = self.position
        self.position += 1
        if self._peek() != "{":
            name = self._name()
            return self._value(name, self.text[start : self.position])[0] if name else "$"
        self.position += 1
        if (following := self._peek()) in ("{", "}", ":"):
            raise DockerfileError(
                f"“${{{following}” is a bad substitution in “{_shown(self.text)}”.",
                hint="write ${name}, or \\$ for a plain $",
            )
        self.depth += 1
        if self.depth > _DEEPEST_NESTING:
            raise DockerfileError(
                f"Variables are nested more than {_DEEPEST_NESTING} deep.", hint="use an ARG for the parts"
            )
        value = self._braced(self._name(), start)
        self.depth -= 1
        return value

    def _braced(self, name: str, start: int) -> str:
        """The rest of ``${name``, from the operator on."""
        operator = self._next()
        if operator == "}":
            return self._value(name, self.text[start : self.position])[0]
        if operator == "/":
            return self._replacement(name, start)
        colon = operator == ":"
        operator = self._next() if colon else operator
        if not operator or operator not in "+-?#%":
            raise self._unknown_form(name, (":" if colon else "") + operator)
        is_pattern = operator in "#%"
        word = self._joined("}", keeps_escapes=is_pattern or self.is_raw)
        value, is_set = self._value(name, self.text[start : self.position])
        if self._is_kept(is_set):
            return value
        has_value = is_set and not (colon and not value)
        if operator == "+":
            return word if has_value else ""
        if operator == "-":
            return value if has_value else word
        if operator == "?":
            return self._required(name, value, has_value, is_set, word)
        longest = word.startswith(operator)
        strip = without_prefix if operator == "#" else without_suffix
        return strip(value, word[1:] if longest else word, longest=longest)

    def _replacement(self, name: str, start: int) -> str:
        everywhere = self._peek() == "/"
        self.position += everywhere
        pattern = self._joined("/", keeps_escapes=True)
        replacement = self._joined("}", keeps_escapes=True)
        value, is_set = self._value(name, self.text[start : self.position])
        if self._is_kept(is_set):
            return value
        return replaced(value, pattern, replacement, everywhere=everywhere)

    def _joined(self, stop: str, *, keeps_escapes: bool) -> str:
        return "".join(piece for piece, _ in self._until(stop, keeps_escapes=keeps_escapes))

    def _required(self, name: str, value: str, has_value: bool, is_set: bool, message: str) -> str:
        if has_value:
            return value
        problem = message or f"it is not allowed to be {'empty' if is_set else 'unset'}"
        raise DockerfileError(f"{name}: {problem}", hint=f"give {name} a value with ARG, ENV or --build-arg {name}=…")

    def _is_kept(self, is_set: bool) -> bool:
        return (self.is_raw or self.keeps_variables) and not is_set

    def _value(self, name: str, written: str) -> tuple[str, bool]:
        """Value and whether it is set; what is ``written`` where variables that are not set are kept."""
        if self.used is not None:
            self.used.add(name)
        if name in self.variables:
            return self.variables[name], True
        return (written if self._is_kept(is_set=False) else ""), False

    def _name(self) -> str:
        """A variable's name: letters, digits and ``_``; digits alone; or one special character."""
        start = self.position
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self.position += 1
        elif first and first in _SPECIAL:
            self.position += 1
        else:
            while (char := self._peek()) and (char == "_" or char.isalpha() or char.isdecimal()):
                self.position += 1
        return self.text[start : self.position]

    def _unknown_form(self, name: str, operator: str) -> DockerfileError:
        if not operator.strip(":"):
            return DockerfileError(f"“${{{name}” is not closed in “{_shown(self.text)}”.", hint="add the “}”")
        return DockerfileError(
            f"“${{{name}{operator.strip()}…}}” is not a form that variables have, in “{_shown(self.text)}”.",
            hint="after the name comes one of :- - :+ + :? ? # ## % %% / //",
        )
