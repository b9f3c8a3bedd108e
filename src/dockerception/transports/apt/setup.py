"""What is put into a root file system before and after the packages: shell run by mmdebstrap, and files of ours."""

from __future__ import annotations

from typing import Final

from ...oci.entry import DIRECTORY, FILE, SYMLINK, Entry

Extras = dict[str, tuple[Entry, bytes]]
"""Files by path that are added to the packages' files, or replace them."""

_WITH_LIB64: Final = ("amd64", "loong64", "mips64el", "ppc64el")

# $1 is the root file system.  dpkg is told of a package that stands for the links, for else apt would choose the
# package usrmerge, a program in Perl that makes them afterwards.
_MERGE: Final = r"""
set -eu
for folder in bin sbin lib {lib64}; do mkdir -p "$1/usr/$folder"; ln -s "usr/$folder" "$1/$folder"; done
printf '%s\n' 'Package: usr-is-merged' 'Status: install ok installed' 'Priority: optional' 'Section: oldlibs' \
    'Maintainer: nobody <nobody@localhost>' 'Architecture: all' 'Multi-Arch: foreign' 'Source: usrmerge' 'Version: 0' \
    'Description: stands for the links that are made before anything is installed' '' >> "$1/var/lib/dpkg/status"
mkdir -p "$1/var/lib/dpkg/info"
: > "$1/var/lib/dpkg/info/usr-is-merged.list"
"""

# Debian 13 has the program in /usr/bin, where /bin is a link to.  Here /bin is a directory always.
_APPLETS: Final = r"""
set -eu
[ ! -L "$1/bin" ] || rm "$1/bin"
mkdir -p "$1/bin"
[ -e "$1/bin/busybox" ] || mv "$1/usr/bin/busybox" "$1/bin/busybox"
for applet in $("$1/bin/busybox" --list); do [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"; done
"""

_PASSWD: Final = b"""\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
_GROUP: Final = b"""\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
tty:x:5:
disk:x:6:
mail:x:8:
utmp:x:43:
www-data:x:33:
operator:x:37:
staff:x:50:
users:x:100:
nogroup:x:65534:
"""
_FOLDERS: Final = {
    "bin": 0o755, "dev": 0o755, "etc": 0o755, "home": 0o755, "root": 0o700, "tmp": 0o1777, "usr": 0o755,
    "usr/bin": 0o755, "usr/sbin": 0o755, "var": 0o755, "var/www": 0o755,
}  # fmt: skip


def merge_script(architecture: str) -> str:
    """The setup script that makes ``/bin`` and its like links into ``/usr``."""
    return _MERGE.replace("{lib64}", "lib64" if architecture in _WITH_LIB64 else "")


def applets_script() -> str:
    """The extract script (that variant runs no later one) that makes a link for each applet of ``/bin/busybox``."""
    return _APPLETS


def hook(variable: str) -> str:
    """A hook that runs the script in an environment variable: mmdebstrap prints each hook, however long it is."""
    return f'sh -c "${variable}" sh "$1"'


def busybox_extras(epoch: int) -> Extras:
    """The users, groups and folders around busybox."""
    extras: Extras = {}
    for path, mode in _FOLDERS.items():
        extras[path] = (Entry(path=path, kind=DIRECTORY, mode=mode, mtime=epoch), b"")
    for path, data in (("etc/passwd", _PASSWD), ("etc/group", _GROUP)):
        extras[path] = file_extra(path, data, epoch)
    # Scripts name /usr/bin/env.
    link = Entry(path="usr/bin/env", kind=SYMLINK, mode=0o777, mtime=epoch, link="../../bin/env")
    extras[link.path] = (link, b"")
    return extras


def file_extra(path: str, data: bytes, epoch: int) -> tuple[Entry, bytes]:
    """A file as an extra."""
    return Entry(path=path, kind=FILE, mode=0o644, size=len(data), mtime=epoch), data
