"""What only the engine buildx does: builders run by a solve, with a shell of ours and a command that we find out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engines.lab import Lab
from faults import material
from faults.program import Failure, pids, wait_until
from peers.archive import read_image
from registry.lab import inspect
from support.registry import running_registry
from support.tools import need

_GOOD = "cat /streams/good"


@pytest.fixture(params=["buildx", "buildx-remote"])
def lab(request: pytest.FixtureRequest, labs: Callable[[str], Lab]) -> Lab:
    """The engine, on a builder that is a part of a daemon and on one that is none."""
    return labs(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a builder's Dockerfile, and streams that it may write."""
    folder = tmp_path / "project"
    folder.mkdir()
    material.make(folder)
    return folder


def write(folder: Path, dockerfile: str, name: str = "Dockerfile") -> None:
    """Give a project another Dockerfile."""
    (folder / name).write_text(dockerfile)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_builder_ends_with_the_build(lab: Lab, project: Path, ending: signal.Signals) -> None:
    duration = f"{os.getpid()}.{ending.value}"
    process = lab.start(
        "build", "-t", "unwanted", project, "--", "sh", "-c", f"exec sleep {duration}", bases=["busybox"]
    )
    wait_until(lambda: bool(pids(duration)), "the builder never came so far")
    process.send_signal(ending)
    process.communicate(timeout=60)
    assert process.returncode == (-ending if ending == signal.SIGKILL else 128 + ending)
    wait_until(lambda: not pids(duration), "the builder is still there")
    assert "unwanted:latest" not in lab.names()


def test_an_engine_is_named_with_its_builder(lab: Lab, project: Path) -> None:
    name = "default" if lab.name == "buildx" else "remote-builder"
    lab.succeed("build", "--engine", f"buildx:{name}", project, bases=["busybox"])
    done = lab.run("build", "--engine", "buildx:nosuch", project, bases=["busybox"])
    Failure(2, "usage", "There is no builder “nosuch”", "docker buildx ls").check(done)


def test_a_builder_that_can_not_be_reached(labs: Callable[[str], Lab], project: Path, tmp_path: Path) -> None:
    lab = labs("buildx")
    nobody = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    assert lab.daemon is not None
    daemon = msgspec.structs.replace(lab.daemon, variables={**lab.daemon.variables, **nobody})
    done = msgspec.structs.replace(lab, daemon=daemon).run("build", project, bases=["busybox"])
    Failure(5, "transport", "The builder “default” can't be reached", "--engine buildx:NAME").check(done)


def test_it_says_once_that_nothing_is_streamed(lab: Lab, project: Path) -> None:
    done = lab.succeed("build", "--no-cache", project, bases=["busybox"])
    assert done.errors.count("hands the context over when its container has ended") == 1


def test_a_context_is_emitted_again_when_it_must(lab: Lab, project: Path, tmp_path: Path) -> None:
    """Also by the builder, which keeps what a step of a solve has done."""
    mark = f"ran {tmp_path.name}\n"
    command = ("--", "sh", "-c", f"echo {mark.strip()} >&2; {_GOOD}")
    options: list[list[str]] = [[], [], ["--no-cache-filter", "emit"], ["--no-cache"], []]
    runs = [lab.succeed("build", *given, project, *command, bases=["busybox"]) for given in options]
    assert [mark in done.errors for done in runs] == [True, False, True, True, False]
    for _ in range(2):
        done = lab.run("build", project, "--", "sh", "-c", f"echo {mark} >&2; {_GOOD}; exit 5", bases=["busybox"])
        assert (done.code, mark in done.errors) == (1, True)


def test_the_command_comes_from_the_base(lab: Lab, project: Path) -> None:
    lab.succeed(
        "assemble",
        "-t",
        "emits",
        "-f",
        "-",
        stdin=b'FROM busybox\nCMD ["tar", "-cC", "/out", "."]\n',
        bases=["busybox"],
    )
    write(project, "FROM emits\nCOPY out /out\n")
    lab.succeed("build", project, bases=["busybox"])
    lab.remove("emits")


