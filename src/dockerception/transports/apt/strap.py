"""mmdebstrap as a child process: its command, its tar as it comes, and its end."""

from __future__ import annotations

import collections
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

from ... import process
from ...errors import MachineError, StreamError, TransportError
from ...oci.tarreader import TarReader
from ...oci.tarwriter import END_OF_ARCHIVE
from .host_settings import acquire_settings, credential_files
from .resolve import Resolution, included, visible
from .rewrite import Rules, rewrite
from .setup import applets_script, hook, merge_script
from .spec import BUSYBOX, AptSpec

Log = Callable[[bytes], None]

_MERGE: Final = "DOCKERCEPTION_MERGE"
_APPLETS: Final = "DOCKERCEPTION_APPLETS"
_NOISE: Final = re.compile(
    rb"I: (?:running (?:special|--)|skipping|removing)|W: (?:skipping|Download is performed unsand)"
)
_KEPT_LINES: Final = 30
_STOP_SECONDS: Final = 10.0
_KEPT_VARIABLES: Final = frozenset({"PATH", "HOME", "USER", "LOGNAME", "TMPDIR"})
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def check_machine() -> None:
    """Raise ``MachineError`` unless mmdebstrap is here and can work for this user."""
    process.require("mmdebstrap", "mmdebstrap", "for apt:// bases")
    if os.geteuid() == 0:
        return
    process.require("newuidmap", "uidmap", "for apt:// bases made by an ordinary user")
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                owners = {line.partition(":")[0] for line in file}
        except OSError:
            owners = set()
        if not owners & {user, str(os.geteuid())}:
            raise MachineError(
                f"The user {user} has no subordinate ids in {path}; apt:// bases need them.",
                hint=f"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )


def layer(
    spec: AptSpec, resolution: Resolution, architecture: str, suite: str, rules: Rules, folder: str, log: Log
) -> Generator[bytes | memoryview, None, None]:
    """The layer's tar, made while it is read.  Closing the iterator ends mmdebstrap and what it has started.

    Raises ``TransportError`` with its last lines if it fails; the end of the tar is only yielded after its success.
    """
    command = _command(spec, resolution, architecture, suite, folder)
    sources = os.path.join(folder, "sources.list")
    with (
        open(sources, "rb") as stdin,
        _running(command, stdin, _environment(resolution, architecture, folder), log) as running,
    ):
        child, output, last_lines = running
        reader = TarReader(output.read, origin="The output of mmdebstrap")
        try:
            yield from rewrite(reader, rules)
        except StreamError as error:
            _check(child, last_lines)
            raise TransportError(error.message) from error
        _check(child, last_lines)
        yield END_OF_ARCHIVE


def _command(spec: AptSpec, resolution: Resolution, architecture: str, suite: str, folder: str) -> list[str]:
    lists = [os.path.join(resolution.lists, name) for name in sorted(os.listdir(resolution.lists))]
    files = [path for path in lists if os.path.isfile(path) and not path.endswith("/lock")]
    hooks = [f"copy-in {shlex.join(files)} /var/lib/apt/lists"]
    settings = os.path.join(folder, "host.conf")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(acquire_settings())
    hooks.append(f"upload {shlex.quote(settings)} /etc/apt/apt.conf.d/98host")
    hooks.append('mkdir -p "$1/etc/apt/auth.conf.d"')
    for name, path in credential_files().items():
        hooks.append(f"upload {shlex.quote(path)} {shlex.quote(f'/etc/apt/{name}')}")
    if resolution.is_merged:
        hooks.append(hook(_MERGE))
    included_ = included(spec, is_merged=resolution.is_merged)
    return [
        *_own_mounts(),
        process.require("mmdebstrap", "mmdebstrap", "for apt:// bases"),
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        f"--variant={'extract' if spec.variant == BUSYBOX else spec.variant}",
        f"--architectures={architecture}",
        "--format=tar",
        "--skip=update,output/dev",
        # Nobody keeps this root file system: syncing each of its files would take most of the time.
        "--dpkgopt=force-unsafe-io",
        *([f"--include={','.join(included_)}"] if included_ else []),
        *(f"--setup-hook={hook}" for hook in hooks),
        *([f"--extract-hook={hook(_APPLETS)}"] if spec.variant == BUSYBOX else []),
        suite,
        "-",
        "-",
    ]


def _own_mounts() -> list[str]:
    """The start of a command that gives root a mount namespace: else mmdebstrap would mount /proc and /sys for all to
    see, and leave them behind if it is killed.  Nothing where that is not allowed, as it can't mount there either."""
    unshare = process.find("unshare") if os.geteuid() == 0 else None
    if unshare is None or process.run([unshare, "--mount", "true"], check=False).returncode != 0:
        return []
    return [unshare, "--mount", "--"]


def _environment(resolution: Resolution, architecture: str, folder: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in _KEPT_VARIABLES or key.lower().endswith("_proxy")}
    kept["PATH"] = f"{kept.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}"
    # A user's mapped ids can't enter the store's closed directories.
    kept["TMPDIR"] = folder if os.geteuid() == 0 else kept.get("TMPDIR", "/var/tmp")  # noqa: S108
    scripts = {_MERGE: merge_script(architecture), _APPLETS: applets_script()}
    return {**kept, **scripts, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": str(resolution.epoch)}


@contextmanager
def _running(
    command: Sequence[str], stdin: IO[bytes], environment: dict[str, str], log: Log
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], collections.deque[str]]]:
    child = process.start(command, stdin=stdin, environment=environment)
    if child.stdout is None or child.stderr is None:  # pragma: no cover - start() makes pipes of both
        raise MachineError("mmdebstrap has no output.")
    last_lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
    thread = threading.Thread(target=_pump, args=(child.stderr, last_lines, log), daemon=True)
    thread.start()
    try:
        yield child, child.stdout, last_lines
    finally:
        _stop(child)
        thread.join()
        child.stdout.close()
        child.stderr.close()


def _pump(stream: IO[bytes], last_lines: collections.deque[str], log: Log) -> None:
    for line in stream:
        if _NOISE.match(line):
            continue
        shown = visible(line.decode(errors="replace"))
        last_lines.append(shown.rstrip())
        log(shown.encode())


def _check(child: subprocess.Popen[bytes], last_lines: Sequence[str]) -> None:
    returncode = child.wait()
    if returncode == 0:
        return
    details = "\n".join(line for line in last_lines if line)
    raise TransportError(
        f"The packages can't be installed: mmdebstrap {process.ending(returncode)}.",
        details=details,
        hint=_hint(details),
    )


def _hint(details: str) -> str:
    if "No space left" in details:
        return "the disk is full: free some space, or name another one with DOCKERCEPTION_HOME or TMPDIR"
    if "unshare" in details or "uidmap" in details:
        return "this user may not make user namespaces here: see dockerception doctor"
    return "check the network, a proxy (http_proxy), and the mirror; another one is named with mirror=URL"


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole process group: politely, so that it removes its files, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        try:
            os.killpg(child.pid, number)
            child.wait(_STOP_SECONDS)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            continue
    child.wait()
