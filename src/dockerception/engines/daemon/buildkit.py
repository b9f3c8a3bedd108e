"""BuildKit through Docker's command line: ``docker buildx build``, or ``docker build`` of a Docker before 23."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from typing import Final

import msgspec

from ... import process
from ...progress import Reporter
from ...transports import docker_contexts
from . import buildkit_call
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
LIMITS: Final = frozenset({"--shm-size", "--ulimit"})
"""The limits that BuildKit has for steps (see ``limits.OPTIONS``)."""


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


class _Metadata(msgspec.Struct, frozen=True):
    """What buildx says of the image."""

    digest: str = msgspec.field(name="containerimage.digest", default="")


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
        if not self._command.is_buildx:
            order = msgspec.structs.replace(order, allow=frozenset())  # an option that only buildx has
        with tempfile.TemporaryDirectory(prefix="build-", dir=self._scratch) as work:
            sources = buildkit_call.write_sources(order, work, self._report)
            identity, metadata = os.path.join(work, "image"), os.path.join(work, "metadata.json")
            wanted = [f"--iidfile={identity}"]
            if self._command.is_buildx:
                wanted.append(f"--metadata-file={metadata}")
            self._run([*self._command.words, *buildkit_call.options(order), *wanted, *sources], progress)
            return _image_id(identity, metadata)

    def _run(self, command: list[str], progress: Progress) -> None:
        lines = PlainProgress(progress)
        with buildkit_call.running(command) as child:
            if child.stderr is not None:
                for line in child.stderr:
                    lines.take(line)
            returncode = child.wait()
        if returncode != 0:
            failure = progress.readable(lines.failure) or f"the command {process.ending(returncode)}"
            progress.end_all(failure)
            raise build_failure(self._daemon, failure, progress.output)
        progress.end_all()


def _image_id(identity: str, metadata: str) -> str:
    """What the daemon calls the image.

    The first file has the config's digest, which is the id but where images are in containerd's store: there it is the
    manifest's, which only the second file has, written by buildx.
    """
    with suppress(FileNotFoundError), open(metadata, "rb") as file:
        digest = msgspec.json.decode(file.read(), type=_Metadata).digest
        if digest:
            return digest
    with open(identity, encoding="ascii") as file:
        return file.read().strip()
