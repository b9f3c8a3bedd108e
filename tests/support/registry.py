"""Debian's docker-registry on a free port of loopback: plain, with a password file, with TLS, or on a tiny disk."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from support.tools import need

USERNAME = "tester"
PASSWORD = "open sesame"
# bcrypt of PASSWORD with the fewest rounds: the registry knows no other hash, and Debian's base no tool that makes it.
_HTPASSWD = f"{USERNAME}:$2b$04$TUGDw7jCXy3aY9OUAkwT9.ZcuoJl16fIbSMN41ByTaNTm2YFj4rx2\n"
_START_SECONDS = 20.0
_LISTENING = re.compile(r"listening on ([0-9.]+:\d+)")


class Tls(msgspec.Struct, frozen=True):
    """Files in PEM format: an authority, a certificate for 127.0.0.1 that it has signed, and its key."""

    authority: Path
    certificate: Path
    key: Path


@contextmanager
def running_registry(
    folder: Path, *, has_password: bool = False, tls: Tls | None = None, wants_client: bool = False, data: str = ""
) -> Iterator[str]:
    """The ``host:port`` of a registry that lives as long as the block.  ``data`` is where it keeps its blobs."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(_config(folder, data or str(folder / "data"), has_password, tls, wants_client))
    log = folder / "log"
    with log.open("wb") as file:
        child = subprocess.Popen(
            [need("docker-registry"), "serve", str(config)], stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield _address(child, log)
    finally:
        child.terminate()
        child.wait()


def make_tls(folder: Path, name: str = "registry") -> Tls:
    """An authority of its own and a certificate that it signs, by openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Tls(folder / f"{name}-ca.crt", folder / f"{name}.crt", folder / f"{name}.key")
    request, authority_key = folder / f"{name}.csr", folder / f"{name}-ca.key"
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        "req", "-x509", *new_key, "-keyout", authority_key, "-out", files.authority, "-subj", "/CN=tests' authority"
    )
    _openssl("req", "-new", *new_key, "-keyout", files.key, "-out", request, "-subj", f"/CN={name}")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", files.authority, "-CAkey", authority_key, "-CAcreateserial"),
        *("-days", "30", "-extfile", extensions, "-out", files.certificate),
    )
    return files


def _config(folder: Path, data: str, has_password: bool, tls: Tls | None, wants_client: bool) -> str:
    lines = [
        "version: 0.1",
        "log: {level: info}",
        f"storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}",
        "http:",
        "  addr: 127.0.0.1:0",
    ]
    if tls is not None:
        lines += ["  tls:", f"    certificate: {tls.certificate}", f"    key: {tls.key}"]
        lines += [f"    clientcas: [{tls.authority}]"] if wants_client else []
    if has_password:
        (folder / "htpasswd").write_text(_HTPASSWD)
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}}}")
    return "\n".join(lines) + "\n"


def _address(child: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        found = _LISTENING.search(log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry does not start:\n{log.read_text(errors='replace')[-2000:]}")


def _openssl(*arguments: str | os.PathLike[str]) -> None:
    subprocess.run([need("openssl"), *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)
