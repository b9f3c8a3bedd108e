"""From mmdebstrap's tar to a layer: the same packages give the same bytes, and nothing tells of this machine.

Entries are passed on as they come.  What the installation leaves behind (logs, locks, lists, caches, the host's name,
random keys) is dropped, times and a few files are made the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from ...errors import TransportError
from ...oci import tarwriter
from ...oci.entry import BLOCK, CHAR, DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from ...oci.tarreader import TarReader
from ..canonical import order_key
from .setup import Extras

_DAY: Final = 86400

# Everything but directories that lies there is dropped.
_LEFTOVERS: Final = re.compile(
    r"(?:"
    r"var/log/|var/cache/(?:apt|ldconfig|man|fontconfig)/|var/lib/apt/lists/|run/|tmp/|var/tmp/|dev/"
    r"|etc/(?:hostname|resolv\.conf|\.pwd\.lock)$"
    r"|etc/apt/(?:sources\.list|auth\.conf|apt\.conf\.d/9[0-9](?:mmdebstrap|host)$)"
    r"|etc/dpkg/dpkg\.cfg\.d/99mmdebstrap$"
    r"|etc/ssh/ssh_host_"
    r"|var/lib/dpkg/(?:lock|triggers/Lock|[^/]+-old$)"
    r"|var/cache/debconf/[^/]+-old$"
    r"|var/lib/(?:dbus/machine-id|systemd/random-seed|systemd/credential\.secret)$"
    r")"
)
_PACKAGE_MANAGER: Final = re.compile(
    r"(?:etc/(?:apt|dpkg)|var/lib/(?:apt|dpkg)|var/cache(?:/apt)?|var/log(?:/apt)?|etc/fstab|usr/share/(?:lintian|initramfs-tools))(?:/|$)"
)
# apt makes them anew; whose they are depends on whether it could change to its own user.
_PARTIAL: Final = ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial")
_DOCUMENTS: Final = re.compile(r"usr/share/(?:doc|man|info|locale|lintian|linda|gnome/help)(?:/|$)")
_COPYRIGHT: Final = re.compile(r"usr/share/doc/[^/]+(?:/copyright)?$")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """``epoch`` is the newest time that a file may have, in seconds."""

    epoch: int
    extras: Extras
    keeps_docs: bool
    has_package_manager: bool


def rewrite(reader: TarReader, rules: Rules) -> Iterator[bytes | memoryview]:
    """The layer's tar, without its end.  Raises ``TransportError`` if the entries do not come in canonical order."""
    pending: list[Entry] = []
    extras = sorted(rules.extras, key=order_key)
    dropped: set[str] = set()
    last = b""
    for entry in reader:
        if not entry.path:
            continue
        key = order_key(entry.path)
        if key <= last:
            raise TransportError(f"mmdebstrap did not sort its output: {entry.path} comes too late.")
        last = key
        while extras and order_key(extras[0]) < key:
            yield from _extra(rules.extras[extras.pop(0)])
        if extras and extras[0] == entry.path:
            yield from _extra(rules.extras[extras.pop(0)])
            continue
        if not _is_kept(entry, rules):
            dropped.add(entry.path) if entry.kind == FILE else None
            continue
        if entry.kind == HARDLINK and entry.link in dropped:
            raise TransportError(f"{entry.path} is a hard link to {entry.link}, which does not belong into an image.")
        pending = [folder for folder in pending if entry.path.startswith(f"{folder.path}/")]
        if entry.kind == DIRECTORY and _is_only_a_way(entry, rules):
            pending.append(entry)
            continue
        for folder in pending:
            yield from _passed(folder, reader, rules)
        pending = []
        yield from _passed(entry, reader, rules)
    for path in extras:
        yield from _extra(rules.extras[path])


def _is_kept(entry: Entry, rules: Rules) -> bool:
    path = entry.path
    if path in _PARTIAL or entry.kind in (CHAR, BLOCK) or (entry.kind != DIRECTORY and _LEFTOVERS.match(path)):
        return False
    if not rules.has_package_manager and _PACKAGE_MANAGER.match(path):
        return False
    if not rules.keeps_docs and _DOCUMENTS.match(path) and entry.kind != DIRECTORY:
        is_in_place = entry.kind == SYMLINK or path.endswith("/copyright")
        return bool(_COPYRIGHT.match(path)) and is_in_place
    return True


def _is_only_a_way(entry: Entry, rules: Rules) -> bool:
    """Whether a directory counts only if something below it is kept."""
    if not rules.keeps_docs and _DOCUMENTS.match(entry.path):
        return True
    return not rules.has_package_manager and entry.path in ("var", "var/lib", "usr", "usr/share")


def _passed(entry: Entry, reader: TarReader, rules: Rules) -> Iterator[bytes | memoryview]:
    entry = msgspec.structs.replace(entry, mtime=min(entry.mtime, rules.epoch))
    if entry.kind == FILE and entry.path in ("etc/machine-id", "etc/shadow", "etc/shadow-"):
        data = b"".join(bytes(chunk) for chunk in reader.contents())
        data = b"" if entry.path == "etc/machine-id" else _dated(data, rules.epoch)
        yield from _extra((msgspec.structs.replace(entry, size=len(data)), data))
        return
    yield tarwriter.header(entry)
    if entry.kind == FILE and entry.size:
        yield from reader.contents()
        yield bytes(-entry.size % tarwriter.BLOCK_SIZE)


def _extra(extra: tuple[Entry, bytes]) -> Iterator[bytes]:
    entry, data = extra
    yield tarwriter.header(entry) + data + bytes(-len(data) % tarwriter.BLOCK_SIZE)


def _dated(shadow: bytes, epoch: int) -> bytes:
    """A shadow file whose passwords were last changed at ``epoch``, not on the day of the installation."""
    lines = shadow.split(b"\n")
    for number, line in enumerate(lines):
        fields = line.split(b":")
        if len(fields) > 2 and fields[2].isdigit() and fields[2] != b"0":
            fields[2] = b"%d" % (epoch // _DAY)
            lines[number] = b":".join(fields)
    return b"\n".join(lines)
