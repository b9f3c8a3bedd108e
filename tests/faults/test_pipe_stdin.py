"""The fault table of the pipe for ``assemble -``: what other programs write into it; rows 6 and 10 above all."""

from __future__ import annotations

import re
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from faults import material
from faults.program import PROGRAM, Failure, Program, fails
from support.place import CONTAINER, HERE
from support.tools import need
from support.users import open_folders

pytestmark = pytest.mark.root

_PEAK_KIBIBYTES = 120 << 10

_WRONG = {
    "2: a log line first": ("log-first", "standard input is not a tar archive .*“\\+ make app”", "send logs to stderr"),
    "2: a Dockerfile": ("../out/Dockerfile", "is a Dockerfile, not a tar archive", "this is a Dockerfile: use -f -"),
    "3: a log line between": ("log-between", "at byte 1024, there is no tar header", "send logs to stderr"),
    "3: a log line after": ("log-after", "more bytes after the end of the archive", "send logs to stderr"),
    "5: cut": ("cut", "truncated: it ends at byte 100000", "stopped early"),
    "5: one zero block": ("one-zero-block", "truncated", "stopped early"),
    "5: nothing": ("../empty", "is empty; a tar archive was expected", "that command's error message"),
    "13: ..": ("dotdot", "leads out of the archive", ""),
    "13: a bomb": ("bomb", "holds more than", "--max-context"),
}


@pytest.mark.parametrize("case", _WRONG)
def test_wrong_streams(program: Program, project: Path, tmp_path: Path, case: str) -> None:
    stream, message, hint = _WRONG[case]
    path = project / "streams" / stream
    stdin = path.read_bytes() if path.exists() else b""
    fails(program, Failure(4, "stream", message, hint), "assemble", "-", folder=tmp_path / "outputs", stdin=stdin)


def test_no_dockerfile(program: Program, project: Path, tmp_path: Path) -> None:
    """7: and ``-f`` names another one."""
    stdin = (project / "streams" / "other-name").read_bytes()
    failure = Failure(4, "context", "standard input has no Dockerfile at its top; there is: app, deploy/", "-f for")
    fails(program, failure, "assemble", "-", folder=tmp_path / "outputs", stdin=stdin)
    program.succeed("assemble", "-f", "deploy/Dockerfile.run", "-", stdin=stdin)


def test_any_owners_as_an_ordinary_user(program: Program, project: Path, tmp_path: Path) -> None:
    """6: nobody may chown to these owners, and not a single namespace can be made."""
    target, store = tmp_path / "files.tar", tmp_path / "store"
    open_folders(tmp_path)
    tmp_path.chmod(0o777)
    with (project / "streams" / "owners").open("rb") as stream:
        done = subprocess.run(
            [*_as_user(), PROGRAM, "assemble", "-t", "app", "-o", f"type=tar,dest={target}", "-"],
            stdin=stream,
            capture_output=True,
            env={**program.environment, "DOCKERCEPTION_HOME": str(store)},
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    with tarfile.open(target) as archive:
        found = {entry.name: (entry.uid, entry.gid, entry.mode) for entry in archive}
    assert found["nobody"] == found["high"] == (0, 0, 0o644)
    assert found["secret"] == (0, 0, 0o600)
    assert found["closed/in"] == (0, 0, 0o4755)
    assert Program(store=store).leftovers() == []


def _as_user() -> list[str]:
    """A command that runs another one as a user without any capability, who can't make user namespaces either."""
    drop = [need("setpriv"), "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all"]
    if HERE == CONTAINER:
        return [*drop, "--reuid=1234", "--regid=1234", "--clear-groups"]  # no namespace can be made there by anybody
    script = f'echo 0 > /proc/sys/user/max_user_namespaces && exec {" ".join(drop)} "$@"'
    mapped = ["--user", "--map-user=1000", "--map-group=1000", "--keep-caps"]
    return [need("unshare"), *mapped, "sh", "-c", script, "sh"]


def test_a_large_context_takes_no_memory_and_one_copy_on_disk(program: Program, tmp_path: Path) -> None:
    """10: 300 MB; the spool is the only thing that is written of it, and goes with the build."""
    piece = material.APP * 50
    with subprocess.Popen(
        [PROGRAM, "assemble", "--progress", "quiet", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**program.environment, "DOCKERCEPTION_HOME": str(tmp_path / "store")},
    ) as process:
        assert process.stdin is not None
        process.stdin.write(material.member("Dockerfile", b"FROM scratch\nCOPY small /\n"))
        process.stdin.write(material.member("small", b"small"))
        for number in range(30):
            process.stdin.write(material.member(f"large{number}", piece))
        process.stdin.write(bytes(1024))
        process.stdin.close()
        peak = 0
        while process.poll() is None:
            peak = max(peak, _peak_kibibytes(process.pid))
            time.sleep(0.005)
        assert process.stderr is not None
        assert process.returncode == 0, process.stderr.read().decode()
    assert 0 < peak < _PEAK_KIBIBYTES
    kept = sum(path.stat().st_blocks * 512 for path in (tmp_path / "store").rglob("*"))
    assert kept < 3 << 20, "the context of stdin is used once, and only what was copied is kept"


def _peak_kibibytes(pid: int) -> int:
    """The most memory that a process has had so far (its usage at the end would count this test's own fork too)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) if found else 0
