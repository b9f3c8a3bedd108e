"""What apt's downloaded lists say: names by priority, and the date of a release.

apt could be asked with patterns (``?essential``), but takes seconds for what one look at the file tells.
"""

from __future__ import annotations

import calendar
import mmap
import os
import re
from collections.abc import Iterator
from email.utils import parsedate
from typing import Final

import msgspec

from ...errors import TransportError

_INTERESTING: Final = re.compile(rb"^(?:Essential: yes|Priority: (?:required|important|standard))$", re.MULTILINE)
_MERGED: Final = re.compile(r"\busr-is-merged\b")


class Listed(msgspec.Struct, frozen=True):
    """A package of a list that is essential or has one of the three highest priorities."""

    name: str
    is_essential: bool
    priority: str
    wants_merged: bool


def read(folder: str, suite: str, architecture: str) -> tuple[Listed, ...]:
    """The base packages that the lists of a suite name."""
    found: dict[str, Listed] = {}
    for name in sorted(os.listdir(folder)):
        if _is_of(name, suite) and name.endswith(f"_binary-{architecture}_Packages"):
            for item in _read_list(os.path.join(folder, name)):
                found.setdefault(item.name, item)
    return tuple(found.values())


def release_date(folder: str, suite: str) -> int:
    """The Date of the suite's Release file, in seconds since the epoch.  Raises ``TransportError`` if there is none."""
    for name in sorted(os.listdir(folder)):
        if _is_of(name, suite) and name.endswith(("_InRelease", "_Release")):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                date = next((line.partition(":")[2].strip() for line in file if line.startswith("Date:")), "")
            parsed = parsedate(date)
            if parsed:
                return calendar.timegm(parsed)
    raise TransportError(f"The suite {suite} has no Release file with a date.")


def _is_of(name: str, suite: str) -> bool:
    """Whether a list is of this suite: apt names it after the address, with ``_`` for ``/``."""
    return f"_dists_{suite.replace('/', '_')}_" in name


def _read_list(path: str) -> Iterator[Listed]:
    if os.path.getsize(path) == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 0
        for match in _INTERESTING.finditer(data):
            if match.start() < end:
                continue  # a second line of the same stanza
            start = data.rfind(b"\n\n", 0, match.start()) + 2 if match.start() else 0
            end = data.find(b"\n\n", match.start())
            end = len(data) if end < 0 else end
            yield _stanza(data[start if start > 1 else 0 : end].decode(errors="replace"))


def _stanza(text: str) -> Listed:
    fields = dict(line.partition(":")[::2] for line in text.splitlines() if not line.startswith((" ", "\t")))
    depends = fields.get("Pre-Depends", "") + fields.get("Depends", "")
    return Listed(
        fields.get("Package", "").strip(),
        fields.get("Essential", "").strip() == "yes",
        fields.get("Priority", "").strip(),
        bool(_MERGED.search(depends)),
    )
