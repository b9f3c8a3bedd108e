"""Docker and Podman daemons: images loaded into one, and images taken from one (``docker-daemon:NAME``).

They are found as ``daemon_client`` says; a Podman without a socket is reached by its command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Literal

from .. import process
from ..errors import ImageNotFoundError, TransportError
from ..reference import Platform, Reference
from . import docker_archive
from .base import Read, SourceLayer
from .daemon_client import daemon_errors, docker_client, explanation, podman_client
from .file_image import FileImage

if TYPE_CHECKING:
    import subprocess

Which = Literal["auto", "docker", "podman"]

_CHUNK: Final = 1 << 20
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_LOADED: Final = re.compile(r"Loaded image(?:\(s\)| ID)?: *(.+)")


def load(archive: Iterable[bytes], which: Which = "auto") -> str:
    """Load a Docker archive, given in chunks, into a daemon; returns what the daemon calls the image.

    ``auto`` is Docker where it answers, else Podman.  Raises ``TransportError`` when none answers or the daemon
    refuses the archive.
    """
    if which in ("auto", "docker"):
        client = docker_client()
        if client is not None:
            return _load(client, archive, "Docker")
    if which in ("auto", "podman"):
        client = podman_client()
        if client is not None:
            return _load(client, archive, "Podman")
        podman = process.find("podman")
        if podman is not None:
            return _load_by_command(podman, archive)
    raise _nobody(which)


def open_image(name: str, *, platform: Platform, spool: str) -> DaemonImage:
    """The image of that name or id in the Docker daemon (else Podman's socket).

    ``spool`` is the path of a file that the image is written to when its config or a layer is first asked for.  Raises
    ``ImageNotFoundError`` or ``TransportError``.
    """
    client = docker_client() or podman_client()
    if client is None:
        raise _nobody("auto")
    # A name without a tag would have Docker save all tags of the repository.
    full = name if _IMAGE_ID.fullmatch(name) else Reference.parse(name).familiar
    from docker import errors

    try:
        identity = str(client.inspect_image(full)["Id"])
    except errors.ImageNotFound as error:
        raise ImageNotFoundError(f"The daemon at {client.base_url} has no image {name}.") from error
    except (errors.DockerException, OSError) as error:
        raise TransportError(f"Docker failed: {explanation(error)}.") from error
    return DaemonImage(client, full, identity, platform, spool)


class DaemonImage:
    """An image of a daemon, exported when first needed.

    ``identity`` is the id that the daemon gives it.  ``close`` closes ``client`` too, unless others use it.
    """

    def __init__(
        self, client: Any, name: str, identity: str, platform: Platform, spool: str, *, shares_client: bool = False
    ) -> None:
        self.identity = identity
        self._client = client
        self._name = name
        self._platform = platform
        self._spool = spool
        self._shares_client = shares_client
        self._opened: FileImage | None = None

    @property
    def config_bytes(self) -> bytes:
        """The config document."""
        return self._image.config_bytes

    @property
    def layers(self) -> tuple[SourceLayer, ...]:
        """The layers, bottom first."""
        return self._image.layers

    def read_layer(self, index: int) -> AbstractContextManager[Read]:
        """The verified bytes of a layer."""
        return self._image.read_layer(index)

    def close(self) -> None:
        """Remove the exported archive."""
        if self._opened is not None:
            self._opened.close()
            os.unlink(self._spool)
            self._opened = None
        if not self._shares_client:
            self._client.close()

    @property
    def _image(self) -> FileImage:
        if self._opened is None:
            with daemon_errors("Docker"), open(self._spool, "wb") as file:
                for chunk in self._client.get_image(self._name, chunk_size=_CHUNK):
                    file.write(chunk)
            self._opened = docker_archive.open_image(self._spool, platform=self._platform)
        return self._opened


def _load(client: Any, archive: Iterable[bytes], daemon: str) -> str:
    loaded = ""
    with daemon_errors(daemon):
        for message in client.load_image(iter(archive)):
            if "error" in message:
                raise TransportError(f"{daemon} refused the image: {message['error']}.")
            match = _LOADED.search(message.get("stream", ""))
            loaded = match[1].strip() if match else loaded
    client.close()
    return loaded


def _load_by_command(podman: str, archive: Iterable[bytes]) -> str:
    import subprocess
    import tempfile

    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complaints:
        child = process.start([podman, "load"], stdin=subprocess.PIPE, stdout=printed, stderr=complaints)
        try:
            _feed(child, archive)
        except BaseException:
            child.kill()
            child.wait()
            raise
        returncode = child.wait()
        printed.seek(0)
        complaints.seek(0)
        said, details = (file.read().decode(errors="replace") for file in (printed, complaints))
    if returncode != 0:
        raise TransportError(f"“podman load” {process.ending(returncode)}.", details=details[-2000:])
    match = _LOADED.search(said)
    return match[1].strip() if match else ""


def _feed(child: subprocess.Popen[bytes], archive: Iterable[bytes]) -> None:
    if child.stdin is None:
        return
    try:
        with child.stdin:
            for chunk in archive:
                child.stdin.write(chunk)
    except BrokenPipeError:
        pass  # its exit code and words say why


def _nobody(which: Which) -> TransportError:
    who = {"auto": "Neither a Docker nor a Podman daemon", "docker": "No Docker daemon", "podman": "No Podman"}[which]
    return TransportError(
        f"{who} answers on this machine.",
        hint="start one, point DOCKER_HOST to one, or write an archive: --output type=docker,dest=image.tar",
    )
