"""Stacks trees by mounting them: the first rung.

Always ``userxattr``, as root too, so that there is one format of trees.  It also turns ``redirect_dir`` and
``metacopy`` off, so that an upper directory holds whole files under their own names (Linux, overlayfs.rst).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import MachineError
from .. import calls, causes, linux
from ..attributes import copy_attributes
from ..marks import OPAQUE
from . import Stack, Wanted

if TYPE_CHECKING:
    from ..worker import Session

# Writing back one RUN's files as they are closed would cost more than the run; the layer's row comes after a syncfs.
_FLAGS: Final = ("userxattr", "index=off", "volatile")
_READONLY_FLAGS: Final = ("userxattr",)


def show(wanted: Wanted) -> Stack:
    """Mount the layers.  Raises ``MachineError`` where an overlay can't be mounted here."""
    os.mkdir(wanted.mounted)
    if wanted.is_readonly:
        mount_readonly(wanted.trees, wanted.layers, wanted.mounted)
    else:
        prepare(wanted.upper, wanted.work, f"{wanted.trees}/{wanted.layers[-1]}" if wanted.layers else "")
        mount(wanted.trees, wanted.layers, wanted.upper, wanted.work, wanted.mounted)
    return _Mounted(wanted.mounted)


class _Mounted(msgspec.Struct, frozen=True):
    root: str

    def settle(self) -> None:
        """Unmount, so that the upper directory is at rest before anybody looks at it."""
        os.chdir("/")
        try:
            linux.unmount(self.root)
        except OSError:
            linux.unmount(self.root, linux.MNT_DETACH)


def mount(trees: str, layers: Sequence[str], upper: str, work: str, target: str) -> None:
    """Mount ``layers`` (names in the directory ``trees``, bottom first) below ``upper`` on ``target``.

    Changes the current directory to ``trees``: mount data is one page, and names relative to it are short.  From Linux
    6.5 on there may be up to 500 layers; before, as many as fit into that page.  Device nodes can be made there but
    not opened.  Raises ``MachineError`` where an overlay can't be mounted here.
    """
    os.chdir(trees)
    if not layers:
        # Nothing to hide and nothing to copy up, so the upper directory is the whole root.
        linux.mount(upper, target, "", linux.MS_BIND)
        linux.mount("", target, "", linux.MS_BIND | linux.MS_REMOUNT | linux.MS_NODEV)
        return
    _mount(layers, [("upperdir", os.path.relpath(upper)), ("workdir", os.path.relpath(work))], target)


def mount_readonly(trees: str, layers: Sequence[str], target: str) -> None:
    """``mount`` without an upper directory: nothing can be written there."""
    os.chdir(trees)
    if len(layers) > 1:
        _mount(layers, [], target)
        return
    # An overlay without an upper directory has two layers at least.
    linux.mount(layers[0] if layers else target, target, "", linux.MS_BIND)
    linux.mount("", target, "", linux.MS_BIND | linux.MS_REMOUNT | linux.MS_NODEV | linux.MS_RDONLY)


def _mount(layers: Sequence[str], options: list[tuple[str, str]], target: str) -> None:
    """Mount an overlay of layers in the current directory."""
    lower = list(reversed(layers))
    words = _FLAGS if options else _READONLY_FLAGS
    flags = [(flag.partition("=")[0], flag.partition("=")[2]) for flag in words]
    data = ",".join(
        [*words, *(f"{name}={_escape(path)}" for name, path in options), "lowerdir=" + ":".join(map(_escape, lower))]
    )
    try:
        if len(os.fsencode(data)) < os.sysconf("SC_PAGE_SIZE"):
            linux.mount("overlay", target, "overlay", linux.MS_NODEV, data)
        else:
            linux.mount_options("overlay", target, [*flags, *(("lowerdir+", name) for name in lower), *options])
    except OSError as error:
        raise _cannot_mount(error, len(layers)) from error


def prepare(upper: str, work: str, top: str) -> None:
    """Make ``upper`` and ``work`` where missing.  An empty ``upper`` gets the attributes of the directory ``top``.

    The merged root shows those of the upper directory, so they must be those of the topmost layer's root.
    """
    for path in (upper, work):
        os.makedirs(path, 0o755, exist_ok=True)
    if top and not os.listdir(upper):
        copy_attributes(top, upper)


def check(call: calls.OverlayCall, session: Session) -> calls.Done:
    """Mount an overlay in a scratch directory and remove a lower directory there, which fails without ``userxattr``.

    Raises ``MachineError`` that names the cause where that does not work.
    """
    linux.unshare(linux.CLONE_NEWNS)
    _prepare_trial(call.scratch)  # what fails here is the disk, and says nothing about overlays
    try:
        _try_out(call.scratch)
    except (OSError, MachineError) as error:
        with open("/proc/filesystems", encoding="ascii") as file:
            file_systems = file.read()
        kind = causes.file_system_of(os.path.realpath(call.scratch))
        cause = causes.of_no_overlay(
            str(error).partition("\n")[0], release=os.uname().release, kind=kind, file_systems=file_systems
        )
        raise MachineError(f"{cause.reason}.", hint=cause.remedy) from error
    return calls.Done()


def _prepare_trial(base: str) -> None:
    for name in ("lower", "lower/directory", "upper", "work", "merged"):
        os.makedirs(f"{base}/{name}", exist_ok=True)
    with open(f"{base}/lower/directory/file", "w", encoding="ascii"):
        pass


def _try_out(base: str) -> None:
    mount(base, ["lower"], f"{base}/upper", f"{base}/work", f"{base}/merged")
    os.unlink(f"{base}/merged/directory/file")
    os.rmdir(f"{base}/merged/directory")
    os.mkdir(f"{base}/merged/directory")
    os.getxattr(f"{base}/upper/directory", OPAQUE)


def _escape(name: str) -> str:
    # Separators of mount data are escaped by a backslash; store paths are ours, but a user chose where the store is.
    return name.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _cannot_mount(error: OSError, layers: int) -> MachineError:
    return MachineError(
        f"An overlay of {layers} layers can't be mounted: {error.strerror}.",
        hint="the store must lie on a local file system with extended attributes (ext4, xfs, btrfs), not on NFS or on"
        " another overlay: set DOCKERCEPTION_HOME; Linux 5.11 is needed, and 6.5 for more layers than fit into a page",
    )
