"""What runtimes say, and the bundle that they get."""

from __future__ import annotations

from typing import get_args

import pytest

from dockerception.sandbox import mounts, probe, runtime, security, spec
from dockerception.sandbox.calls import Runtime
from dockerception.sandbox.messages import Mount, MountKind, RunRequest


@pytest.mark.parametrize(
    ("code", "log", "expected"),
    [
        (0, "", (0, "")),
        (1, "", (1, "")),
        (137, "", (137, "")),
        (3, "some warning", (3, "")),
        (1, "executable file `x` not found in $PATH: No such file or directory", (127, "not-found")),
        (1, "open executable: Permission denied", (126, "not-executable")),
        (1, "open executable: Operation not permitted", (126, "not-executable")),
        (1, "mount `proc` to `proc`: Operation not permitted", (125, "runtime")),
        (1, 'time="now" level=warning msg="unable to get oom kill count"', (1, "")),
        (
            1,
            'level=warning msg="x"\ntime="now" level=error msg="exec: x: executable file not found in $PATH"',
            (127, "not-found"),
        ),
        (1, 'time="now" level=error msg="exec: \\"/etc\\": permission denied"', (126, "not-executable")),
        (1, 'time="now" level=error msg="unable to apply cgroup configuration"', (125, "runtime")),
    ],
)
def test_results(code: int, log: str, expected: tuple[int, str]) -> None:
    result = runtime.result(code, log)
    assert (result.returncode, result.not_started) == expected
    assert bool(result.message) == bool(expected[1])


def test_only_crun_is_told_to_leave_cgroups_alone() -> None:
    assert "--cgroup-manager=disabled" in runtime.command(Runtime("crun", "/usr/bin/crun"))
    assert not any("cgroup" in word for word in runtime.command(Runtime("runc", "/usr/bin/runc")))


@pytest.mark.parametrize(
    ("mounts", "mode"),
    [
        ("", "none"),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", "v1"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "hybrid"),
    ],
)
def test_cgroup_mode(mounts: str, mode: str) -> None:
    assert probe.cgroup_mode(mounts) == mode


def config(request: RunRequest, *, is_user: bool = False) -> dict[str, object]:
    return spec.config(request, "/r", [], is_user_namespace=is_user, has_tty_group=not is_user, terminal_size=(0, 0))


def mounts_of(document: dict[str, object]) -> dict[str, list[str]]:
    listed = document["mounts"]
    assert isinstance(listed, list)
    return {each["destination"]: each["options"] for each in listed}


def test_namespaces_follow_the_network() -> None:
    for network in ("host", "none"):
        linux = config(RunRequest(layers=(), args=("x",), network=network))["linux"]
        assert isinstance(linux, dict)
        assert ({"type": "network"} in linux["namespaces"]) == (network == "none")
        assert {"type": "pid"} in linux["namespaces"]


def test_nothing_writable_lets_a_device_be_opened() -> None:
    options = mounts_of(config(RunRequest(layers=(), args=("x",))))
    assert "nodev" in options["/."]
    assert "nodev" in options["/dev"]
    assert "nodev" in options["/dev/shm"]
    for kind in get_args(MountKind):
        placed = mounts.Placed(mounts.Prepared(Mount(kind=kind, target="/x"), "/s"), "x")
        # A node that is given is one file, and can't be made another one.
        assert ("ro" if kind == "device" else "nodev") in mounts.in_bundle(placed)["options"]  # type: ignore[operator]


def test_a_user_binds_all_of_sys() -> None:
    request = RunRequest(layers=(), args=("x",))
    assert "bind" in mounts_of(config(request))["/sys"]
    assert "rbind" in mounts_of(config(request, is_user=True))["/sys"]
    assert not any("gid=" in each for each in mounts_of(config(request, is_user=True))["/dev/pts"])


def test_only_root_starts_with_capabilities() -> None:
    root, user = security.capabilities(None, 0), security.capabilities(None, 33)
    assert root["effective"] == root["bounding"] == sorted(security.DEFAULT_CAPABILITIES)
    assert len(root["bounding"]) == 14
    assert (user["effective"], user["bounding"]) == ([], root["bounding"])


def test_a_path_is_always_set() -> None:
    for environment, expected in (((), f"PATH={spec.DEFAULT_PATH}"), (("PATH=/x",), "PATH=/x")):
        process = config(RunRequest(layers=(), args=("x",), environment=environment))["process"]
        assert isinstance(process, dict)
        assert [each for each in process["env"] if each.startswith("PATH=")] == [expected]
