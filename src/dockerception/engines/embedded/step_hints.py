"""What to do about a step that failed: from its exit code, from what it printed, and from where it ran."""

from __future__ import annotations

import re
from typing import Final

from ...sandbox import idmap

_EXIT_CODES: Final = {
    127: "exit code 127 means that a command was not found; is it in the image, and in PATH?",
    126: "exit code 126 means that a command can't be executed; is its mode right, and its architecture?",
    137: "exit code 137 means SIGKILL; was the memory exhausted?",
}
_CHROOT: Final = (
    "the step ran in a chroot, where nothing is mounted: /proc and /sys are empty, /dev/fd and /dev/stdout lead"
    " nowhere, and a read-only mount is a copy that can be written to"
)
_WANTS_DEVICE: Final = re.compile(r"mknod.*not permitted")
_DEVICE: Final = "device nodes can be made in builds of this machine's root only"


def hint_for(returncode: int, output: str, *, is_user: bool, in_chroot: bool) -> str:
    """The most telling hint, or none.  ``is_user``: the build is not root's."""
    if is_user and _WANTS_DEVICE.search(output):
        return _DEVICE
    return idmap.explain(output) or _EXIT_CODES.get(returncode) or (_CHROOT if in_chroot else "")
