"""Base images for tests, made from Debian's packages once on a machine.  No daemon and no registry is needed.

Each base exists as a root file system (a plain tar) and as an image (a docker-archive whose bytes depend on that tar
only), so that every engine under test starts from the same image.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from support import cache
from support.busybox import busybox_rootfs
from support.tools import need

SUITE = "bookworm"
EPOCH = 1_700_000_000  # seconds; the newest time that a file of a base may have

_CREATED = "2023-11-14T22:13:20Z"  # EPOCH, as image configs write it
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# Written by apt, dpkg or the host: different on each machine or at each run.
_UNWANTED = ("var/log/*", "var/cache/*/*", "var/lib/apt/lists/*", "etc/hostname", "etc/resolv.conf", "etc/machine-id")
_UNREAD = ("doc", "man", "locale", "info", "lintian")


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` as FROM has it, ``rootfs`` a tar of its files, ``archive`` a docker-archive that names it."""

    name: str
    rootfs: Path
    archive: Path


def busybox() -> Base:
    """About 2 MB: ``/bin/busybox`` and a link for each applet, a few users, ``/tmp``.  Neither /proc nor /sys."""
    package = ("mmdebstrap", "--quiet", "--variant=extract", "--include=busybox-static", "--format=tar", SUITE)

    def make(path: Path) -> None:
        downloaded = path.with_suffix(".package")
        run_mmdebstrap(package, downloaded)
        busybox_rootfs(downloaded, path, EPOCH)
        downloaded.unlink()

    return _base("busybox", ("1", *package), make, command="sh")


def debian() -> Base:
    """A small usr-merged Debian (``/bin`` is a link), with ``setcap``, ``setfattr`` and their like, without apt."""
    return _debian("debian", "libcap2-bin,attr")


def golang() -> Base:
    """Debian with its Go compiler."""
    return _debian("golang", "golang-go,ca-certificates")


BASES: dict[str, Callable[[], Base]] = {"busybox": busybox, "debian": debian, "golang": golang}


def carried(name: str, folder: Path) -> Base:
    """A base that was made elsewhere and is here as an image only."""
    return Base(name=name, rootfs=folder / f"{name}.rootfs.tar", archive=folder / f"{name}.tar")


def with_one_owner(base: Base, folder: Path) -> Base:
    """The same files, all of them root's, in archives below ``folder``."""
    rootfs, archive = folder / f"{base.name}.one-owner", folder / f"{base.name}.one-owner.tar"
    if not archive.exists():
        with tarfile.open(base.archive) as image:
            (manifest,) = json.load(_file(image, "manifest.json"))
            config = json.load(_file(image, manifest["Config"]))["config"]
            with (
                tarfile.open(fileobj=_file(image, manifest["Layers"][0])) as layer,
                tarfile.open(rootfs, "w", format=tarfile.PAX_FORMAT) as target,
            ):
                for member in layer:
                    member.uid, member.gid, member.uname, member.gname = 0, 0, "", ""
                    target.addfile(member, layer.extractfile(member) if member.isreg() else None)
        image_archive(rootfs, base.name, config, archive)
    return Base(name=base.name, rootfs=rootfs, archive=archive)


def image_archive(rootfs: Path, name: str, config: dict[str, object], target: Path) -> None:
    """Write a docker-archive of one layer.  The same tar, name and config give the same bytes."""
    with rootfs.open("rb") as file:
        layer = hashlib.file_digest(file, "sha256").hexdigest()
    image = {
        "architecture": _ARCHITECTURES[os.uname().machine],
        "config": config,
        "created": _CREATED,
        "history": [{"created": _CREATED, "created_by": f"rootfs of {name}"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }
    raw = json.dumps(image, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(raw).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [f"{name}:latest"], "Layers": [f"{layer}.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add_file(archive, config_name, io.BytesIO(raw), len(raw))
        listing = json.dumps(manifest).encode()
        _add_file(archive, "manifest.json", io.BytesIO(listing), len(listing))
        with rootfs.open("rb") as file:
            _add_file(archive, f"{layer}.tar", file, rootfs.stat().st_size)


def _debian(name: str, include: str) -> Base:
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={include}", "--skip=output/dev"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in _UNREAD]
    command += [f'--customize-hook=rm -rf "$1"/{pattern}' for pattern in _UNWANTED]
    command += ["--format=tar", SUITE]
    return _base(name, tuple(command), lambda path: run_mmdebstrap(command, path), command="bash")


def _base(name: str, recipe: tuple[str, ...], make: Callable[[Path], None], *, command: str) -> Base:
    config: dict[str, object] = {"Env": [_PATH], "Cmd": [command]}
    key = cache.recipe_key(*recipe, str(config), str(EPOCH))
    rootfs = cache.once(f"{name}-{key}.tar", make)
    archive = cache.once(f"{name}-{key}.docker.tar", lambda path: image_archive(rootfs, name, config, path))
    return Base(name=name, rootfs=rootfs, archive=archive)


def run_mmdebstrap(command: tuple[str, ...] | list[str], target: Path) -> None:
    """Run ``command`` with ``target`` as its last word; no file of the result is newer than ``EPOCH``."""
    need("mmdebstrap")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run([*command, os.fspath(target)], check=True, env=environment, stdin=subprocess.DEVNULL)


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{archive.name!r} has no file {name}")
    return file


def _add_file(archive: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)
