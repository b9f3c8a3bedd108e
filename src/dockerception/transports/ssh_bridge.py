"""A daemon on another machine, by SSH, as a socket of this one.

Docker's own command line does it so: ``ssh HOST docker system dial-stdio`` joins its stdin and stdout to the daemon
there.  Here each connection to a socket in a private directory becomes one such ssh, whose stdin and stdout the
connection itself is; so nothing passes through this process, and whoever speaks to a local daemon speaks to that one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from ..errors import TransportError
from ..process import require, start

_CONNECT_SECONDS: Final = 30
_TAIL_BYTES: Final = 2000


class SshBridge:
    """The socket of a ``ssh://[USER@]HOST[:PORT][/SOCKET]``; ``close`` it.

    ssh finds keys, agents and host keys as for the user; it asks nothing.  Raises ``TransportError`` for an address
    that can't be, and ``MachineError`` where there is no ssh.
    """

    def __init__(self, host: str) -> None:
        self._command = dial_command(host)
        self._folder = tempfile.mkdtemp(prefix="dockerception-ssh-")
        self._said = open(os.path.join(self._folder, "log"), "w+b")  # noqa: SIM115  (closed by ``close``)
        self._children: list[subprocess.Popen[bytes]] = []
        self._listening = socket.socket(socket.AF_UNIX)
        path = os.path.join(self._folder, "socket")
        self._listening.bind(path)
        self._listening.listen()
        self.address = f"unix://{path}"
        self._server = threading.Thread(target=self._serve, name="ssh-bridge", daemon=True)
        self._server.start()

    def said(self) -> str:
        """The end of what ssh has said on stderr: why it can't connect."""
        size = os.fstat(self._said.fileno()).st_size
        return os.pread(self._said.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace").strip()

    def close(self) -> None:
        """End the socket and every ssh behind it; further calls do nothing."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._server.join()  # an ssh that is being started is among the children then
        for child in self._children:
            child.terminate()
            child.wait()
        self._said.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        with suppress(OSError):  # ``close``
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    child = start(
                        self._command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=self._said
                    )
                self._children = [each for each in self._children if each.poll() is None] + [child]


def dial_command(host: str) -> list[str]:
    """The ssh that reaches the daemon at an address.  Raises ``TransportError`` for one that can't be."""
    parts = urlsplit(host)
    try:
        port = parts.port
    except ValueError as error:
        raise _wrong(host, "its port is no number") from error
    if not parts.hostname or parts.password is not None or parts.query or parts.fragment:
        raise _wrong(host, "it is not ssh://[USER@]HOST[:PORT][/SOCKET]")
    if parts.hostname.startswith("-"):
        raise _wrong(host, "a host can't begin with a dash")
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
    user = ["-l", unquote(parts.username)] if parts.username else []
    at = ["-p", str(port)] if port else []
    docker = ["docker", "--host", f"unix://{parts.path}"] if parts.path.strip("/") else ["docker"]
    ssh = require("ssh", "openssh-client", f"to reach {host}")
    return [ssh, *options, *user, *at, "--", parts.hostname, *docker, "system", "dial-stdio"]


def _wrong(host: str, why: str) -> TransportError:
    return TransportError(f"The address {host} can't be used: {why}.", hint="correct DOCKER_HOST, or the context")
