"""Frames on a stream socket: a length of eight bytes, big endian, then that many bytes; descriptors go with it."""

from __future__ import annotations

import array
import socket
from collections.abc import Sequence
from typing import Final

_LENGTH_SIZE: Final = 8
_MAX_DESCRIPTORS: Final = 8
_DESCRIPTORS: Final = array.array("i")
_MAX_FRAME: Final = 1 << 32


def send(connection: socket.socket, body: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one frame.  Raises ``BrokenPipeError`` where nobody listens any more."""
    length = len(body).to_bytes(_LENGTH_SIZE, "big")
    if descriptors:
        socket.send_fds(connection, [length], list(descriptors))
        connection.sendall(body)
    else:
        connection.sendall(length + body if len(body) < 1 << 16 else length)
        if len(body) >= 1 << 16:
            connection.sendall(body)


def receive(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    """Receive one frame and its descriptors (the caller's to close); ``None`` where the other end has closed."""
    head, descriptors = receive_message(connection, _LENGTH_SIZE)
    if head and len(head) < _LENGTH_SIZE:
        rest = _exactly(connection, _LENGTH_SIZE - len(head))
        head = head + rest if rest is not None else b""
    length = int.from_bytes(head, "big")
    if not head or length > _MAX_FRAME:
        return None, descriptors
    return _exactly(connection, length), descriptors


def receive_message(connection: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """One message of at most ``size`` bytes with its descriptors, which no program that is started will inherit.

    ``socket.recv_fds`` ignores its flags (Python 3.11), so it can't promise that.
    """
    space = socket.CMSG_SPACE(_MAX_DESCRIPTORS * _DESCRIPTORS.itemsize)
    message, ancillary, _, _ = connection.recvmsg(size, space, socket.MSG_CMSG_CLOEXEC)
    descriptors = _DESCRIPTORS[:]
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, descriptors.tolist()


def _exactly(connection: socket.socket, length: int) -> bytes | None:
    body = bytearray(length)
    view = memoryview(body)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            return None
        view = view[count:]
    return bytes(body)
