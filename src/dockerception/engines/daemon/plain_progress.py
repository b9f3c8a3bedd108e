"""BuildKit's ``--progress plain``, which all versions of its command line print, read line by line.

#5 [build 2/3] RUN make            a step begins, or goes on after lines of others
#5 0.214 cc -c main.c              what it prints, and when
#5 CACHED | DONE 0.3s | CANCELED | ERROR: process "…" did not complete …
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final, Protocol

_LINE: Final = re.compile(rb"#(\d+) (.*)", re.DOTALL)
_OUTPUT: Final = re.compile(rb"\d+\.\d+ (.*)", re.DOTALL)
_DONE: Final = re.compile(rb"DONE \d")
_NOT_SHOWN: Final = ("[internal]", "building with ")
_TRAILER_LINES: Final = 200
_LAST_LINES: Final = 5


class Steps(Protocol):
    """What is told of the steps; ``key`` is what the builder calls one (see ``reporting.Progress``)."""

    def begin(self, key: str, name: str) -> None:
        """A step begins."""

    def log(self, key: str, data: bytes) -> None:
        """Output of a step."""

    def end(self, key: str, *, is_cached: bool = False, error: str = "") -> None:
        """A step has ended."""


class PlainProgress:
    """Takes the lines of one build."""

    def __init__(self, progress: Steps) -> None:
        self._progress = progress
        self._known: set[str] = set()
        self._trailer: deque[str] = deque(maxlen=_TRAILER_LINES)

    def take(self, line: bytes) -> None:
        """Read one line, its line end included."""
        match = _LINE.match(line)
        if match is None:
            self._trailer.append(line.decode(errors="replace").rstrip("\n"))
            return
        key, rest = match[1].decode(), match[2]
        if key not in self._known:
            self._known.add(key)
            name = rest.decode(errors="replace").strip()
            if not name.startswith(_NOT_SHOWN):
                self._progress.begin(key, name)
        elif rest.startswith(b"CACHED"):
            self._progress.end(key, is_cached=True)
        elif _DONE.match(rest):
            self._progress.end(key)
        elif rest.startswith((b"ERROR: ", b"CANCELED")):
            self._progress.end(key, error=rest.decode(errors="replace").strip())
        elif output := _OUTPUT.match(rest):
            self._progress.log(key, output[1])

    @property
    def failure(self) -> str:
        """Why the build failed, as the command says in the end."""
        lines = list(self._trailer)
        for position in range(len(lines) - 1, -1, -1):
            if lines[position].startswith(("ERROR: ", "error: ", "failed to solve")):
                return "\n".join(lines[position:]).strip()
        # Old versions say it without a mark, after an excerpt of the output between two lines of dashes.
        after = max((number for number, line in enumerate(lines) if line.startswith("------")), default=-1) + 1
        return "\n".join(lines[after:][-_LAST_LINES:]).strip()
