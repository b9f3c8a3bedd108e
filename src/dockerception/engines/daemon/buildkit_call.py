"""A call of BuildKit's command line: its options, the files that it reads, and the child process.

The context is given as a directory, which BuildKit reads for what it needs and does not have yet: a Dockerfile from
elsewhere then leaves no trace in it, as it would in a tar (``COPY . /`` would copy it).  A context that is no directory
of this machine is unpacked into one.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ... import process
from ...context.base import Context
from ...context.directory import DirectoryContext
from ...errors import MachineError
from ...progress import Notice, Reporter
from ...reference import Platform
from ...transports import rootfs
from .building import BuildOrder

_KILL_AFTER_SECONDS: Final = 5.0
_ENVIRONMENT: Final = {
    "DOCKER_BUILDKIT": "1",
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # an image, not an index of one image and its attestations
    "DOCKER_CLI_HINTS": "false",
}


def options(order: BuildOrder) -> Iterator[str]:
    """The options of an order that ``docker build`` and ``docker buildx build`` both have."""
    yield "--progress=plain"
    yield from (f"--build-arg={name}={value}" for name, value in order.build_args.items())
    yield from (f"--label={name}={value}" for name, value in order.labels.items())
    if order.target:
        yield f"--target={order.target}"
    if order.network != "default":
        yield f"--network={order.network}"
    if order.no_cache:
        yield "--no-cache"
    if order.no_cache_stages:
        yield f"--no-cache-filter={','.join(sorted(order.no_cache_stages))}"
    if order.platform != Platform.host():
        yield f"--platform={order.platform}"
    yield from order.caches
    yield from _privileges(order)
    if order.limits.shm_size:
        yield f"--shm-size={order.limits.shm_size}"
    yield from (f"--ulimit={each}" for each in order.limits.ulimits)


def _privileges(order: BuildOrder) -> Iterator[str]:
    for secret in order.secrets:
        source = f"type=env,env={secret.env}" if secret.env else f"type=file,src={secret.file}"
        yield "--secret=" + ",".join(map(_quoted, (f"id={secret.id}", *source.split(",", 1))))
    for agent in order.ssh:
        yield f"--ssh={agent.id}={agent.socket or ','.join(agent.keys)}".rstrip("=")
    yield from (f"--allow={each}" for each in sorted(order.allow))


def _quoted(field: str) -> str:
    """A field of comma-separated values (RFC 4180)."""
    return '"' + field.replace('"', '""') + '"' if any(sign in field for sign in ',"\n') else field


def write_sources(order: BuildOrder, work: str, report: Reporter) -> tuple[str, str]:
    """Write into ``work`` what the command shall read; returns its last two arguments."""
    directory, rules = _directory(order.context, work, report)
    # BuildKit looks for the rules beside the Dockerfile first, and then for none in the context.
    _write(os.path.join(work, "Dockerfile"), order.dockerfile)
    _write(os.path.join(work, "Dockerfile.dockerignore"), rules)
    return f"--file={work}/Dockerfile", directory


def start(command: list[str], *, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start the command; its progress is on stderr.

    Where util-linux is there, the command ends, and so the build, even if this process is killed.
    """
    setpriv = process.find("setpriv")
    if setpriv is not None and os.path.basename(os.path.realpath(setpriv)) == "setpriv":  # busybox' one can't do it
        command = [setpriv, "--pdeathsig", "TERM", "--", *command]
    return process.start(command, stdout=stdout, environment={**os.environ, **_ENVIRONMENT})


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The command at work; an exception ends it, and so the build in the daemon."""
    child = start(command)
    try:
        yield child
    except BaseException:
        stop(child)
        raise
    finally:
        if child.stderr is not None:
            child.stderr.close()


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the command to end, so that it ends the build as well; kill it where it does not."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(_KILL_AFTER_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _directory(context: Context, work: str, report: Reporter) -> tuple[str, bytes]:
    """A directory with the context's files, and the ignore rules that make it the context."""
    if isinstance(context, DirectoryContext):
        return context.root, os.fsencode("".join(f"{pattern}\n" for pattern in context.patterns))
    path = os.path.join(work, "context")
    for note in rootfs.write_directory(context, path):
        report(Notice(text=note))
    return path, b""


def _write(path: str, data: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise MachineError(f"{path} can't be written: {error.strerror}.") from error
