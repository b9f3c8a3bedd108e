"""A root file system around the one static program of Debian's package busybox-static."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

_FOLDERS = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "root": 0o700,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
    "var/www": 0o755,
}
_USERS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
_GROUPS = """\
root:x:0:
daemon:x:1:
bin:x:2:
staff:x:50:
www-data:x:33:
operator:x:37:
nogroup:x:65534:
"""


def busybox_rootfs(package: Path, target: Path, epoch: int) -> None:
    """Write a tar: the program that ``package`` (a tar of the unpacked package) holds, its links, users and folders.

    ``epoch`` is the modification time of all entries, in seconds.
    """
    program = _program(package)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as rootfs:
        for name, mode in _FOLDERS.items():
            rootfs.addfile(_entry(name, tarfile.DIRTYPE, mode, epoch))
        for name, content, mode in (
            ("bin/busybox", program, 0o755),
            ("etc/group", _GROUPS.encode(), 0o644),
            ("etc/passwd", _USERS.encode(), 0o644),
        ):
            entry = _entry(name, tarfile.REGTYPE, mode, epoch)
            entry.size = len(content)
            rootfs.addfile(entry, io.BytesIO(content))
        for applet in _applets(program):
            link = _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777, epoch)
            link.linkname = "busybox"
            rootfs.addfile(link)


def _program(package: Path) -> bytes:
    with tarfile.open(package) as archive:
        file = archive.extractfile("./bin/busybox")
        if file is None:
            raise ValueError(f"{package} has no file ./bin/busybox")
        return file.read()


def _applets(program: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "busybox"
        path.write_bytes(program)
        path.chmod(0o755)
        listing = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout
    return sorted(set(listing.split()) - {"busybox"})


def _entry(name: str, kind: bytes, mode: int, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, epoch
    return entry