def test_a_command_that_nobody_knows(lab: Lab, project: Path) -> None:
    write(project, "FROM nosuch.invalid/base\nCOPY out /out\n")
    done = lab.run("build", project)
    message = "What the builder runs is not known: its ENTRYPOINT comes from the base “nosuch.invalid/base”"
    Failure(1, "builder-failed", message, "after two dashes").check(done)


def test_the_builder_runs_as_its_image_says(lab: Lab, project: Path) -> None:
    """Its user, directory, environment and arguments, with nothing of ours but a folder at the root."""
    write(
        project,
        "FROM busybox\nARG HIDDEN=1\nENV A=b PATH=/bin:/other\nUSER www-data\nWORKDIR /srv\nCOPY out /out\n"
        'ENTRYPOINT ["sh", "-c", "env >&2; id >&2; pwd >&2; tar -cC /out .", "zero"]\nCMD ["a b", "$c"]\n',
    )
    done = lab.succeed("context", "--no-cache-filter=emit", "-o", project.parent / "files", project, bases=["busybox"])
    said = {line.split(" ", 1)[-1] for line in done.errors.splitlines()}
    assert {"A=b", "PATH=/bin:/other", "/srv"} <= {line.rpartition(" ")[2] for line in said}
    assert "uid=33(www-data)" in done.errors
    assert "HIDDEN" not in done.errors
    assert "dockerception_" not in done.errors


def test_a_builder_without_a_shell(lab: Lab, project: Path) -> None:
    """Only the program itself, and arguments that a shell would have taken apart."""
    shutil.copy(need("busybox"), project / "busybox")
    write(project, 'FROM scratch\nCOPY busybox /tar\nCOPY out /out\nENTRYPOINT ["/tar"]\nCMD ["-cC", "/out", "."]\n')
    lab.succeed("context", "-o", project.parent / "files", project)
    assert (project.parent / "files" / "Dockerfile").read_bytes() == (project / "out" / "Dockerfile").read_bytes()


def test_triggers_of_the_builder_are_not_pulled(lab: Lab, project: Path) -> None:
    write(
        project,
        "FROM busybox AS builder\nONBUILD RUN exit 3\nCOPY out /out\nONBUILD \\\n  COPY nosuch /\n"
        'CMD ["tar", "-cC", "/out", "."]\nFROM scratch\n',
    )
    lab.succeed("build", "--target", "builder", project, bases=["busybox"])


def test_the_helper_can_be_an_image(lab: Lab, project: Path) -> None:
    lab.succeed("assemble", "-t", "helper:own", "-f", "-", stdin=b"FROM busybox\n", bases=["busybox"])
    write(project, 'FROM busybox\nCOPY out /out\nENV A=helper\nCMD ["tar", "-cC", "/out", "."]\n')
    lab.succeed("build", "--emit-helper", "helper:own", project, bases=["busybox"])
    lab.remove("helper:own")
    done = lab.run("build", "--emit-helper", "./Dockerfile", "--no-cache", project, bases=["busybox"])
    Failure(2, "usage", "Dockerfile is no static program", "busybox-static").check(done)


def test_a_failing_step_is_not_the_builders_fault(lab: Lab, project: Path) -> None:
    write(project, "FROM busybox\nRUN echo no compiler; exit 4\nCMD true\n")
    done = lab.run("build", project, bases=["busybox"])
    Failure(1, "step-failed", "exited with code 4", details="no compiler").check(done)


def test_an_unknown_user(lab: Lab, project: Path) -> None:
    write(project, "FROM busybox\nUSER nosuchuser\nCMD true\n")
    done = lab.run("build", project, bases=["busybox"])
    Failure(5, "image", "nosuchuser").check(done)


def test_build_arguments_labels_and_ignore_rules(lab: Lab, project: Path, tmp_path: Path) -> None:
    """Options of the two levels reach them, with a context that is a directory and one that is not."""
    write(
        project,
        "FROM busybox\nARG WHO=nobody\nCOPY . /all\nRUN echo $WHO >/all/out/who; cp /all/out/D* /all/run\n"
        'CMD ["tar", "-cC", "/all", "."]\n',
    )
    write(project, "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY . /\n", "Dockerfile.run")
    (project / ".dockerignore").write_text("streams\n!streams/good\n")
    target = tmp_path / "image.tar"
    lab.succeed(
        "build", "--build-arg", "WHO=me", "--label", "a=b", "--runtime-dockerfile", project / "Dockerfile.run",
        "-o", f"type=docker,dest={target}", project, bases=["busybox"],
    )  # fmt: skip
    image = read_image(target)
    assert image.config["config"]["Labels"] == {"a": "b", "who": "me"}
    assert {"out/who", "run"} <= set(image.tree)
    assert [path for path in image.tree if path.startswith("streams/")] == ["streams/good"]
    assert image.tree["out/who"].uid == 0


