"""A daemon's API as far as the engine needs it: typed calls and our errors; the SDK is known nowhere else."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from ...errors import ContextError, ImageNotFoundError, TransportError
from ...limits import NONE, Limits
from ...oci.config import ContainerConfig, ImageConfig
from ...reference import Platform, Reference
from ...transports.daemon_client import daemon_errors, explanation

_CHUNK: Final = 1 << 20
_NOT_THERE: Final = (400, 404)
_IS_DIRECTORY: Final = 1 << 31  # Go's os.ModeDir
_IS_LINK: Final = 1 << 27  # and os.ModeSymlink


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon says of an image: ``image`` is its id there; ``size`` in bytes, uncompressed; ``config`` has no
    history and no times."""

    image: str
    size: int
    layers: tuple[str, ...]
    config: ImageConfig


class StartError(Exception):
    """A container could not be made or started; the message is the daemon's, without a full stop."""


class Daemon:
    """One daemon.  Every method raises ``TransportError`` when the daemon refuses or is gone.

    ``name`` is ``Docker`` or ``Podman``.  May be used by several threads.
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.address = str(client.base_url)

    @property
    def api_version(self) -> tuple[int, ...]:
        """The version of the API that is spoken."""
        return tuple(int(part) for part in str(self.client.api_version).split("."))

    @property
    def version(self) -> str:
        """The daemon's own version."""
        with daemon_errors(self.name):
            return str(self.client.version().get("Version", ""))

    def answers(self) -> bool:
        """Whether it is still there."""
        from docker import errors

        try:
            return bool(self.client.ping())
        except (errors.DockerException, OSError):
            return False

    def find(self, image: str) -> ImageFacts | None:
        """The image of that name or id, None where there is none."""
        from docker import errors

        with daemon_errors(self.name):
            try:
                return _facts(self.client.inspect_image(image))
            except errors.NotFound:
                return None

    def get(self, image: str) -> ImageFacts:
        """The image of that name or id; raises ``ImageNotFoundError``."""
        found = self.find(image)
        if found is None:
            raise ImageNotFoundError(
                f"{self.name} has no image {image} any more.", hint="something else removed it; build again"
            )
        return found

    def tag(self, image: str, name: Reference) -> None:
        """Give an image a name, which another image may lose."""
        with daemon_errors(self.name):
            self.client.tag(image, name.repository, tag=name.tag, force=True)

    def untag(self, name: str) -> None:
        """Take a name away, and with its last name the image; nothing happens where there is no such name."""
        from docker import errors

        with daemon_errors(self.name):
            try:
                self.client.remove_image(name, noprune=True)
            except errors.NotFound:
                pass

    def load(self, archive: Iterable[bytes]) -> None:
        """Load the images of a Docker archive, with the names that it gives them."""
        with daemon_errors(self.name):
            for message in self.client.load_image(iter(archive)):
                if "error" in message:
                    raise TransportError(f"{self.name} refused an image: {message['error']}.")

    def import_files(self, tree: Iterable[bytes], name: Reference) -> None:
        """Make an image of one layer from a tar, under this name; for Docker only: Podman forgets the name."""
        with daemon_errors(self.name):
            answer = self.client.import_image_from_stream(iter(tree), repository=name.repository, tag=name.tag)
        for message in _messages(answer.splitlines()):
            if "error" in message:
                raise TransportError(f"{self.name} refused files: {message['error']}.")

    def pull(self, name: str, platform: Platform | None) -> None:
        """Get an image from its registry, with the credentials of Docker's config; raises ``ImageNotFoundError``."""
        from docker import errors

        reference = Reference.parse(name)
        with daemon_errors(self.name):
            try:
                self.client.pull(
                    reference.repository,
                    tag=str(reference.digest) if reference.digest else reference.tag,
                    platform=str(platform) if platform else None,
                )
            except errors.NotFound as error:
                raise ImageNotFoundError(f"{self.name} can't pull {name}: {explanation(error)}.") from error

    def build(self, context: Iterable[bytes], parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Send a context to the builder of the API; yields what it answers, message by message."""
        with daemon_errors(self.name):
            url = f"{self.client.base_url}/v{self.client.api_version}/build"
            headers = {"Content-Type": "application/x-tar", **self._credentials()}
            answer = self.client.post(url, data=iter(context), params=parameters, headers=headers, stream=True)
            with answer:
                if answer.status_code != 200:
                    yield {"error": _refusal(answer.content)}
                    return
                yield from _messages(answer.iter_lines(_CHUNK))

    def create(
        self,
        image: str,
        *,
        command: tuple[str, ...],
        network: str,
        labels: Mapping[str, str],
        limits: Limits = NONE,
    ) -> str:
        """Make a container whose output nobody stores; returns its id.  Raises ``StartError``."""
        from docker import errors, types

        with daemon_errors(self.name):
            host = self.client.create_host_config(
                log_config={"Type": "none", "Config": {}},
                network_mode=None if network == "default" else network,
                mem_limit=limits.memory or None,
                memswap_limit=2 * limits.memory or None,  # as much swap on top
                nano_cpus=round(limits.cpus * 1e9) or None,
                shm_size=limits.shm_size or None,
                ulimits=[types.Ulimit(name=each.name, soft=each.soft, hard=each.hard) for each in limits.ulimits],
            )
            try:
                made = self.client.create_container(
                    image,
                    command=list(command) or None,
                    host_config=host,
                    stdin_open=False,
                    tty=False,
                    labels=dict(labels),
                )
            except errors.APIError as error:
                raise StartError(explanation(error)) from error
        return str(made["Id"])

    def resolved(self, container: str, path: str) -> str:
        """A path of a container with the links followed, as far as it is there."""
        followed = "/"
        for name in filter(None, path.split("/")):
            followed = posixpath.join(followed, name)
            facts = self._facts_of(container, followed)
            if facts.get("mode", 0) & _IS_LINK:  # its target is absolute, and all of it followed
                followed = str(facts.get("linkTarget") or followed)
        return followed

    def _facts_of(self, container: str, path: str) -> dict[str, Any]:
        """What the daemon tells of a path without its contents; nothing where there is none."""
        url = f"{self.client.base_url}/v{self.client.api_version}/containers/{container}/archive"
        with daemon_errors(self.name):
            answer = self.client.head(url, params={"path": path}, timeout=self.client.timeout)
        told = answer.headers.get("X-Docker-Container-Path-Stat", "")
        return dict(json.loads(base64.b64decode(told))) if answer.ok and told else {}

    def archive(self, container: str, directory: str) -> Iterator[bytes]:
        """What is in a directory of a container, as a tar; links on the way are followed inside the container.

        Raises ``ContextError`` where there is no such directory.
        """
        from docker import errors

        facts = self._facts_of(container, directory)
        if facts and not facts["mode"] & (_IS_DIRECTORY | _IS_LINK):  # Podman tells of a link, though it follows it
            raise _no_directory(directory, "it is something else")
        with daemon_errors(self.name):
            try:
                chunks, _ = self.client.get_archive(container, f"{directory}/.", chunk_size=_CHUNK)
            except errors.APIError as error:
                if error.status_code not in _NOT_THERE:
                    raise
                raise _no_directory(directory, explanation(error)) from error
            yield from chunks

    def attach(self, container: str) -> Any:
        """A socket with the output of a container that is not started yet.  Raises ``StartError``."""
        return self._starting(self.client.attach_socket, container, {"stdout": 1, "stderr": 1, "stream": 1})

    def start(self, container: str) -> None:
        """Start a container.  Raises ``StartError``."""
        self._starting(self.client.start, container)

    def wait(self, container: str) -> int:
        """Wait for a container's end; returns its exit code."""
        with daemon_errors(self.name):
            return int(self.client.wait(container)["StatusCode"])

    def remove(self, container: str) -> None:
        """Kill and remove a container with its volumes; nothing happens where there is no such container."""
        from docker import errors

        with daemon_errors(self.name):
            try:
                self.client.remove_container(container, force=True, v=True)
            except errors.NotFound:
                pass

    def labelled(self, label: str) -> list[tuple[str, str]]:
        """The ids of all containers that have a label, and its values."""
        with daemon_errors(self.name):
            found = self.client.containers(all=True, filters={"label": label})
        return [(str(each["Id"]), str(each["Labels"][label])) for each in found]

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _starting(self, call: Any, *arguments: Any) -> Any:
        from docker import errors

        with daemon_errors(self.name):
            try:
                return call(*arguments)
            except errors.APIError as error:
                raise StartError(explanation(error)) from error

    def _credentials(self) -> dict[str, str]:
        """Docker's credentials for all registries, as the API's builder takes them."""
        from docker import auth

        all_of_them = self.client._auth_configs.get_all_credentials()
        return {"X-Registry-Config": auth.encode_header(all_of_them).decode()} if all_of_them else {}


def _no_directory(directory: str, reason: str) -> ContextError:
    return ContextError(
        f"BUILD takes a directory, and there is none at {directory} of the image: {reason}.",
        hint="make it in a RUN before",
    )


def _facts(document: dict[str, Any]) -> ImageFacts:
    rootfs = document.get("RootFS") or {}
    return ImageFacts(
        image=_full(str(document["Id"])),
        size=int(document.get("Size") or 0),
        layers=tuple(rootfs.get("Layers") or ()),
        config=ImageConfig(
            author=document.get("Author") or "",
            architecture=document.get("Architecture") or "",
            os=document.get("Os") or "",
            variant=document.get("Variant") or "",
            config=msgspec.convert(document.get("Config") or {}, ContainerConfig),
        ),
    )


def _full(image: str) -> str:
    return image if image.startswith("sha256:") else f"sha256:{image}"


def _messages(lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.strip():
            yield json.loads(line)


def _refusal(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
