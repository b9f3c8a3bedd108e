"""The ssh that reaches a daemon, and addresses that can't be."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.transports.ssh_bridge import SshBridge, dial_command


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named ssh, first in PATH, that says what it was called with and then echoes."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho "$@" >&2\nexec cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return program


@pytest.mark.parametrize(
    ("host", "end"),
    [
        ("ssh://far", ["--", "far", "docker", "system", "dial-stdio"]),
        ("ssh://me@far:2222", ["-l", "me", "-p", "2222", "--", "far", "docker", "system", "dial-stdio"]),
        ("ssh://far/run/d.sock", ["--", "far", "docker", "--host", "unix:///run/d.sock", "system", "dial-stdio"]),
        ("ssh://[::1]:22", ["-p", "22", "--", "::1", "docker", "system", "dial-stdio"]),
    ],
)
def test_addresses(ssh: Path, host: str, end: list[str]) -> None:
    command = dial_command(host)
    assert command[0] == str(ssh)
    assert command[-len(end) :] == end
    assert "BatchMode=yes" in command


@pytest.mark.parametrize(
    "host", ["ssh://", "ssh://me:secret@far", "ssh://far:port", "ssh://-oProxyCommand=x", "ssh://h?x"]
)
def test_addresses_that_can_not_be(ssh: Path, host: str) -> None:
    with pytest.raises(TransportError, match="can't be used"):
        dial_command(host)


def test_each_connection_is_an_ssh_of_its_own_and_nothing_is_left(ssh: Path) -> None:
    bridge = SshBridge("ssh://far")
    path = bridge.address.removeprefix("unix://")
    connections = []
    for word in (b"one", b"two"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(word)
        assert connection.recv(16) == word
        connections.append(connection)
    assert bridge.said().count("far docker system dial-stdio") == 2
    bridge.close()
    assert [connection.recv(16) for connection in connections] == [b"", b""]
    assert not Path(path).parent.exists()
    for connection in connections:
        connection.close()
