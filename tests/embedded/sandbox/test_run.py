"""What a process in the sandbox sees, and what the caller hears of its end."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import signal
import struct
import termios
import threading
import time
from pathlib import Path

import pytest

from dockerception.errors import MachineError, StoreError, UsageError
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest
from support.tools import need

from .conftest import Lab


def test_output_and_exit_code(lab: Lab) -> None:
    result, said = lab.sh("echo out; echo err >&2; exit 7")
    assert (result.returncode, result.not_started, sorted(said.split())) == (7, "", ["err", "out"])


def test_exit_code_1_is_the_process_own(lab: Lab) -> None:
    result, _ = lab.sh("exit 1")
    assert (result.returncode, result.not_started) == (1, "")


def test_a_signal_is_128_plus_its_number(lab: Lab) -> None:
    # The first process of a namespace can't kill itself, so its child does, and the shell says so.
    assert lab.sh("sh -c 'kill -TERM $$'; exit $?")[0].returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_every_runtime(lab: Lab, runtime: str) -> None:
    need(runtime)
    with Sandbox(str(lab.root), runtime=runtime) as sandbox:
        read_end, write_end = os.pipe()
        request = RunRequest(layers=("busybox",), args=("sh", "-c", "echo $$; hostname; exit 3"))
        result = sandbox.run(request, None, write_end, write_end)
        os.close(write_end)
        with open(read_end, "rb") as reader:
            assert reader.read() == b"1\nbuildkitsandbox\n"
        assert result.returncode == 3
        assert sandbox.run(RunRequest(layers=("busybox",), args=("/etc",))).returncode == 126


def test_stdout_arrives_byte_by_byte(lab: Lab) -> None:
    size = 50_000_000
    script = f"head -c {size} /dev/urandom > /tmp/random; sha256sum < /tmp/random >&2; cat /tmp/random"
    read_end, write_end = os.pipe()
    error_read, error_write = os.pipe()
    run = lab.sandbox.begin(RunRequest(layers=("busybox",), args=("sh", "-c", script)), None, write_end, error_write)
    os.close(write_end)
    os.close(error_write)
    digest, count = hashlib.sha256(), 0
    with open(read_end, "rb", buffering=0) as reader:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            count += len(chunk)
    with open(error_read, "rb") as reader:
        expected = reader.read().split()[0].decode()
    assert (run.wait().returncode, count, digest.hexdigest()) == (0, size, expected)


def test_stdin_is_passed_through(lab: Lab) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"what was said\n")
    os.close(write_end)
    answer_read, answer_write = os.pipe()
    result = lab.sandbox.run(RunRequest(layers=("busybox",), args=("cat",)), read_end, answer_write)
    os.close(read_end)
    os.close(answer_write)
    with open(answer_read, "rb") as reader:
        assert (result.returncode, reader.read()) == (0, b"what was said\n")


def test_no_stdin_is_an_empty_one(lab: Lab) -> None:
    assert lab.sh("cat | wc -c")[1].strip() == "0"


@pytest.mark.parametrize(
    ("args", "code", "kind"),
    [
        (("no-such-program",), 127, "not-found"),
        (("/no/such/program",), 127, "not-found"),
        (("/etc",), 126, "not-executable"),
        (("/data/one",), 126, "not-executable"),
        ((), 127, "not-found"),
    ],
)
def test_what_cannot_start(lab: Lab, args: tuple[str, ...], code: int, kind: str) -> None:
    result, said = lab.output(RunRequest(layers=("busybox",), args=args))
    assert (result.returncode, result.not_started, said) == (code, kind, "")
    assert not args or args[0] in result.message


def test_a_missing_interpreter_is_named(lab: Lab) -> None:
    script = lab.tree("busybox") / "bin/script"
    script.write_text("#!/usr/bin/perl -w\n")
    script.chmod(0o755)
    result, _ = lab.output(RunRequest(layers=("busybox",), args=("script",)))
    assert (result.returncode, result.not_started) == (127, "not-found")
    assert "/usr/bin/perl" in result.message


def test_what_the_kernel_cannot_execute(lab: Lab) -> None:
    garbage = lab.tree("busybox") / "bin/garbage"
    garbage.write_bytes(b"\0\1\2\3")
    garbage.chmod(0o755)
    result, said = lab.output(RunRequest(layers=("busybox",), args=("garbage",)))
    assert result.returncode != 0
    assert "xec format error" in said + result.message


def test_without_any_layer_there_is_nothing_to_run(lab: Lab) -> None:
    result, _ = lab.output(RunRequest(layers=(), args=("/bin/sh", "-c", "true")))
    assert (result.returncode, result.not_started) == (127, "not-found")


def test_identity_environment_and_directory(lab: Lab) -> None:
    result, said = lab.sh(
        "id -u; id -g; id -G; pwd; echo $GREETING; hostname; umask; grep CapEff /proc/self/status",
        uid=33,
        gid=44,
        additional_gids=(55, 66),
        environment=("GREETING=hello world", "PATH=/bin"),
        cwd="/data/sub",
    )
    assert result.returncode == 0
    assert said.splitlines() == [
        "33", "44", "44 55 66", "/data/sub", "hello world", "buildkitsandbox", "0022", "CapEff:\t0000000000000000",
    ]  # fmt: skip


def test_capabilities_are_dockers(lab: Lab) -> None:
    assert lab.sh("grep CapEff /proc/self/status")[1].split()[1] == "00000000a80425fb"
    chosen = lab.sh("grep CapEff /proc/self/status", capabilities=("CAP_CHOWN",))
    assert chosen[1].split()[1] == "0000000000000001"


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_device_node_can_be_made_but_not_opened(lab: Lab, runtime: str) -> None:
    script = (
        "mknod /zero c 1 5 && mknod /dev/zero2 c 1 5 && echo made; cat /zero /dev/zero2; head -c 4 /dev/zero | wc -c"
    )
    with Sandbox(str(lab.root), runtime=need(runtime)) as sandbox:
        other = Lab(lab.root, sandbox)
        for options in ({}, {"layers": ("busybox", *_empty_layers(lab))}):
            said = other.sh(script, **options)[1]
            assert "made\n" in said
            assert "\n4\n" in said
            assert said.count("Permission denied") == 2


def _empty_layers(lab: Lab) -> list[str]:
    """So many layers that their names don't fit into a page, so that they are mounted in another way."""
    names = [f"layer-{number:03}-{'x' * 30}" for number in range(120)]
    for name in names:
        lab.tree(name).mkdir(exist_ok=True)
    return names


