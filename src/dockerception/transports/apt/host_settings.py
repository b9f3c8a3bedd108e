"""How this machine's apt reaches its sources: proxies, checks, credentials.  They count: the sources are its own."""

from __future__ import annotations

import os
import re
from typing import Final

from ... import process

_SETTING: Final = re.compile(r'^(Acquire::\S+) "(.*)";$', re.MULTILINE)
_NOT_ABOUT_REACHING: Final = (
    "Acquire::IndexTargets", "Acquire::Changelogs", "Acquire::Languages", "Acquire::CompressionTypes",
    "Acquire::GzipIndexes", "Acquire::cdrom",
)  # fmt: skip


def acquire_settings() -> str:
    """The ``Acquire::`` settings of this machine, as apt.conf(5) text."""
    dump = process.run([process.require("apt-config", "apt", "for apt:// bases"), "dump"]).stdout
    found = _SETTING.findall(dump.decode(errors="replace"))
    kept = [(key, value) for key, value in found if value and not key.startswith(_NOT_ABOUT_REACHING)]
    return "".join(f'{key} "{value}";\n' for key, value in kept)


def credential_files(etc: str = "/etc") -> dict[str, str]:
    """The readable files of apt_auth.conf(5): their names below /etc/apt, and where they are."""
    names = ["auth.conf"]
    try:
        names += [f"auth.conf.d/{name}" for name in sorted(os.listdir(os.path.join(etc, "apt/auth.conf.d")))]
    except OSError:
        pass  # no such directory, or not ours to read
    paths = {name: os.path.join(etc, "apt", name) for name in names}
    return {name: path for name, path in paths.items() if os.access(path, os.R_OK)}
