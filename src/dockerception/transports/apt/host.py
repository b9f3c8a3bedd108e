"""What this machine says about itself: os-release(5), and its package sources in both formats of sources.list(5)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ...errors import TransportError

_ONE_LINE: Final = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)\s*(?:#.*)?")
_DISABLED: Final = ("no", "false", "0", "off", "without", "disable")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a sources.list.  ``uri`` may hold credentials: it is for apt's eyes only."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    is_trusted: bool = False

    @property
    def line(self) -> str:
        """The line for apt."""
        options = [f"signed-by={self.signed_by}"] if self.signed_by else []
        options += ["trusted=yes"] if self.is_trusted else []
        shown = f"[{' '.join(options)}] " if options else ""
        return f"deb {shown}{self.uri} {self.suite} {' '.join(self.components)}".rstrip()

    @property
    def is_security(self) -> bool:
        """Whether this is the suite of security updates."""
        return self.suite.endswith(("-security", "/updates"))


class System(msgspec.Struct, frozen=True):
    """What /etc/os-release says: ``debian``, ``ubuntu`` (for what derives from them too) or neither, and the suite."""

    distribution: str
    codename: str


def read_system(etc: str) -> System:
    """The distribution and suite of this machine; empty fields where /etc/os-release does not say."""
    text = _read(os.path.join(etc, "os-release")) or _read("/usr/lib/os-release" if etc == "/etc" else "")
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            fields[key.strip()] = value.strip().strip("\"'")
    family = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    distribution = next((name for name in ("ubuntu", "debian") if name in family), "")
    derived = fields.get("UBUNTU_CODENAME", "") or fields.get("DEBIAN_CODENAME", "")
    return System(distribution, derived or fields.get("VERSION_CODENAME", ""))


def host_sources(etc: str = "/etc") -> Iterator[Source]:
    """All enabled binary sources of this machine, in the order in which apt reads them."""
    yield from _one_line(_read(os.path.join(etc, "apt/sources.list")))
    folder = os.path.join(etc, "apt/sources.list.d")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for name in names:
        if name.endswith(".list"):
            yield from _one_line(_read(os.path.join(folder, name)))
        elif name.endswith(".sources"):
            yield from _deb822(_read(os.path.join(folder, name)), os.path.join(folder, name))


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.strip())
        if match:
            options = dict(item.partition("=")[::2] for item in (match[1] or "").split())
            yield Source(
                uri=match[2],
                suite=match[3],
                components=tuple(match[4].split()),
                signed_by=options.get("signed-by", ""),
                is_trusted=options.get("trusted") == "yes",
            )


def _deb822(text: str, path: str) -> Iterator[Source]:
    for fields in _stanzas(text):
        is_enabled = fields.get("enabled", "yes").lower() not in _DISABLED
        if not is_enabled or "deb" not in fields.get("types", "").split():
            continue
        signed_by = fields.get("signed-by", "")
        if "\n" in signed_by or "BEGIN PGP" in signed_by:
            signed_by = f"{path} (a key inside the file)"
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=signed_by,
                    is_trusted=fields.get("trusted", "no") == "yes",
                )


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    """Fields of deb822 stanzas with lower-case names; continuation lines are joined by newlines."""
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t" and last:
            fields[last] = f"{fields[last]}\n{line.strip()}" if fields[last] else line.strip()
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.strip()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TransportError(f"{path} can't be read: {error.strerror}.") from error