def test_the_builder_pushes(labs: Callable[[str], Lab], project: Path, tmp_path: Path) -> None:
    """What a registry has then is what our store has, named as it was pushed."""
    lab = labs("buildx-remote")
    with running_registry(tmp_path / "registry") as address:
        name = f"{address}/app:1"
        meta = tmp_path / "meta"
        lab.succeed(
            "build", "--push", "--label", "a=b", "-t", name, "--metadata-file", meta, project, bases=["busybox"]
        )
        assert json.loads(meta.read_text())["containerimage.digest"] == inspect(name)["Digest"]
        seen = subprocess.run(
            [need("skopeo"), "inspect", "--config", "--tls-verify=false", f"docker://{name}"],
            capture_output=True,
            check=True,
        )
        assert json.loads(seen.stdout)["config"]["Labels"] == {"a": "b"}
        assert name in lab.names()
        lab.remove(name)


def test_machines_share_a_cache(labs: Callable[[str], Lab], project: Path, tmp_path: Path) -> None:
    """Each level has one of its own; what one machine did, another finds."""
    lab = labs("buildx-remote")
    with running_registry(tmp_path / "registry") as address:
        cache = f"type=registry,ref={address}/cache:main"
        options = ["--cache-to", f"{cache},mode=max", "--cache-from", cache]
        lab.succeed("build", "--no-cache", *options, project, bases=["busybox"])
        with urllib.request.urlopen(f"http://{address}/v2/cache/tags/list") as answer:
            assert sorted(json.load(answer)["tags"]) == ["main", "main-level-1"]


@pytest.mark.parametrize("verb", ["build", "assemble"])
def test_a_cache_that_the_driver_can_not_write(
    labs: Callable[[str], Lab], project: Path, tmp_path: Path, verb: str
) -> None:
    """Neither for a level that emits nor for the last one."""
    done = labs("buildx").run(verb, "--cache-to", f"type=local,dest={tmp_path}/cache", project, bases=["busybox"])
    Failure(3, "not-supported", "can't do that: Cache export is not supported", "another driver").check(done)


def test_a_base_is_pulled_beside_a_named_context(
    labs: Callable[[str], Lab], embedded: Lab, project: Path, tmp_path: Path
) -> None:
    """The daemon has an old one of that name; its builder could not pull the named one."""
    lab = labs("buildx")
    assert lab.daemon is not None
    assert lab.daemon.connect is not None
    with running_registry(tmp_path / "registry") as address:
        base = f"{address}/base:1"
        found = []
        for version in ("old", "new"):
            text = f"FROM scratch\nCOPY {version} /version\n"
            (project / version).write_text(version)
            embedded.succeed("assemble", "--push", "-t", base, "-f", "-", project, stdin=text.encode())
            if version == "old":
                client = lab.daemon.connect()
                client.pull(f"{address}/base", tag="1")
                client.close()
            command = 'CMD ["tar", "-cC", "/out", "."]'
            write(project, f"FROM busybox\nCOPY out /out\nCOPY --from={base} /version /out/version\n{command}\n")
            lab.succeed("context", "--pull", "-o", tmp_path / version, project, bases=["busybox"])
            found.append((tmp_path / version / "version").read_text())
        assert found == ["old", "new"]
        lab.remove(base)
        embedded.remove(base)


@pytest.mark.parametrize("name", ["podman", "docker-classic"])
def test_other_engines_have_no_cache_elsewhere(labs: Callable[[str], Lab], project: Path, name: str) -> None:
    done = labs(name).run("build", "--cache-from", "type=registry,ref=nosuch.invalid/cache", project, bases=["busybox"])
    Failure(3, "not-supported", "has no cache elsewhere", "buildx").check(done)
