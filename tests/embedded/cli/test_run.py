"""``dockerception run``: the container's own bytes, its own exit code, its own signals."""

from __future__ import annotations

import hashlib
import io
import signal
import tarfile
from pathlib import Path

import pytest

from embedded.cli.conftest import Command, Start

pytestmark = pytest.mark.root


def test_a_builder_writes_its_context(command: Command, builder: str) -> None:
    done = command("run", builder)
    assert (done.returncode, done.stderr) == (0, b"")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert sorted(archive.getnames()) == [".", "./Dockerfile", "./hello"]


def test_fifty_megabytes_pass_unchanged(command: Command, builder: str) -> None:
    data = bytes(range(256)) * 200_000
    done = command("run", "-i", builder, "cat", stdin=data)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_stdin_is_closed_unless_asked_for(command: Command, builder: str) -> None:
    done = command("run", builder, "cat", stdin=b"secret")
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("sh", "-c", "exit 0"), 0, ""),
        (("sh", "-c", "exit 42"), 42, ""),
        (("sh", "-c", "sh -c 'kill -KILL $$'; exit $?"), 137, ""),
        (("/no/such/program",), 127, "/no/such/program"),
        (("/out/hello",), 126, "/out/hello"),
    ],
)
def test_exit_codes(command: Command, builder: str, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = command("run", builder, *arguments)
    assert done.returncode == code
    assert message in done.stderr.decode()


def test_no_such_image_is_125(command: Command) -> None:
    done = command("run", "missing")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"There is no image" in done.stderr


def test_the_image_without_a_command_is_125(command: Command) -> None:
    assert command("assemble", "-q", "-t", "empty", "-f", "-", stdin=b"FROM scratch\nLABEL a=b\n").returncode == 0
    done = command("run", "empty")
    assert done.returncode == 125
    assert b"neither an ENTRYPOINT nor a CMD" in done.stderr


def test_options(command: Command, builder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    volume = f"{tmp_path}:/data:ro"
    line = ["run", "--rm", "--name", "any", "-e", "A=1", "-e", "B", "-w", "/data", "-v", volume, "--entrypoint", "sh"]
    done = command(*line, builder, "-c", "echo $A $B; pwd; cat file; echo x > new", B="two words")
    assert done.stdout.decode() == "1 two words\n/data\nfrom the host\n"
    assert b"Read-only file system" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_user(command: Command, builder: str) -> None:
    assert command("run", "-u", "12:34", builder, "sh", "-c", "id -u; id -g").stdout == b"12\n34\n"
    assert b"nobody" in command("run", "-u", "nobody", builder, "id").stderr


def test_volumes_are_written_and_the_containers_own_files_are_not(
    command: Command, builder: str, tmp_path: Path
) -> None:
    command("run", "-v", f"{tmp_path}:/data", builder, "sh", "-c", "echo 1 > /data/kept; echo 1 > /lost")
    assert (tmp_path / "kept").read_text() == "1\n"
    assert command("run", builder, "ls", "/lost").returncode == 1


def test_no_network(command: Command, builder: str) -> None:
    done = command("run", "--network", "none", builder, "ls", "/sys/class/net")
    assert done.stdout.split() == [b"lo"]


def test_signals_go_to_the_container_and_its_exit_code_counts(start: Start, builder: str) -> None:
    process = start("run", builder, "sh", "-c", "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == b"bye\n"
    assert process.returncode == 5


def test_the_third_signal_kills(start: Start, builder: str) -> None:
    process = start("run", builder, "sh", "-c", "trap 'echo no' INT; echo ready; while :; do sleep 0.1; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"no\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 137


@pytest.mark.parametrize(
    ("options", "home"),
    [(("-u", "4321"), "/"), (("-e", "HOME=/h"), "/h"), (("-u", "4321", "-e", "HOME="), "/")],
)
def test_home_is_what_the_user_or_the_caller_says(
    command: Command, builder: str, options: tuple[str, ...], home: str
) -> None:
    assert command("run", *options, builder, "sh", "-c", "echo $HOME").stdout.decode().strip() == home
