"""Bases from Debian's packages with the real mmdebstrap and the real archive."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import dockerception
from dockerception.errors import TransportError
from dockerception.oci import config as oci_config
from dockerception.reference import Platform
from dockerception.transports import apt
from support.tools import give_up, need, need_root

DEBIAN = "debian.org"
SUITE = "bookworm"
USER = f"dockerception-apt-{os.getpid()}"
AS_USER = """
import hashlib, sys
from dockerception.reference import Platform
from dockerception.transports import apt
image = apt.open_image(apt.parse(sys.argv[1]), platform=Platform.host(), scratch=sys.argv[2], log=lambda line: None)
hasher = hashlib.sha256()
with image.read_layer(0) as read:
    while chunk := read(1 << 20):
        hasher.update(chunk)
print(image.identity, hasher.hexdigest())
image.close()
"""


@pytest.fixture(autouse=True)
def needed() -> None:
    need_root()
    need("mmdebstrap")


def open_apt(text: str, scratch: Path, log: list[bytes] | None = None) -> apt.AptImage:
    lines = [] if log is None else log
    return apt.open_image(apt.parse(text), platform=Platform.host(), scratch=str(scratch), log=lines.append)


def layer(image: apt.AptImage) -> bytes:
    with image.read_layer(0) as read:
        return b"".join(iter(lambda: read(1 << 20), b""))


def files(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            found[member.name] = (member, file.read() if file else b"")
    return found


def field(stanza: str) -> Callable[[str], str]:
    """The values of a stanza by their names."""
    return dict(re.findall(r"^(\S+): (.*)$", stanza, re.MULTILINE)).__getitem__


def test_busybox_is_small_and_runs(tmp_path: Path) -> None:
    image = open_apt(f"apt://{SUITE}?variant=busybox", tmp_path)
    data = layer(image)
    assert len(data) < 2_500_000
    found = files(data)
    assert found["bin/sh"][0].linkname == "busybox"
    assert found["tmp"][0].mode == 0o1777
    assert b"www-data:x:33:33:" in found["etc/passwd"][1]
    assert not [path for path in found if path.startswith(("var/lib", "etc/apt", "usr/share/man"))]
    assert oci_config.decode(image.config_bytes).config.cmd == ("sh",)
    assert image.packages[0].startswith("busybox-static=")
    image.close()
    assert os.listdir(tmp_path) == []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "root", filter="fully_trusted")
    command = ["chroot", str(tmp_path / "root"), "sh", "-c", "id -un; env true && echo ok"]
    said = subprocess.run(command, capture_output=True, check=True)
    assert said.stdout == b"root\nok\n"


def test_a_small_system_tells_nothing_of_this_machine_and_is_what_was_resolved(tmp_path: Path) -> None:
    log: list[bytes] = []
    image = open_apt(f"apt://{SUITE}?variant=apt&docs=false&include=adduser", tmp_path, log)
    data = layer(image)
    found = files(data)
    created = oci_config.parse_time(oci_config.decode(image.config_bytes).created)
    assert oci_config.decode(image.config_bytes).config.cmd == ("/bin/bash",)
    assert max(member.mtime for member, _ in found.values()) == created
    assert not {"etc/hostname", "etc/resolv.conf", "var/lib/dpkg/lock", "etc/apt/apt.conf.d/99mmdebstrap"} & set(found)
    assert not [path for path in found if path.startswith("var/log/") and found[path][0].isfile()]
    assert not [member for member, _ in found.values() if member.ischr() or member.isblk()]
    assert found["bin"][0].linkname == "usr/bin"
    assert found["etc/apt/sources.list"][1].startswith(f"deb http://deb.{DEBIAN}/debian {SUITE} main\n".encode())
    stanzas = found["var/lib/dpkg/status"][1].decode().strip().split("\n\n")
    installed = sorted("=".join(map(field(stanza), ("Package", "Version", "Architecture"))) for stanza in stanzas)
    assert installed == sorted(image.packages)
    assert any(b"Fetched" in line for line in log)
    assert any(b"installing" in line for line in log)


@pytest.fixture
def user() -> Iterator[str]:
    """A user of this machine with subordinate ids, as useradd makes them."""
    subprocess.run([need("useradd"), "--create-home", "--shell", "/bin/sh", USER], check=True)
    try:
        if USER not in Path("/etc/subuid").read_text():
            give_up("useradd grants no subordinate ids on this machine")
        yield USER
    finally:
        subprocess.run([need("userdel"), "--remove", USER], check=True, capture_output=True)


def test_root_and_a_user_get_the_same_bytes(tmp_path: Path, user: str) -> None:
    text = f"apt://{SUITE}?variant=essential&docs=false"
    image = open_apt(text, tmp_path)
    expected = f"{image.identity} {hashlib.sha256(layer(image)).hexdigest()}"
    assert as_user(user, text) == expected


def as_user(user: str, text: str) -> str:
    """What the script prints for the user, whose home is closed to everybody else."""
    home = Path(f"~{user}").expanduser()
    for package in (dockerception, msgspec):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, home / "program" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "scratch").mkdir()
    subprocess.run(["chown", "-R", f"{user}:", home], check=True)
    home.chmod(0o700)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(home / "program"), "PYTHONDONTWRITEBYTECODE": "1"}
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        prefix = [need("runuser"), "-u", user, "--", python, "-c"]
        version = [*prefix, "import sys; print(sys.version_info[:2])"]
        seen = subprocess.run(version, capture_output=True, text=True, check=False, cwd="/")
        if seen.stdout.strip() == str(sys.version_info[:2]):
            break
    else:
        give_up("no Python of this version that every user can execute")
    command = [*prefix, AS_USER, text, str(home / "scratch")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    assert os.listdir(home / "scratch") == []
    return done.stdout.strip()


def test_leaving_early_ends_everything(tmp_path: Path) -> None:
    image = open_apt(f"apt://{SUITE}?variant=busybox", tmp_path)
    with image.read_layer(0) as read:
        read(1)
    image.close()
    assert os.listdir(tmp_path) == []
    assert not subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


@pytest.mark.parametrize(
    ("text", "message", "details"),
    [
        (f"apt://{SUITE}?include=no-such-package-here", "can't be installed together", "Unable to locate package"),
        ("apt://no-such-suite", "package lists can't be fetched", "no-such-suite"),
        (f"apt://{SUITE}?mirror=http://user:secret@127.0.0.1:9/debian", "package lists can't be fetched", "127.0.0.1"),
    ],
)
def test_what_fails_says_why(tmp_path: Path, text: str, message: str, details: str) -> None:
    image = open_apt(text, tmp_path)
    with pytest.raises(TransportError) as caught:
        image.identity  # noqa: B018
    image.close()
    assert message in caught.value.message
    assert details in caught.value.details
    assert "secret" not in str(caught.value)
    assert caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_package_that_fails_to_install_is_shown(tmp_path: Path) -> None:
    """Without dpkg in the image nothing can be configured, which only mmdebstrap finds out."""
    image = open_apt(f"apt://{SUITE}?variant=custom&include=busybox-static", tmp_path)
    with pytest.raises(TransportError, match="mmdebstrap exited with code") as caught:
        layer(image)
    image.close()
    assert "dpkg" in caught.value.details
