"""The helper's main loop: it forks a worker for each request and knows nothing else.

Started by ``launch`` with a control socket.  A message on it is the name of an operation, with one descriptor: the
stream socket on which the worker converses with whoever asked.  The end of the control socket is the end of the
helper.  As pid 1 of its namespaces it takes every process with it, and the mounts go with the last of them.  Where no
namespaces can be made it is a plain process that adopts orphans (``orphanage``).
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

from . import linux, wire, worker

_OPERATIONS: Final = {
    b"RunCall": "run",
    b"UnpackCall": "unpack",
    b"DiffCall": "diff",
    b"ReadCall": "treefiles",
    b"WriteTarCall": "treefiles",
    b"DeleteCall": "treefiles",
    b"SyncCall": "treefiles",
    b"OverlayCall": "stacking.overlay",
    b"ChrootCall": "isolation.chroot",
    b"LimitsCall": "limiting",
}


_RUNGS: Final = {
    True: ("isolation.oci", "stacking.overlay"),
    False: ("isolation.chroot", "isolation.swaps", "stacking.copied"),
}
"""What a run most likely stands on, with namespaces and without."""


def main(arguments: list[str]) -> None:
    """Serve until the control socket closes.

    ``arguments``: its descriptor, the store's root directory, and ``namespaces`` or ``plain``.
    """
    descriptor, root, kind = arguments
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    os.umask(0o022)
    os.chdir(root)
    if kind == "namespaces":
        _become_init()
    gc.freeze()
    if kind == "namespaces":
        _serve(control, root, os.fork, has_namespaces=True)
        return
    from .orphanage import Orphanage

    with Orphanage() as orphanage:
        _serve(control, root, orphanage.fork, has_namespaces=False)


def _become_init() -> None:
    if os.getpid() != 1:
        sys.exit("the helper is not the first process of a pid namespace")
    # Ignored, not handled: the kernel then reaps every orphan of the namespace by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        os.setgroups([])
    except PermissionError:
        pass  # a user namespace with a single id may not; the groups then stay the user's own
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _serve(control: socket.socket, root: str, fork: Callable[[], int], *, has_namespaces: bool) -> None:
    hangs_up, held = os.pipe()  # of the second end only the helper has one, so workers see when it ends
    while True:
        message, descriptors = wire.receive_message(control, 64)
        if not message:
            return
        _preload(_OPERATIONS[message])
        if message == b"RunCall":
            _preload(*_RUNGS[has_namespaces])
        if fork() == 0:
            control.close()
            os.close(held)
            worker.serve(socket.socket(fileno=descriptors[0]), root, hangs_up, has_namespaces=has_namespaces)
        for descriptor in descriptors:
            os.close(descriptor)


def _preload(*names: str) -> None:
    """Import what an operation needs here, once, so that no worker has to."""
    for name in names:
        module = f"{__package__}.{name}"
        if module not in sys.modules:
            importlib.import_module(module)
            gc.freeze()
