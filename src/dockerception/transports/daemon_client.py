"""Clients of Docker's API, which Podman's sockets speak too: found as the daemons' own command lines find them.

Docker: ``DOCKER_HOST``, ``DOCKER_CONTEXT``, the current context, else the default socket; TLS as ``DOCKER_TLS_VERIFY``
and ``DOCKER_CERT_PATH`` or the context have it; ``ssh://`` through the system's own ``ssh`` (``ssh_bridge``).  Podman:
``CONTAINER_HOST``, else the user's socket, else the system's.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from ..errors import TransportError
from . import docker_contexts

Options = Callable[[str], dict[str, Any]]
"""From an address to the keyword arguments of ``docker.APIClient``."""

_PING_SECONDS: Final = 5
_SSH_SECONDS: Final = 40
_DOCKER_SOCKET: Final = "unix:///var/run/docker.sock"
_SYSTEM_SOCKET: Final = "/run/podman/podman.sock"


def docker_client() -> Any:
    """A ``docker.APIClient``, or None where nothing answers.

    Raises ``TransportError`` where nothing answers at an address that the user has chosen.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        return _answering(host, remedy="correct DOCKER_HOST", options_of=_from_environment)
    name = docker_contexts.current_name()
    if name == docker_contexts.DEFAULT:
        return _answering(_DOCKER_SOCKET, remedy="")
    endpoint = docker_contexts.find(name)
    return _answering(
        endpoint.host, remedy=f"choose another context than “{name}”", options_of=lambda host: _from_endpoint(endpoint)
    )


def podman_client(*, must_answer: bool = False) -> Any:
    """As ``docker_client``, of a Podman socket; silence at ``CONTAINER_HOST`` is an error if ``must_answer``."""
    host = os.environ.get("CONTAINER_HOST", "")
    if host:
        return _answering(host, remedy="correct CONTAINER_HOST" if must_answer else "")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    for path in (f"{runtime}/podman/podman.sock", _SYSTEM_SOCKET):
        client = _answering(f"unix://{path}", remedy="") if os.access(path, os.W_OK) else None
        if client is not None:
            return client
    return None


def is_podman(client: Any) -> bool:
    """Whether it is a Podman that answers, at whatever address."""
    with daemon_errors("The daemon"):
        components = client.version().get("Components") or ()
        return any("podman" in str(part.get("Name", "")).lower() for part in components)


def _plain(host: str) -> dict[str, Any]:
    return {"base_url": host}


def _from_environment(host: str) -> dict[str, Any]:
    """What ``DOCKER_HOST`` stands for together with ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``."""
    from docker import utils

    return utils.kwargs_from_env()  # type: ignore[no-any-return]


def _from_endpoint(endpoint: docker_contexts.Endpoint) -> dict[str, Any]:
    from docker import tls

    if not (endpoint.ca or endpoint.certificate or endpoint.skips_verification):
        return {"base_url": endpoint.host}
    pair = (endpoint.certificate, endpoint.key) if endpoint.certificate and endpoint.key else None
    verify = not endpoint.skips_verification
    config = tls.TLSConfig(client_cert=pair, ca_cert=endpoint.ca or None, verify=verify)
    return {"base_url": endpoint.host.replace("tcp://", "https://", 1), "tls": config}


@contextmanager
def daemon_errors(daemon: str) -> Iterator[None]:
    """Turn what the SDK and the connection raise inside the block into ``TransportError``."""
    from docker import errors

    try:
        yield
    except (errors.DockerException, OSError) as error:
        raise TransportError(f"{daemon} failed: {explanation(error)}.") from error


def explanation(error: BaseException) -> str:
    """What the daemon itself says in an error, without a full stop."""
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")


def _answering(host: str, *, remedy: str, options_of: Options = _plain) -> Any:
    """A client, if the daemon answers a ping; with a ``remedy`` silence is an error, since the user named the host."""
    if host.startswith("ssh://"):
        return _answering_by_ssh(host, remedy)
    from docker import errors

    try:
        return _client(options_of(host))
    except (errors.DockerException, OSError) as error:
        if remedy:
            raise _silence(host, explanation(error), remedy) from error
        return None


def _client(options: dict[str, Any], *, timeout: float = _PING_SECONDS) -> Any:
    import docker

    pinging = docker.APIClient(**options, version="auto", timeout=timeout)
    pinging.close()
    # Loading a big image, or a silent builder, may take any time before the next answer.
    return docker.APIClient(**options, version=pinging.api_version, timeout=None)


def _answering_by_ssh(host: str, remedy: str) -> Any:
    """As ``_answering``.  The bridge ends with the client."""
    from docker import errors

    from .ssh_bridge import SshBridge

    bridge = SshBridge(host)
    try:
        client = _client({"base_url": bridge.address}, timeout=_SSH_SECONDS)
    except (errors.DockerException, OSError) as error:
        said = bridge.said()
        bridge.close()
        raise _silence(host, said or explanation(error), remedy or "correct the address") from error
    weakref.finalize(client, bridge.close)
    return client


def _silence(host: str, details: str, remedy: str) -> TransportError:
    return TransportError(f"No daemon answers at {host}.", details=details, hint=f"start it, or {remedy}")
