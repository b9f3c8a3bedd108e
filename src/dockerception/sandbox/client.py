"""The parent's side of the sandbox: one helper a ``Sandbox``, started when first needed, used by any threads."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from .. import errors
from ..errors import DockerceptionError, MachineError, StoreError, UsageError
from ..limits import Limits
from ..oci.toc import Toc
from ..store.disk import disk_errors
from . import calls, ladders, launch, probe, wire
from .calls import Reply
from .ladders import ISOLATIONS, Isolation
from .messages import KEPT, Abilities, Ability, DiffResult, RunRequest, RunResult, Unpacked, Written

_CANCEL_INTERVAL: Final = 0.02  # seconds between two looks at a cancel event
_KILL: Final = 9
_PIPE_SIZE: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Cancel(Protocol):
    """What can ask for the end of a run, such as ``threading.Event``."""

    def is_set(self) -> bool: ...


class Run:
    """A run that goes on.  ``wait`` is for one thread; ``signal`` may come from any."""

    def __init__(self, sandbox: Sandbox, connection: socket.socket) -> None:
        self._sandbox = sandbox
        self._connection = connection

    def wait(self, cancel: Cancel | None = None) -> RunResult:
        """Wait for the end.  When ``cancel`` is set, the container is killed at once and its result returned.

        Whatever exception leaves this (a KeyboardInterrupt too), the container is killed.
        """
        with self._connection:
            if cancel is not None:
                self._connection.settimeout(_CANCEL_INTERVAL)
                while not self._is_answered():
                    if cancel.is_set():
                        self.signal(_KILL)
                        break
                self._connection.settimeout(None)
            reply, _ = self._sandbox.receive(self._connection)
        return _expect(reply, RunResult)

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process.  SIGWINCH tells it the terminal's new size.

        SIGKILL ends the whole container, also one that is still being made.
        """
        try:
            wire.send(self._connection, calls.encode(calls.SignalNote(number)))
        except OSError:
            pass  # it has ended

    def _is_answered(self) -> bool:
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        return True


