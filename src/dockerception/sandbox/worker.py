"""One forked worker: one request, one reply, and the end.  Nothing that it mounts outlives it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import traceback
from typing import NoReturn

import msgspec

from ..errors import DockerceptionError, StoreError
from ..store.disk import disk_error
from . import calls, wire
from .stacking import Stack, Wanted


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has: the conversation with the parent, the descriptors of the request, the store's root.

    ``helper`` is a pipe that hangs up when the helper ends.  ``has_namespaces``: there is a mount and a pid namespace.
    ``mounts`` is a directory of the store that is always empty: what a worker mounts there, only that worker sees.
    ``stacking`` is how layers are shown.
    """

    conversation: socket.socket
    descriptors: list[int]
    root: str
    helper: int
    has_namespaces: bool
    mounts: str
    stacking: calls.Stacking = "overlay"

    @property
    def trees(self) -> str:
        """Where the trees of layers are."""
        return f"{self.root}/trees"


def show_layers(session: Session, wanted: Wanted) -> Stack:
    """Show layers by the session's rung of the ladder."""
    if session.stacking == "copied":
        from .stacking import copied

        return copied.show(wanted)
    from .stacking import overlay

    return overlay.show(wanted)


def serve(conversation: socket.socket, root: str, helper: int, *, has_namespaces: bool) -> NoReturn:
    """Receive the request, do it, send the reply, exit."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        gc.disable()  # a worker is short, and the collector would only copy the pages it shares with the helper
        body, descriptors = wire.receive(conversation)
        if body is not None:
            session = Session(
                conversation=conversation,
                descriptors=descriptors,
                root=root,
                helper=helper,
                has_namespaces=has_namespaces,
                mounts=f"{root}/mnt",
            )
            reply, files = _answer(body, session)
            wire.send(conversation, calls.encode(reply), files)
            code = 0
    except OSError:
        pass  # nobody listens any more: what this worker did goes with its namespace
    finally:
        os._exit(code)


def _answer(body: bytes, session: Session) -> tuple[calls.Reply, list[int]]:
    try:
        return _perform(calls.decode_call(body), session)
    except DockerceptionError as error:
        return _failed(type(error).__name__, error.message, details=error.details, hint=error.hint), []
    except OSError as error:
        mapped = _from_os_error(error, session.root)
        return _failed(type(mapped).__name__, mapped.message, details=mapped.details, hint=mapped.hint), []
    except Exception:  # noqa: BLE001  a bug of ours is told to the parent, whole, instead of dying in silence
        return _failed(
            "DockerceptionError", "The sandbox failed by a bug of its own.", details=traceback.format_exc()
        ), []


def _perform(call: calls.Call, session: Session) -> tuple[calls.Reply, list[int]]:
    match call:
        case calls.RunCall():
            from . import run

            return run.perform(call, session), []
        case calls.UnpackCall():
            from . import unpack

            return unpack.perform(call, session), []
        case calls.DiffCall():
            from . import diff

            return diff.perform(call), []
        case calls.ReadCall():
            from . import treefiles

            return treefiles.read(call)
        case calls.WriteTarCall():
            from . import treefiles

            return treefiles.write_tar(call, session), []
        case calls.DeleteCall():
            from . import treefiles

            return treefiles.delete(call), []
        case calls.SyncCall():
            from . import treefiles

            return treefiles.sync(session), []
        case calls.OverlayCall():
            from .stacking import overlay

            return overlay.check(call, session), []
        case calls.LimitsCall():
            from . import limiting

            return limiting.check(call), []
        case calls.ChrootCall():
            from .isolation import chroot

            return chroot.check(call), []


def _failed(error: str, message: str, *, details: str = "", hint: str = "") -> calls.Failed:
    return calls.Failed(error, os.fsencode(message), _printable(details), hint)


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _from_os_error(error: OSError, root: str) -> DockerceptionError:
    told = disk_error(error, "working on a step's files", root)
    if type(told) is StoreError:  # not the disk's fault: whoever looks into it wants to know where it was
        told.details = "".join(traceback.format_exception(error))
    return told
