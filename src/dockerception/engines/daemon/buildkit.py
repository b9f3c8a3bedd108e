"""BuildKit through Docker's command line: ``docker buildx build``, or ``docker build`` of a Docker before 23.

The context is given as a directory, which BuildKit reads for what it needs and does not have yet: a Dockerfile from
elsewhere then leaves no trace in it, as it would in a tar (``COPY . /`` would copy it).  A context that is no directory
of this machine is unpacked into one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from ... import process
from ...context.base import Context
from ...context.directory import DirectoryContext
from ...errors import MachineError
from ...progress import Notice, Reporter
from ...reference import Platform
from ...transports import docker_contexts, rootfs
from .building import BuildOrder
from .failures import build_failure
from .plain_progress import PlainProgress
from .reporting import Progress

_PLUGIN: Final = "cli-plugins/docker-buildx"
_PLUGIN_FOLDERS: Final = (
    "/usr/local/lib/docker",
    "/usr/local/libexec/docker",
    "/usr/lib/docker",
    "/usr/libexec/docker",
)
_FIRST_WITHOUT_BUILDKIT: Final = 23
_KILL_AFTER_SECONDS: Final = 5.0


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How to call BuildKit: the words before the options, and whether it is buildx, which knows more options."""

    words: tuple[str, ...]
    is_buildx: bool


def find_command() -> Command | None:
    """The command line that builds with BuildKit; None where it is not installed.

    A Docker from 23 on needs buildx for it, an older one has it built in.
    """
    docker = process.find("docker")
    if docker is None:
        return None
    config = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    if any(os.access(os.path.join(folder, _PLUGIN), os.X_OK) for folder in (config, *_PLUGIN_FOLDERS)):
        # Another builder that the user has chosen would keep the image to itself; this one is the daemon's own.
        builder = f"--builder={docker_contexts.current_name()}"
        return Command(words=(docker, "buildx", "build", builder, "--load"), is_buildx=True)
    said = process.run([docker, "--version"], check=False).stdout.decode(errors="replace")
    version = re.search(r"version (\d+)\.", said)
    if version is None or int(version[1]) >= _FIRST_WITHOUT_BUILDKIT:
        return None
    return Command(words=(docker, "build"), is_buildx=False)


class BuildKit:
    """Builds with BuildKit (see ``building.Builder``).  ``scratch`` is for unpacked contexts."""

    builds_all_stages = False

    def __init__(self, command: Command, *, daemon: str, scratch: str, report: Reporter) -> None:
        self._command = command
        self._daemon = daemon
        self._scratch = scratch
        self._report = report

    def build(self, order: BuildOrder, progress: Progress) -> str:
        """Build; returns the image's id.  Raises what ``failures`` makes of the command's words."""
        with tempfile.TemporaryDirectory(prefix="build-", dir=self._scratch) as work:
            directory, rules = self._directory(order.context, work)
            # BuildKit looks for the rules beside the Dockerfile first, and then for none in the context.
            _write(os.path.join(work, "Dockerfile"), order.dockerfile)
            _write(os.path.join(work, "Dockerfile.dockerignore"), rules)
            identity = os.path.join(work, "image")
            arguments = [*self._command.words, *self._options(order), f"--iidfile={identity}"]
            self._run([*arguments, f"--file={work}/Dockerfile", directory], progress)
            with open(identity, encoding="ascii") as file:
                return file.read().strip()

    def _directory(self, context: Context, work: str) -> tuple[str, bytes]:
        """A directory with the context's files, and the ignore rules that make it the context."""
        if isinstance(context, DirectoryContext):
            return context.root, os.fsencode("".join(f"{pattern}\n" for pattern in context.patterns))
        path = os.path.join(work, "context")
        for note in rootfs.write_directory(context, path):
            self._report(Notice(text=note))
        return path, b""

    def _options(self, order: BuildOrder) -> Iterator[str]:
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

    def _run(self, command: list[str], progress: Progress) -> None:
        lines = PlainProgress(progress)
        with _running(command, _environment()) as child:
            if child.stderr is not None:
                for line in child.stderr:
                    lines.take(line)
            returncode = child.wait()
        if returncode != 0:
            failure = progress.readable(lines.failure) or f"the command {process.ending(returncode)}"
            progress.end_all(failure)
            raise build_failure(self._daemon, failure, progress.output)
        progress.end_all()


def _environment() -> Mapping[str, str]:
    return {
        **os.environ,
        "DOCKER_BUILDKIT": "1",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # an image, not an index of one image and its attestations
        "DOCKER_CLI_HINTS": "false",
    }


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The command at work; an exception ends it, and so the build in the daemon."""
    child = process.start(command, stdout=subprocess.DEVNULL, environment=environment)
    try:
        yield child
    except BaseException:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    finally:
        if child.stderr is not None:
            child.stderr.close()


def _write(path: str, data: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise MachineError(f"{path} can't be written: {error.strerror}.") from error