def test_no_signal_is_ignored_by_inheritance(lab: Lab) -> None:
    # Python ignores SIGPIPE; a container that inherits that never ends a “yes | head”.
    ignored = int(lab.sh("grep SigIgn /proc/self/status")[1].split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


def test_only_the_container_is_seen(lab: Lab) -> None:
    _, said = lab.sh("ls /proc | grep -c '^[0-9]'; echo $$; ls /; cat /proc/self/mountinfo")
    assert said.splitlines()[1] == "1"
    assert int(said.splitlines()[0]) <= 4
    assert str(lab.root) not in said.replace(str(lab.root / "mnt"), "")


def test_network_of_the_host(lab: Lab) -> None:
    outside = sorted(os.listdir("/sys/class/net"))
    assert sorted(lab.sh("ls /sys/class/net")[1].split()) == outside


def test_no_network_has_lo_up(lab: Lab) -> None:
    _, said = lab.sh("ls /sys/class/net; ip link show lo; ping -c1 -W2 127.0.0.1", network="none")
    assert said.splitlines()[0] == "lo"
    assert "LOOPBACK,UP" in said
    assert "1 packets received" in said


def test_sys_is_read_only_and_bare(lab: Lab) -> None:
    for network in ("host", "none"):
        _, said = lab.sh("ls /sys/kernel/debug | wc -l; touch /sys/x", network=network)
        assert said.splitlines()[0] == "0"
        assert "Read-only file system" in said or "Permission denied" in said


def test_hosts_and_resolv_conf(lab: Lab) -> None:
    _, said = lab.sh("cat /etc/hosts", hosts=(("database", "10.1.2.3"),), hostname="here")
    assert said == "127.0.0.1\tlocalhost here\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.2.3\tdatabase\n"
    assert lab.sh("cat /etc/resolv.conf")[1] == Path("/etc/resolv.conf").read_text()
    assert "Read-only" in lab.sh("echo x > /etc/resolv.conf")[1]


def test_changes_are_thrown_away_without_an_upper_directory(lab: Lab) -> None:
    assert lab.sh("rm -r /data /tmp; echo x > /x")[0].returncode == 0
    assert (lab.tree("busybox") / "data/one").read_text() == "one\n"
    assert not (lab.tree("busybox") / "x").exists()


def test_a_read_only_root(lab: Lab) -> None:
    assert "Read-only" in lab.sh("touch /x", has_readonly_root=True)[1]


def test_150_layers(lab: Lab) -> None:
    names = [f"layer-{number:03}" for number in range(150)]
    for number, name in enumerate(names):
        lab.tree(name).mkdir()
        (lab.tree(name) / f"file-{number}").write_text(str(number))
        (lab.tree(name) / "top").write_text(name)
    upper = lab.fresh()
    result, said = lab.sh("ls / | grep -c ^file; cat /top", layers=("busybox", *names), upper=upper, work=lab.fresh())
    assert (result.returncode, said) == (0, f"150\n{names[-1]}")


def test_more_layers_than_fit_into_a_page(lab: Lab) -> None:
    names = _empty_layers(lab)
    (lab.tree(names[-1]) / "top").write_text("found")
    upper = lab.fresh()
    result, said = lab.sh("cat /top; rm -r /data", layers=("busybox", *names), upper=upper, work=lab.fresh())
    assert (result.returncode, said) == (0, "found")
    assert [e.kind for e in lab.sandbox.diff(upper).toc if e.path == "data"] == ["whiteout"]


def test_a_store_whose_path_has_separators(tmp_path: Path, lab: Lab) -> None:
    root = tmp_path / "a:b,c d\\e"
    os.rename(lab.root, root)
    try:
        with Sandbox(str(root), runtime="crun") as sandbox:
            request = RunRequest(
                layers=("busybox",), args=("touch", "/x"), upper=f"{root}/tmp/u:1,2", work=f"{root}/tmp/w:1,2"
            )
            assert sandbox.run(request).returncode == 0
            assert (root / "tmp/u:1,2/x").exists()
            sandbox.delete([f"{root}/tmp/u:1,2"])
    finally:
        os.rename(root, lab.root)


def test_runs_of_several_threads(lab: Lab) -> None:
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        answers[number] = lab.sh(f"sleep 0.2; echo {number}")[1].strip()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(8)}