class Sandbox:
    """Runs processes and handles trees for the store at ``root``, which has ``trees/`` and ``tmp/``.

    ``isolation`` is ``auto``, ``oci`` or ``chroot``; ``runtime`` is ``auto``, ``crun``, ``runc`` or the path of one.
    ``scratch`` is where directories go that live as long as one call (default: the store's ``tmp/``).  ``warn`` is
    told once where ``auto`` steps down.  Use it as a context manager, or ``close`` it.
    """

    def __init__(
        self,
        root: str,
        *,
        isolation: Isolation = "auto",
        runtime: str = "auto",
        scratch: str = "",
        warn: Callable[[str], None] | None = None,
    ) -> None:
        if isolation not in ISOLATIONS:
            raise UsageError(f"There is no isolation “{isolation}”.", hint=f"use {', '.join(ISOLATIONS)}")
        if isolation == "chroot" and runtime != "auto":
            raise UsageError("A chroot needs no runtime.", hint="give --isolation=chroot or --runtime, not both")
        self._root = os.path.abspath(root)
        self._scratch = scratch or os.path.join(self._root, "tmp")
        self._isolation: Isolation = isolation
        self._runtime = runtime
        self._warn = warn
        self._rungs: ladders.Rungs | None = None
        self._namespaces: Ability | None = None
        self._helper: launch.Helper | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        self._rungs_lock = threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def scratch(self) -> str:
        """Where directories go that live as long as one call."""
        return self._scratch

    def start(self) -> None:
        """Start the helper now, without waiting for it, so that the first call finds it ready."""
        with self._lock:
            self._started()

    def close(self) -> None:
        """End the helper with every container and mount.  Calls that go on raise ``MachineError``."""
        if self._rungs is not None and self._rungs.stacking == "copied" and not self._is_closed:
            try:
                self.delete([f"{self._scratch}/{KEPT}"])
            except DockerceptionError:
                pass  # the helper has ended; what is in there is swept with the rest
        with self._lock:
            self._is_closed = True
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.stop()

    def run(
        self,
        request: RunRequest,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        *,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """``begin`` and ``Run.wait``."""
        return self.begin(request, stdin, stdout, stderr).wait(cancel)

    @property
    def in_chroot(self) -> bool:
        """Whether processes run in a chroot, for want of something better or because it was asked for."""
        return isinstance(self._chosen_rungs().isolation, calls.Chroot)

    def begin(
        self, request: RunRequest, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None
    ) -> Run:
        """Start a container with these descriptors (None: /dev/null); they stay the caller's, to be closed any time."""
        rungs = self._chosen_rungs()
        call = calls.RunCall(request, rungs.stacking, rungs.isolation, self._scratch)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            descriptors = [null if each is None else each for each in (stdin, stdout, stderr)]
            return Run(self, self.call(call, descriptors))
        finally:
            os.close(null)

    def unpack(
        self, tree: str, stream: Iterable[bytes | memoryview], *, below: Sequence[str] = (), origin: str = "The layer"
    ) -> Unpacked:
        """Make the tree of a layer from its (uncompressed) tar.  ``tree`` is an absolute path that does not exist yet.

        ``below`` names the trees under it, the bottom one first: directories that the tar implies without listing them
        get the attributes they have there.  Raises ``StreamError`` for a broken tar and ``ImageError`` for entries that
        no layer may have; the half-made tree is the caller's to delete.  The file system is synced before this returns.
        """
        read_end, write_end = os.pipe()
        try:
            _widen(write_end)
            connection = self.call(calls.UnpackCall(tree, tuple(below), origin), [read_end])
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        with connection:
            try:
                _pour(stream, write_end)
            finally:
                os.close(write_end)
            reply, _ = self.receive(connection)
        done = _expect(reply, calls.UnpackReply)
        return Unpacked(
            entries=done.entries,
            size=done.size,
            absent=tuple(os.fsdecode(path) for path in done.absent),
            absent_xattrs=tuple((os.fsdecode(path), name) for path, name in done.absent_xattrs),
        )

    def diff(self, tree: str) -> DiffResult:
        """List a tree or an upper directory (an absolute path), whiteouts and opaque directories included.

        Files carry their digests.  The root's own entry (path ``""``) is always listed.
        """
        done = _expect(self._ask(calls.DiffCall(tree)), calls.DiffReply)
        return DiffResult(toc=Toc.decode(done.toc), warnings=tuple(os.fsdecode(each) for each in done.warnings))

    def read(self, tree: str, path: str) -> int:
        """Open a regular file of a tree for reading; the descriptor is the caller's.

        No link is followed, at no component.  Raises ``ImageError`` where ``path`` is not a regular file.
        """
        with self.call(calls.ReadCall(tree, os.fsencode(path))) as connection:
            reply, descriptors = self.receive(connection)
        _expect(reply, calls.ReadReply)
        return descriptors[0]

    def write_tar(self, tree: str, toc: Toc, out: int) -> Written:
        """Write the canonical layer tar of ``toc``, whose contents lie in ``tree``, to a descriptor.

        Raises ``StoreError`` where a file's size or digest is not what the toc says.
        """
        return _expect(self._ask(calls.WriteTarCall(tree, toc.encode()), [out]), Written)

    def sync(self) -> None:
        """Have everything written to the store's file system on the disk; what a RUN leaves is not, before."""
        _expect(self._ask(calls.SyncCall()), calls.Done)

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files and whole trees, whoever owns what is in them.  What is missing already is no error."""
        wanted = tuple(os.fsencode(path) for path in paths)
        if wanted:
            _expect(self._ask(calls.DeleteCall(wanted)), calls.Done)

    def probe(self) -> Abilities:
        """What works on this machine: looked up once per boot, user and set of runtimes, and kept in the store."""
        return probe.probe(self, self._root)

    def check_overlay(self, scratch: str) -> None:
        """Mount an overlay over directories made in ``scratch``; raises what hinders it."""
        _expect(self._ask(calls.OverlayCall(scratch)), calls.Done)

    def check_chroot(self, scratch: str) -> None:
        """Change the root to ``scratch`` and make device nodes there; raises what hinders it."""
        _expect(self._ask(calls.ChrootCall(scratch)), calls.Done)

    def try_limits(self, limits: Limits) -> None:
        """Set these limits on nobody; raises what hinders it."""
        _expect(self._ask(calls.LimitsCall(limits)), calls.Done)

    def check_limits(self, limits: Limits) -> None:
        """Raise ``MachineError`` for the first limit that can't be set on this machine, before anything has begun."""
        if limits.grouped:
            ladders.check_limits(limits, self.probe())

    def namespaces(self) -> Ability:
        """Whether the helper can have namespaces of its own.  With a runtime that was named nobody asks: it needs them.

        What an earlier process noted in the store is believed, as ``probe`` does.
        """
        if self._namespaces is None:
            from . import namespaces

            if self._runtime != "auto":
                self._namespaces = Ability(works=True)
            else:
                noted = probe.known(self._root)
                self._namespaces = noted.helper if noted is not None else namespaces.check()
        return self._namespaces

    def begin_with(self, request: RunRequest, stacking: calls.Stacking, runtime: calls.Runtime) -> Run:
        """``begin`` on certain rungs and without descriptors, for finding out whether they work."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            return Run(self, self.call(calls.RunCall(request, stacking, runtime, self._scratch), [null] * 3))
        finally:
            os.close(null)

    def call(self, call: calls.Call, descriptors: Sequence[int] = ()) -> socket.socket:
        """Hand a request to a new worker; returns the conversation with it, for ``receive``."""
        body = _encode(call)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._lock:
            helper = self._started()
        try:
            with theirs:
                socket.send_fds(helper.control, [type(call).__name__.encode()], [theirs.fileno()])
            wire.send(ours, body, descriptors)
        except OSError as error:
            ours.close()
            raise self._gone() from error
        except BaseException:
            ours.close()
            raise
        return ours

    def receive(self, connection: socket.socket) -> tuple[Reply, list[int]]:
        """The worker's reply and the descriptors that came with it; raises the error that it stands for."""
        try:
            body, descriptors = wire.receive(connection)
        except OSError as error:
            raise self._gone() from error
        if body is None:
            raise self._gone()
        reply = calls.decode_reply(body)
        if isinstance(reply, calls.Failed):
            raise self._lost_store() or _error(reply)
        return reply, descriptors

    def _ask(self, call: calls.Call, descriptors: Sequence[int] = ()) -> Reply:
        with self.call(call, descriptors) as connection:
            reply, _ = self.receive(connection)
        return reply

    def _started(self) -> launch.Helper:
        if self._is_closed:
            raise MachineError("The step has been interrupted.")
        if self._helper is None:
            with disk_errors("making a place for mounts in the store"):
                os.makedirs(f"{self._root}/mnt", exist_ok=True)
            self._helper = launch.start(self._root, has_namespaces=self.namespaces().works)
        return self._helper

    def _lost_store(self) -> StoreError | None:
        """The error where the store is not there any more, whatever else a worker has to say of that."""
        if os.path.isdir(self._root):
            return None
        return StoreError(
            f"The store {self._root} has been removed, or moved away, while it was used.",
            hint="build again; to give room back, use “dockerception prune”: it spares what a build uses",
        )

    def _gone(self) -> DockerceptionError:
        lost = self._lost_store()
        if lost is not None:
            return lost
        with self._lock:
            helper = self._helper
        return helper.failure() if helper is not None else MachineError("The step has been interrupted.")

    def _chosen_rungs(self) -> ladders.Rungs:
        with self._rungs_lock:
            if self._rungs is None:
                if self._runtime != "auto":
                    self._rungs = ladders.Rungs("overlay", ladders.named(self._runtime))
                else:
                    self._rungs = ladders.choose(self._isolation, self.probe())
                if self._rungs.warning and self._warn is not None:
                    self._warn(self._rungs.warning)
            return self._rungs


def _encode(call: calls.Call) -> bytes:
    try:
        return calls.encode(call)
    except UnicodeEncodeError as error:
        raise UsageError("The command, an environment variable or a mount of this step is not valid UTF-8.") from error


def _pour(stream: Iterable[bytes | memoryview], write_end: int) -> None:
    try:
        for chunk in stream:
            view = memoryview(chunk)
            while view:
                view = view[os.write(write_end, view) :]
    except BrokenPipeError:
        pass  # the worker found something wrong, and its reply says what


def _widen(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_SIZE)
    except OSError:
        pass  # the user's pipes have reached the system's limit; a small one does too


def _error(failed: calls.Failed) -> DockerceptionError:
    kind = getattr(errors, failed.error, None)
    if not (isinstance(kind, type) and issubclass(kind, DockerceptionError)):
        kind = DockerceptionError
    return kind(os.fsdecode(failed.message), details=failed.details, hint=failed.hint)


def _expect(reply: Reply, kind: type[_Struct]) -> _Struct:
    if not isinstance(reply, kind):
        raise DockerceptionError(f"The sandbox answered with {type(reply).__name__} instead of {kind.__name__}.")
    return reply
