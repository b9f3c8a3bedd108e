"""Frames on a stream socket: a length of eight bytes, big endian, then that many bytes; descriptors go with it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

_LENGTH_SIZE: Final = 8
_MAX_DESCRIPTORS: Final = 8
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
    head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH_SIZE, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if head and len(head) < _LENGTH_SIZE:
        rest = _exactly(connection, _LENGTH_SIZE - len(head))
        head = head + rest if rest is not None else b""
    length = int.from_bytes(head, "big")
    if not head or length > _MAX_FRAME:
        return None, descriptors
    return _exactly(connection, length), descriptors


def _exactly(connection: socket.socket, length: int) -> bytes | None:
    body = bytearray(length)
    view = memoryview(body)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            return None
        view = view[count:]
    return bytes(body)
