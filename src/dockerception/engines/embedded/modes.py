"""``--chmod``: octal or symbolic modes (Dockerfile reference, "COPY --chown --chmod"; POSIX chmod for the clauses)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ...errors import DockerfileError

Change = Callable[[int, bool], int]
"""(mode, is a directory) -> mode; twelve permission bits each."""

_CLAUSE: Final = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION: Final = re.compile(r"([-+=])([rwxXst]*[ugo]?)")
_SHIFTS: Final = {"u": 6, "g": 3, "o": 0}
_BITS: Final = {"r": 4, "w": 2, "x": 1}
_SPECIAL: Final = {"u": ("s", 0o4000), "g": ("s", 0o2000), "o": ("t", 0o1000)}
"""For each class its letter for the bit above its three permissions, and that bit (as coreutils has it)."""


def parse(text: str) -> Change | None:
    """The change that ``--chmod=text`` asks for; None for an empty text.  Raises ``DockerfileError``."""
    if not text:
        return None
    if re.fullmatch(r"[0-7]{1,5}", text) and int(text, 8) <= 0o7777:
        mode = int(text, 8)
        return lambda old, is_directory: mode
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if not all(clauses):
        raise DockerfileError(
            f"--chmod={text} is not a mode.",
            hint="write it in octal (--chmod=0755) or in letters (--chmod=u=rwX,go=rX)",
        )
    found = [(clause[1], clause[2]) for clause in clauses if clause]

    def change(mode: int, is_directory: bool) -> int:
        for who, actions in found:
            for operator, permissions in _ACTION.findall(actions):
                mode = _act(mode, who or "a", operator, permissions, is_directory)
        return mode

    return change


def _act(mode: int, who: str, operator: str, permissions: str, is_directory: bool) -> int:
    classes = "ugo" if "a" in who else who
    mask = bits = 0
    for one in classes:
        shift = _SHIFTS[one]
        letter, special = _SPECIAL[one]
        mask |= (7 << shift) | special
        bits |= _permission_bits(mode, permissions, is_directory) << shift
        if letter in permissions:
            bits |= special
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    # POSIX leaves set-id bits of directories to the system; GNU keeps them unless named.
    kept = mode & 0o6000 if is_directory and "s" not in permissions else 0
    return (mode & ~mask) | bits | kept


def _permission_bits(mode: int, permissions: str, is_directory: bool) -> int:
    bits = 0
    for letter in permissions:
        if letter in _BITS:
            bits |= _BITS[letter]
        elif letter == "X" and (is_directory or mode & 0o111):
            bits |= 1
        elif letter in _SHIFTS:
            bits |= (mode >> _SHIFTS[letter]) & 7
    return bits