def test_cancelling_ends_the_container(lab: Lab) -> None:
    cancel = threading.Event()
    read_end, write_end = os.pipe()
    run = lab.sandbox.begin(
        RunRequest(layers=("busybox",), args=("sh", "-c", "echo ready; sleep 1000 & sleep 1000")), None, write_end
    )
    os.close(write_end)
    with open(read_end, "rb") as reader:
        assert reader.readline() == b"ready\n"
        cancel.set()
        assert run.wait(cancel).returncode == 128 + signal.SIGKILL
        assert reader.read() == b""  # the end of the pipe: no process of the container is left


def test_cancelling_at_once(lab: Lab) -> None:
    cancel = threading.Event()
    cancel.set()
    for _ in range(10):
        result = lab.sandbox.run(RunRequest(layers=("busybox",), args=("sleep", "1000")), cancel=cancel)
        assert result.returncode == 128 + signal.SIGKILL


def test_a_signal_reaches_the_process(lab: Lab) -> None:
    script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    read_end, write_end = os.pipe()
    run = lab.sandbox.begin(RunRequest(layers=("busybox",), args=("sh", "-c", script)), None, write_end)
    os.close(write_end)
    with open(read_end, "rb") as reader:
        assert reader.readline() == b"ready\n"
        run.signal(signal.SIGTERM)
        assert reader.read() == b"got it\n"
    assert run.wait().returncode == 5


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_terminal_and_its_size(lab: Lab, runtime: str) -> None:
    script = "trap 'stty -a; exit 4' WINCH; tty; stty -a; echo ready; while :; do sleep 0.05; done"
    request = RunRequest(layers=("busybox",), args=("sh", "-c", script), has_terminal=True)
    ours, theirs = os.openpty()
    _resize(theirs, 30, 90)
    with Sandbox(str(lab.root), runtime=need(runtime)) as sandbox:
        run = sandbox.begin(request, theirs, theirs, theirs)
        said = _read_until(ours, b"ready")
        assert b"/dev/pts/0" in said
        assert b"rows 30; columns 90" in said
        _resize(theirs, 40, 120)
        run.signal(signal.SIGWINCH)
        assert b"rows 40; columns 120" in _read_until(ours, b"-iexten", b"iexten")
        assert run.wait().returncode == 4
    os.close(theirs)
    os.close(ours)


def _resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _read_until(descriptor: int, *marks: bytes) -> bytes:
    said = b""
    while not any(mark in said for mark in marks):
        assert select.select([descriptor], [], [], 20)[0], said
        said += os.read(descriptor, 1000)
    return said


def test_closing_ends_what_runs(lab: Lab) -> None:
    run = lab.sandbox.begin(RunRequest(layers=("busybox",), args=("sleep", "1000")))
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            run.wait()
        except MachineError as error:
            failures.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.1)
    lab.sandbox.close()
    waiter.join(5)
    assert len(failures) == 1
    with pytest.raises(MachineError, match="has been interrupted"):
        lab.sandbox.run(RunRequest(layers=("busybox",), args=("true",)))
    _remove_scratch(lab)


def _remove_scratch(lab: Lab) -> None:
    with Sandbox(str(lab.root)) as sandbox:
        sandbox.delete(str(each) for each in (lab.root / "tmp").iterdir())


def test_bytes_that_are_not_utf8(lab: Lab) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        lab.sandbox.run(RunRequest(layers=("busybox",), args=("echo", "\udcff")))


def test_a_missing_layer(lab: Lab) -> None:
    with pytest.raises(StoreError, match="trees/gone"):
        lab.sandbox.run(RunRequest(layers=("busybox", "gone"), args=("true",), upper=lab.fresh(), work=lab.fresh()))
