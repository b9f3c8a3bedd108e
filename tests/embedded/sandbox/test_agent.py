"""The ssh agent of a run: OpenSSH's own programs use it, and can't do more with it than they may."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dockerception.errors import UsageError
from dockerception.sandbox.messages import Mount, RunRequest
from embedded.sandbox.conftest import Lab
from support.tools import need

SCRIPT = """
stat -c '%a %u:%g %F' $SSH_AUTH_SOCK
ssh-add -l
ssh-add -D
ssh-add -x < /dev/null
ssh-add -L > /tmp/key.pub
echo data > /tmp/data
ssh-keygen -q -Y sign -n file -f /tmp/key.pub /tmp/data && grep -c 'BEGIN SSH SIGNATURE' /tmp/data.sig
ssh-add -l | wc -l
"""


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A private key without a passphrase."""
    path = str(tmp_path / "key")
    subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "of-the-test", "-f", path], check=True)
    return path


@pytest.fixture
def agent(tmp_path: Path, key: str) -> Iterator[str]:
    """The socket of an agent that has the key."""
    socket = str(tmp_path / "agent")
    running = subprocess.Popen([need("ssh-agent"), "-D", "-a", socket], stdout=subprocess.PIPE)
    with running:
        assert running.stdout is not None
        running.stdout.readline()
        subprocess.run([need("ssh-add"), "-q", key], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        yield socket
        running.terminate()


def in_container(lab: Lab, mount: Mount) -> tuple[int, str]:
    """Run the script with this machine's programs."""
    folders = [folder for folder in ("/usr", "/bin", "/lib", "/lib64", "/etc") if os.path.isdir(folder)]
    binds = [Mount(kind="bind", source=os.path.realpath(each), target=each, is_readonly=True) for each in folders]
    request = RunRequest(
        layers=(),
        args=("/bin/sh", "-c", SCRIPT),
        environment=("SSH_AUTH_SOCK=/run/a/sock",),
        mounts=(*binds, Mount(kind="tmpfs", target="/tmp"), mount),
    )
    result, said = lab.output(request)
    return result.returncode, said


@pytest.mark.parametrize("way", ["socket", "key"])
def test_it_lists_and_signs_and_obeys_nothing_else(lab: Lab, agent: str, key: str, way: str) -> None:
    mount = Mount(kind="agent", target="/run/a/sock", mode=0o640, gid=3)
    given = {"source": agent} if way == "socket" else {"keys": (key,)}
    code, said = in_container(lab, msgspec.structs.replace(mount, **given))
    assert code == 0, said
    lines = said.splitlines()
    assert lines[0] == "640 0:3 socket"
    assert "of-the-test (ED25519)" in lines[1]
    assert lines[-2:] == ["1", "1"], said  # signed; and it still has the key
    assert "agent refused operation" in said or "Failed to remove" in said


def test_a_key_that_needs_a_passphrase_and_an_agent_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    path = str(tmp_path / "locked")
    subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "passphrase", "-f", path], check=True)
    with pytest.raises(UsageError, match="locked of --ssh can't be used") as caught:
        in_container(lab, Mount(kind="agent", target="/run/a/sock", keys=(path,)))
    assert "ssh-add KEY" in caught.value.hint
    with pytest.raises(UsageError, match="does not answer"):
        in_container(lab, Mount(kind="agent", target="/run/a/sock", source=str(tmp_path / "none")))
