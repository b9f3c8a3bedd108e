"""The pipe's fault table on every engine: builders that end badly, hang, write nonsense, or are none."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec
import pytest

from engines.lab import WITH_CONTAINERS, Lab, differences
from faults import material
from faults.program import Failure, wait_until

_GOOD = "cat /streams/good"
_TIMEOUT = ("--emit-timeout", "2s")


class _Builder(msgspec.Struct, frozen=True):
    """What a builder does in place of its CMD, and how the build must fail."""

    command: tuple[str, ...]
    failure: Failure
    options: tuple[str, ...] = ()


def _shell(script: str, failure: Failure, options: tuple[str, ...] = ()) -> _Builder:
    return _Builder(("sh", "-c", script), failure, options)


def _failed(message: str, hint: str = "", details: str = "") -> Failure:
    return Failure(1, "builder-failed", message, hint, details)


def _stream(message: str, hint: str = "") -> Failure:
    return Failure(4, "stream", message, hint)


_BUILDERS = {
    "2: a log line first": _shell("cat /streams/log-first", _stream("found the text “\\+ make app”", "stderr")),
    "3: a log line between": _shell("cat /streams/log-between", _stream("found the text “warning: late”")),
    "3: a log line after": _shell("cat /streams/log-after", _stream("more bytes after the end of the archive")),
    "4: exit 3 after a good stream": _shell(
        f"{_GOOD}; echo 'make: *** [app] Error 1' >&2; exit 3",
        _failed(r"The builder “sh -c .*” exited with code 3\.", "is not used", r"make: \*\*\* \[app\] Error 1"),
    ),
    "4: exit 1 and a broken stream": _shell(
        "cat /streams/cut; exit 1", _failed("exited with code 1", "", "is truncated: it ends at byte 100000")
    ),
    "4: killed after a good stream": _shell(
        f"{_GOOD}; sh -c 'kill -9 $$'; exit $?", _failed("was ended by SIGKILL", "is not used")
    ),
    "5: cut at a member": _shell("cat /streams/cut-at-member", _stream("truncated", "")),
    "7: no Dockerfile": _shell("cat /streams/no-dockerfile", Failure(4, "context", "no Dockerfile at its top")),
    "10: over --max-context": _shell(
        _GOOD, _stream("holds more than 100000 bytes of files", "--max-context"), ("--max-context", "100000b")
    ),
    "13: out of the tree": _shell("cat /streams/dotdot", _stream("leads out of the archive")),
    "14: nothing at all": _shell("true", _stream("wrote nothing to stdout", "dockerception assemble")),
    "14: hangs at the start": _shell(
        "exec sleep 600", Failure(4, "emit-timeout", "silent for 2 s", "raise --emit-timeout"), _TIMEOUT
    ),
    "14: hangs in the middle": _shell(
        "cat /streams/cut; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 2 s after 100000 bytes of context"),
        _TIMEOUT,
    ),
    "14: closes stdout and goes on": _shell(
        f"{_GOOD}; exec >&-; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 2 s after 202752 bytes of context"),
        _TIMEOUT,
    ),
    "15: no tar": _shell("nosuchtar -c .", _failed("exited with code 127", "a shell and tar", "nosuchtar")),
    "15: no shell": _Builder(("/bin/nosuchshell", "-c", "tar"), _failed("could not be started: .*nosuchshell")),
    "15: no program": _Builder(("nosuch",), _failed("could not be started: .*nosuch")),
}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a builder's Dockerfile, ``out``, a good context, and ``streams/`` (see ``faults.material``)."""
    folder = tmp_path_factory.mktemp("project")
    material.make(folder)
    files = [material.member(f"user-{uid}", b"file", uid=uid, mode=0o750) for uid in (0, 1000, 4_000_000_000)]
    (folder / "streams" / "users").write_bytes(material.context(*files, dockerfile=b"FROM scratch\nCOPY . /\n"))
    return folder


@pytest.mark.parametrize("case", _BUILDERS)
def test_a_builder_that_fails(lab: Lab, project: Path, tmp_path: Path, case: str) -> None:
    builder = _BUILDERS[case]
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    wanted: list[str | Path] = [
        "-t",
        "unwanted",
        "-o",
        f"type=docker,dest={outputs / 'image.tar'}",
        "--iidfile",
        outputs / "id",
    ]
    done = lab.run("build", *wanted, *builder.options, project, "--", *builder.command, bases=["busybox"])
    failure = builder.failure
    if lab.engine == "buildx":  # a failed solve hands nothing over: that its stream was cut is not known
        failure = msgspec.structs.replace(
            failure, details=failure.details.removeprefix("is truncated: it ends at byte 100000")
        )
    failure.check(done)
    assert not [name for name in lab.names() if name.startswith("unwanted")]
    assert os.listdir(outputs) == []
    assert lab.containers() == []


def test_streams_of_every_kind(lab: Lab, embedded: Lab, project: Path, tmp_path: Path) -> None:
    """9: compressed, sparse, with long names: what is built of them is the same everywhere."""
    for name in ("good.zst", "long-name-pax", "hard-link", "users"):
        images = []
        for each in (embedded, lab):
            target = tmp_path / f"{each.name}-{name}.tar"
            output = f"type=docker,dest={target}"
            each.succeed("build", "-o", output, project, "--", "cat", f"/streams/{name}", bases=["busybox"])
            images.append(target)
        assert differences(lab, *images) == [], name


def test_a_large_stream_comes_whole(lab: Lab, project: Path, tmp_path: Path) -> None:
    """10: the first megabytes too, which are lost to whoever attaches to a container that runs already."""
    script = "mkdir /big && cp /out/Dockerfile /big && head -c 60000000 /dev/zero >/big/app && tar -cC /big ."
    target = tmp_path / "image.tar"
    command: list[str | Path] = ["-o", f"type=docker,dest={target}", project, "--", "sh", "-c", script]
    lab.succeed("build", *command, bases=["busybox"])
    assert target.stat().st_size > 60_000_000


@pytest.mark.parametrize("lab", WITH_CONTAINERS, indirect=True)
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_interrupted_leaves_no_container(lab: Lab, project: Path, ending: signal.Signals) -> None:
    command: list[str | Path] = [
        "-t",
        "unwanted",
        project,
        "--",
        "sh",
        "-c",
        "echo under way >&2; cat /streams/cut; exec sleep 600",
    ]
    process = lab.start("build", *command, bases=["busybox"])
    wait_until(lambda: bool(lab.containers()), "no container was made")
    time.sleep(0.5)
    process.send_signal(ending)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + ending, errors.decode()
    assert lab.containers() == []
    assert "unwanted:latest" not in lab.names()


@pytest.mark.parametrize("lab", WITH_CONTAINERS, indirect=True)
def test_the_container_of_a_killed_build_is_removed_by_the_next(lab: Lab, project: Path) -> None:
    process = lab.start("build", project, "--", "sh", "-c", "exec sleep 600", bases=["busybox"])
    wait_until(lambda: bool(lab.containers()), "no container was made")
    process.kill()
    process.communicate()
    assert len(lab.containers()) == 1
    lab.succeed("build", project, "--", "cat", "/streams/good.gz", bases=["busybox"])
    assert lab.containers() == []


def test_builds_at_the_same_time_do_not_disturb_each_other(lab: Lab, project: Path) -> None:
    """12: three of them, one name."""
    script = f"sleep 1; echo {time.time_ns()} >&2; {_GOOD}"
    started = [
        lab.start("build", "-t", "together", project, "--", "sh", "-c", script, bases=["busybox"]) for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert lab.containers() == []
    lab.remove("together")
