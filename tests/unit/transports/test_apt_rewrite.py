"""From mmdebstrap's tar to a layer: what is dropped, what is made the same everywhere, and in which order."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence

import pytest

from dockerception.errors import TransportError
from dockerception.oci.tarreader import TarReader
from dockerception.oci.tarwriter import END_OF_ARCHIVE
from dockerception.transports.apt import setup
from dockerception.transports.apt.rewrite import Rules, rewrite

EPOCH = 1_700_000_000


def rewritten(
    files: Mapping[str, bytes | str | None], *, links: Mapping[str, str] | None = None, rules: Rules | None = None
) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """``files``: contents by path, a symlink's target as text, None for a directory; in that order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.mtime = EPOCH + 5 if "new" in path else EPOCH - 5
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{path}")
            member.type, member.linkname = tarfile.LNKTYPE, f"./{target}"
            archive.addfile(member)
    buffer.seek(0)
    reader = TarReader(buffer.read, origin="The test")
    layer = b"".join(bytes(chunk) for chunk in rewrite(reader, rules or all_of_it())) + END_OF_ARCHIVE
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            found[member.name] = (member, file.read() if file else b"")
        return found


def all_of_it(*, docs: bool = True, package_manager: bool = True, extras: setup.Extras | None = None) -> Rules:
    return Rules(epoch=EPOCH, extras=extras or {}, keeps_docs=docs, has_package_manager=package_manager)


@pytest.mark.parametrize(
    "path",
    [
        "etc/hostname", "etc/resolv.conf", "etc/.pwd.lock", "etc/apt/sources.list", "etc/apt/sources.list.d/x.sources",
        "etc/apt/auth.conf", "etc/apt/auth.conf.d/secret.conf", "etc/apt/apt.conf.d/98host",
        "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/ssh/ssh_host_rsa_key",
        "var/log/dpkg.log", "var/log/apt/history.log", "var/log/alternatives.log", "var/cache/apt/pkgcache.bin",
        "var/cache/ldconfig/aux-cache", "var/cache/debconf/config.dat-old", "var/lib/apt/lists/deb_InRelease",
        "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend", "var/lib/dpkg/status-old", "var/lib/dpkg/triggers/Lock",
        "var/lib/dbus/machine-id", "run/utmp", "tmp/left", "var/tmp/left",
    ],
)  # fmt: skip
def test_what_an_installation_leaves_behind_is_dropped(path: str) -> None:
    assert list(rewritten({"bin": None, path: b"data"})) == ["bin"]


@pytest.mark.parametrize(
    "path", ["etc/hosts", "var/lib/dpkg/status", "var/cache/debconf/config.dat", "etc/apt/apt.conf.d/70debconf", "logo"]
)
def test_what_packages_own_is_kept(path: str) -> None:
    assert rewritten({path: b"data"})[path][1] == b"data"


def test_folders_of_logs_and_lists_stay() -> None:
    assert list(rewritten({"var": None, "var/log": None, "var/log/apt": None, "var/log/x": b""})) == [
        "var",
        "var/log",
        "var/log/apt",
    ]


def test_no_time_is_newer_than_the_release() -> None:
    found = rewritten({"new": b"", "old": b""})
    assert found["new"][0].mtime == EPOCH
    assert found["old"][0].mtime == EPOCH - 5


def test_passwords_were_changed_on_the_day_of_the_release_and_the_machine_has_no_id() -> None:
    found = rewritten({"etc/machine-id": b"0123\n", "etc/shadow": b"root:*:20645:0:99999:7:::\nx:!:0:::\n"})
    assert found["etc/shadow"][1] == b"root:*:19675:0:99999:7:::\nx:!:0:::\n"
    assert found["etc/machine-id"][1] == b""


def test_without_documents_copyright_notices_stay() -> None:
    files: dict[str, bytes | str | None] = {
        "usr/share": None, "usr/share/doc": None, "usr/share/doc/a": None, "usr/share/doc/a/changelog.gz": b"x",
        "usr/share/doc/a/copyright": b"c", "usr/share/doc/b": "a", "usr/share/doc/c": None,
        "usr/share/doc/c/README": b"x", "usr/share/locale": None, "usr/share/locale/de": None,
        "usr/share/locale/de/x.mo": b"x", "usr/share/man": None, "usr/share/man/man1": None,
        "usr/share/man/man1/a.1.gz": b"x", "usr/share/zoneinfo": None,
    }  # fmt: skip
    assert list(rewritten(files, rules=all_of_it(docs=False))) == [
        "usr/share", "usr/share/doc", "usr/share/doc/a", "usr/share/doc/a/copyright", "usr/share/doc/b",
        "usr/share/zoneinfo",
    ]  # fmt: skip


def test_extras_come_in_order_and_replace() -> None:
    extras = {path: setup.file_extra(path, b"extra", EPOCH) for path in ("a", "etc/apt/sources.list", "etc/zzz", "zzz")}
    found = rewritten(
        {"b": b"", "etc": None, "etc/apt": None, "etc/apt/sources.list": b"host's", "etc-x": b"", "f": b""},
        rules=all_of_it(extras=extras),
    )
    assert list(found) == ["a", "b", "etc", "etc/apt", "etc/apt/sources.list", "etc/zzz", "etc-x", "f", "zzz"]
    assert found["etc/apt/sources.list"][1] == b"extra"


def test_a_root_of_busybox_has_no_package_manager() -> None:
    files: Sequence[tuple[str, bytes | str | None]] = [
        ("bin", None), ("bin/busybox", b"program"), ("bin/sh", "busybox"), ("etc", None), ("etc/apt", None),
        ("etc/apt/preferences.d", None), ("etc/dpkg", None), ("etc/fstab", b"x"), ("usr", None), ("usr/share", None),
        ("usr/share/doc", None), ("usr/share/doc/busybox-static", None),
        ("usr/share/doc/busybox-static/copyright", b"c"), ("usr/share/lintian", None),
        ("usr/share/lintian/overrides", None), ("var", None), ("var/cache", None), ("var/lib", None),
        ("var/lib/dpkg", None), ("var/lib/dpkg/status", b"x"), ("var/log", None), ("var/log/apt", None),
    ]  # fmt: skip
    rules = all_of_it(docs=False, package_manager=False, extras=setup.busybox_extras(EPOCH))
    found = rewritten(dict(files), rules=rules)
    assert list(found) == [
        "bin", "bin/busybox", "bin/sh", "dev", "etc", "etc/group", "etc/passwd", "home", "root", "tmp", "usr",
        "usr/bin", "usr/bin/env", "usr/sbin", "usr/share", "usr/share/doc", "usr/share/doc/busybox-static",
        "usr/share/doc/busybox-static/copyright", "var", "var/www",
    ]  # fmt: skip
    assert found["tmp"][0].mode == 0o1777


def test_output_out_of_order_is_refused() -> None:
    with pytest.raises(TransportError, match="did not sort its output: a comes too late"):
        rewritten({"b": b"", "a": b""})


def test_a_link_to_something_dropped_is_refused() -> None:
    with pytest.raises(TransportError, match="zzz is a hard link to var/log/x"):
        rewritten({"var/log/x": b"data"}, links={"zzz": "var/log/x"})
