"""The ssh agent of a run: a socket of its own that leads to an agent of the host, or to one that holds given keys.

The host's socket itself could not be shown: its owner and mode are the host's, and a container could have the agent
forget its keys.  The relay lets through what lists keys and what signs (draft-miller-ssh-agent, 4), nothing else.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from typing import Final, NoReturn

from ..errors import MachineError, UsageError
from . import linux, owners
from .messages import Mount
from .worker import Session

_REQUEST_IDENTITIES: Final = 11
_SIGN_REQUEST: Final = 13
_FAILURE: Final = b"\0\0\0\1\5"
_LARGEST: Final = 256 << 10  # bytes, as OpenSSH's own limit
_DEFAULT_MODE: Final = 0o600


def start(mount: Mount, name: str, session: Session) -> str:
    """Listen on a socket called ``name`` in the worker's mounts, and relay in a child; returns the socket's path.

    The child ends with the worker's other descendants.  Raises ``UsageError`` for a key that can't be used.
    """
    os.chdir(session.mounts)  # a socket's address has room for a short path only
    source = mount.source or _own_agent(mount.keys, f"{name}.keys")
    _connect(source).close()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    owners.give(name, mount.uid, mount.gid, mount.target)
    os.chmod(name, _DEFAULT_MODE if mount.mode is None else mount.mode)
    listener.listen()
    if os.fork() == 0:
        _close_inherited(session)
        _serve(listener, source)
    listener.close()
    return f"{session.mounts}/{name}"


def answer(request: bytes, agent: socket.socket) -> bytes:
    """The agent's reply to a request, both whole with their lengths; a refusal for what is not let through."""
    if request[4:5] not in (bytes([_REQUEST_IDENTITIES]), bytes([_SIGN_REQUEST])):
        return _FAILURE
    agent.sendall(request)
    return receive(agent)


def receive(connection: socket.socket) -> bytes:
    """One message with its length in front (four bytes, big-endian); empty at the end of the stream."""
    head = _receive_exactly(connection, 4)
    size = int.from_bytes(head, "big")
    if len(head) < 4 or not 0 < size <= _LARGEST:
        return b""
    body = _receive_exactly(connection, size)
    return head + body if len(body) == size else b""


def _receive_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := connection.recv(size - len(data))):
        data += chunk
    return data


def _own_agent(keys: tuple[str, ...], name: str) -> str:
    """Start OpenSSH's agent in the current directory and give it keys; returns its socket."""
    try:
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_worker,  # noqa: PLW1509  a worker has one thread
        )
    except FileNotFoundError:
        raise MachineError(
            "The program “ssh-agent” is missing; it is needed for the keys of --ssh.",
            hint="install it (apt-get install openssh-client), or give the socket of an agent that runs",
        ) from None
    if agent.stdout is None or not agent.stdout.readline():  # its first line comes when it listens
        raise MachineError("ssh-agent does not start.")
    # Nothing may ask a person for a passphrase here.
    environment = {"PATH": os.defpath, "SSH_AUTH_SOCK": name, "SSH_ASKPASS_REQUIRE": "never"}
    added = subprocess.run(
        ["ssh-add", "-q", "--", *keys], stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
    )
    if added.returncode:
        raise UsageError(
            f"The key {', '.join(keys)} of --ssh can't be used.",
            details=added.stderr.decode(errors="replace").strip(),
            hint="a key with a passphrase must be in an agent already: ssh-add KEY, then --ssh default",
        )
    return name


def _end_with_worker() -> None:
    """Have the program that is about to start end with this worker, whatever happens to that."""
    linux.forbid_new_privileges()  # else the kernel forgets the second wish: the agent is a set-group-id program
    linux.end_with_parent(signal.SIGKILL)


def _connect(path: str) -> socket.socket:
    agent = socket.socket(socket.AF_UNIX)
    try:
        agent.connect(path)
    except OSError as error:
        agent.close()
        raise UsageError(
            f"The ssh agent at {path} does not answer: {error.strerror}.", hint="is SSH_AUTH_SOCK that of a live agent?"
        ) from error
    return agent


def _close_inherited(session: Session) -> None:
    """Else whoever reads the step's output, or waits for the worker's reply, would wait for the relay as well."""
    session.conversation.close()
    for descriptor in session.descriptors:
        os.close(descriptor)


def _serve(listener: socket.socket, source: str) -> NoReturn:
    try:
        linux.end_with_parent(signal.SIGKILL)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_relay, args=(connection, source), daemon=True).start()
    finally:
        os._exit(1)


def _relay(connection: socket.socket, source: str) -> None:
    try:
        with connection, _connect(source) as agent:
            while request := receive(connection):
                connection.sendall(answer(request, agent))
    except (OSError, UsageError):
        pass  # one of the two has gone
