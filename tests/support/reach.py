"""Ways to a daemon other than its socket, each in front of a real one: TLS with certificates of both sides, and SSH."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh

from support.registry import Tls

_PIECE = 1 << 16


@contextmanager
def over_tls(daemon: Path, tls: Tls) -> Iterator[int]:
    """A port of loopback that speaks TLS as a dockerd with ``--tlsverify``: who shows no certificate is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, context, daemon), daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, context: ssl.SSLContext, daemon: Path) -> None:
    with suppress(OSError):  # the end of the test
        while True:
            plain, _ = listening.accept()
            threading.Thread(target=_serve, args=(plain, context, daemon), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, daemon: Path) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.socket(socket.AF_UNIX) as upstream,
    ):
        upstream.connect(os.fspath(daemon))
        there = threading.Thread(target=_copy, args=(client, upstream, socket.SHUT_WR), daemon=True)
        there.start()
        _copy(upstream, client, socket.SHUT_RDWR)
        there.join()


def _copy(source: socket.socket, target: socket.socket, end: int) -> None:
    """Copy one direction; its end is told to the target, which may still have much to say in the other one."""
    with suppress(OSError, ValueError):
        while data := source.recv(_PIECE):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(end)


@contextmanager
def over_ssh(folder: Path, variables: Mapping[str, str]) -> Iterator[int]:
    """A port of loopback with an SSH server, which runs any command with these variables for who has ``folder/key``.

    ``folder/bin/ssh`` is the system's ssh with a configuration that knows the server and that key.
    """
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user.write_private_key(folder / "key")
    (folder / "key").chmod(0o600)
    user.write_public_key(folder / "authorized")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(folder / "authorized"),
            process_factory=lambda process: _run(process, variables),
            encoding=None,
        )

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    port = server.get_port()
    _write_client(folder, port, host.export_public_key().decode().strip())
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _run(process: asyncssh.SSHServerProcess[bytes], variables: Mapping[str, str]) -> None:
    child = subprocess.Popen(
        ["sh", "-c", process.command or "exit 1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(variables),
    )
    await process.redirect(child.stdin, child.stdout, child.stderr)
    await process.stdout.drain()
    process.exit(await asyncio.to_thread(child.wait))


async def _end(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _write_client(folder: Path, port: int, host_key: str) -> None:
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "config").write_text(
        f"IdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\nBatchMode yes\n"
        "StrictHostKeyChecking yes\n"
    )
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "ssh"
    program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n')
    program.chmod(0o755)
