"""``WWW-Authenticate`` headers (RFC 9110, section 11.6.1): what a server wants to see."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # the grammar's word for a word
# Nothing is tried in two ways (possessive quantifiers): a header of blanks would else take minutes.
_SCHEME: Final = re.compile(rf"[\s,]*+({_TOKEN}+)(?=\s|,|$)")
_PARAMETER: Final = re.compile(rf'[\s,]*+({_TOKEN}+)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]+))')
_TOKEN68: Final = re.compile(r"\s++[0-9A-Za-z._~+/-]++=*+(?=\s*+(?:,|$))")


class Challenge(msgspec.Struct, frozen=True):
    """One challenge: its scheme and the names of its parameters in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse(header: str) -> list[Challenge]:
    """The challenges of a header's value, several of them separated by commas; what is malformed ends the list."""
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        token = _TOKEN68.match(header, position)
        if token:
            position = token.end()
        while not token and (parameter := _PARAMETER.match(header, position)):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return found
