"""The second rung: a process with another root directory, and no more.

It shares the machine's network, processes and names, and a process of root can leave it: this is no security boundary.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from typing import Final, NoReturn

import msgspec

from ...errors import MachineError
from .. import cgroups, limiting, linux, privileged, runtime, security, spec, watching
from ..calls import ChrootCall, Done
from ..messages import RunRequest, RunResult
from ..worker import Session
from . import Ground, showing

_NO_PROGRAM: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_SIGNALS: Final = (signal.SIGPIPE, signal.SIGXFSZ)


def run(ground: Ground, session: Session) -> RunResult:
    """Run the request to its end.  No process of it is left when this returns, and what was shown is put back."""
    if ground.request.network == "none" and not session.has_namespaces:
        raise MachineError(
            "Without namespaces a step can't be kept from the network (--network=none).",
            hint="dockerception doctor says why there are none here; or let the step have the network",
        )
    limiting.check_chroot(ground.request.limits)
    if ground.request.hooks:
        raise MachineError(
            f"In a chroot nothing calls the hook {ground.request.hooks[0].path} of a device.",
            hint="it takes a container: dockerception doctor says why there are none here",
        )
    linux.adopt_orphans()
    with limiting.groups(ground.request.limits) as groups, showing.shown(ground, session):
        return _run(ground, session, groups)


def check(call: ChrootCall) -> Done:
    """Find out whether a process may change its root and use device nodes here; raises ``MachineError``."""
    try:
        showing.make_devices(f"{call.scratch}/dev")
        os.chroot(call.scratch)
    except PermissionError as error:
        raise MachineError(
            "This process may not change its root directory or make device nodes.",
            hint="it takes root with the capabilities CHOWN, MKNOD and SYS_CHROOT, which containers of Docker have",
        ) from error
    return Done()


def _run(ground: Ground, session: Session, groups: list[cgroups.Group]) -> RunResult:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        _become(ground, session, groups, tell)
    os.close(tell)
    for descriptor in session.descriptors[1:]:
        os.close(descriptor)  # else the reader of the process's stdout would wait for us, too
    ended = watching.wait_for(_Process(child), session, ground.request.limits.timeout)
    with open(told, "rb") as reader:
        problem = reader.read()
    if problem:
        return _not_started(ground.request, int(problem))
    return limiting.judged(RunResult(returncode=ended.returncode), ended, groups)


class _Process(msgspec.Struct, frozen=True):
    """See ``watching.Container``."""

    child: int

    def first(self) -> int:
        return self.child

    def resize(self) -> None:
        """Nothing: it has the very terminal whose size has changed, and the kernel tells it."""


def _become(ground: Ground, session: Session, groups: list[cgroups.Group], tell: int) -> NoReturn:
    """Become the process of the request; where that fails, the number of the error goes to ``tell``."""
    try:
        for target, descriptor in enumerate(session.descriptors):
            os.dup2(descriptor, target)
        cgroups.enter(groups)
        limiting.set_ulimits(ground.request.limits)
        _enter(ground, session)
        request = ground.request
        environment = dict(each.split("=", 1) for each in request.environment)
        environment.setdefault("PATH", spec.DEFAULT_PATH)
        os.execvpe(request.args[0], request.args, environment)  # noqa: S606  the command is what is asked for
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(1)


def _enter(ground: Ground, session: Session) -> None:
    request = ground.request
    os.setsid()
    if session.has_namespaces:
        linux.unshare(linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
        _set_hostname(request.hostname)
        if request.network == "none":
            linux.unshare(linux.CLONE_NEWNET)
            linux.start_loopback()
    os.fchdir(ground.descriptor)
    os.chroot(".")
    os.umask(0o022)
    os.makedirs(request.cwd, exist_ok=True)
    os.chdir(request.cwd)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _give_up_rights(request)
    # Last, because a change of ids clears it.
    linux.end_with_parent(signal.SIGKILL)


def _set_hostname(name: str) -> None:
    try:
        socket.sethostname(name)
    except PermissionError:
        pass  # a seccomp filter of the container that this runs in; the name is that container's then


def _give_up_rights(request: RunRequest) -> None:
    """Keep the wanted capabilities only, of those that there are: what a program of root gains is within this set."""
    if not request.is_privileged:
        wanted = security.DEFAULT_CAPABILITIES if request.capabilities is None else request.capabilities
        try:
            linux.drop_capabilities(privileged.numbers(wanted))
        except PermissionError:
            pass  # without CAP_SETPCAP; what this process itself may do is the limit then
    try:
        os.setgroups(request.additional_gids)
    except PermissionError:
        pass  # a user namespace with a single id may not
    os.setresgid(request.gid, request.gid, request.gid)
    os.setresuid(request.uid, request.uid, request.uid)
    if request.has_no_new_privileges:
        linux.forbid_new_privileges()


def _not_started(request: RunRequest, number: int) -> RunResult:
    kind = "not-found" if number in _NO_PROGRAM else "not-executable"
    return runtime.not_started(kind, f"“{request.args[0]}” can't be started: {os.strerror(number)}.")  # type: ignore[arg-type]
