"""Output of processes, cut into whole lines."""

from __future__ import annotations

import re
from typing import Final

_MAX_LINE: Final = 1 << 16
_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]"
)


class LineBuffer:
    """Collects chunks and gives whole lines back, without their ends.

    A carriage return starts a line over, as on a terminal, so that of a progress bar only the last state stays.  What
    gets longer than 64 KiB without an end is given back in pieces.
    """

    def __init__(self) -> None:
        self._rest = b""

    def add(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        if len(rest) > _MAX_LINE:
            whole.append(rest)
            rest = b""
        self._rest = rest
        return [_text(line) for line in whole]

    def flush(self) -> list[str]:
        """What is left without an end."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def without_controls(text: str) -> str:
    """The text without terminal escapes and control characters, tabs as blanks."""
    return _ESCAPES.sub("", text).expandtabs()


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").rpartition(b"\r")[2].decode(errors="replace")
