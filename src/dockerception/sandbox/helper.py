"""The helper's main loop: pid 1 of its namespaces.  It forks a worker for each request and knows nothing else.

Started by ``launch`` with a control socket.  A message on it is the name of an operation, with one descriptor: the
stream socket on which the worker converses with whoever asked.  The end of the control socket is the end of the
helper, and with pid 1 the kernel ends every process of the namespace; the mounts go with the last of them.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
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
}


def main(arguments: list[str]) -> None:
    """Serve until the control socket closes.  ``arguments``: its descriptor, and the store's root directory."""
    descriptor, root = arguments
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    os.umask(0o022)
    os.chdir(root)
    _become_init()
    gc.freeze()
    _serve(control, root)


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


def _serve(control: socket.socket, root: str) -> None:
    while True:
        message, descriptors = wire.receive_message(control, 64)
        if not message:
            return
        _preload(message)
        if os.fork() == 0:
            control.close()
            worker.serve(socket.socket(fileno=descriptors[0]), root)
        for descriptor in descriptors:
            os.close(descriptor)


def _preload(message: bytes) -> None:
    """Import what an operation needs here, once, so that no worker has to."""
    module = f"{__package__}.{_OPERATIONS[message]}"
    if module not in sys.modules:
        importlib.import_module(module)
        gc.freeze()
