"""One build for several platforms: what runs where, what is shared, and what comes out."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerception
from dockerception.engines.base import Output
from faults.program import Failure
from platforms.lab import Lab, manifest, platforms
from support.foreign import FOREIGN, OWN, no_emulator

Make = Callable[..., Path]
BOTH = f"--platform=linux/{OWN},linux/{FOREIGN}"

BUILDER = """FROM --platform=$BUILDPLATFORM busybox AS tools
RUN uname -m > /machine
FROM tools
ARG TARGETPLATFORM TARGETARCH
RUN mkdir /out && echo "for $TARGETPLATFORM" > /out/$TARGETARCH
COPY Runtime /out/Dockerfile
CMD ["tar", "-cf", "-", "-C", "/out", "."]
"""
RUNTIME = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /what\n"


def entries(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_the_builder_runs_here_and_emits_for_each_platform(lab: Lab, source: Make, tmp_path: Path) -> None:
    folder, layout = source(Dockerfile=BUILDER, Runtime=RUNTIME), tmp_path / "image.tar"
    with no_emulator("riscv64"):
        done = lab.make("build", folder, "--platform=linux/riscv64", "-t", "one")
        assert "[tools 2/2]" in done.errors
    done = lab.make("build", folder, BOTH, "--platform=linux/riscv64", "-t", "app", "-o", f"type=oci,dest={layout}")
    # The stage that does not ask for what it is built for is the same for all.
    assert re.search(r"\[linux/\w+ tools 2/2\].*\n#\d+ CACHED", done.errors)
    assert not re.search(r"tools 2/2\].*\n#\d+ DONE", done.errors)
    assert f"[linux/{FOREIGN} emit] run the builder" in done.errors
    index = manifest(f"oci-archive:{layout}")
    assert platforms(index) == [f"linux/{OWN}", f"linux/{FOREIGN}", "linux/riscv64"]
    for architecture in (OWN, FOREIGN, "riscv64"):
        files = tmp_path / f"{architecture}.tar"
        lab.succeed("save", f"--platform={architecture}", "-o", files, "app")
        found = json.loads(lab.succeed("inspect", f"--platform={architecture}", "app"))[0]
        assert found["Architecture"] == architecture
    again = lab.make("build", folder, "--platform=linux/riscv64", BOTH, "-t", "app")
    assert "Everything was cached" in again.errors


def test_steps_of_another_machine_are_emulated(lab: Lab, source: Make, emulated: str) -> None:
    text = "FROM busybox\nARG TARGETARCH\nRUN uname -m > /machine; echo $TARGETARCH >> /machine\nCMD cat /machine\n"
    lab.make("assemble", source(Dockerfile=text), BOTH, "-t", "app")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}
    for architecture in (OWN, emulated):
        said = lab.succeed("run", f"--platform={architecture}", "app")
        assert said.split() == [machine[architecture], architecture]
    assert lab.succeed("run", "app").split() == [machine[OWN], OWN]


def test_a_builder_of_another_machine_is_emulated(lab: Lab, source: Make, emulated: str) -> None:
    text = 'FROM busybox\nWORKDIR /out\nRUN uname -m > machine\nCOPY Runtime Dockerfile\nCMD ["tar", "-c", "."]\n'
    folder = source(Dockerfile=text, Runtime="FROM busybox\nCOPY machine /\n")
    lab.make("build", folder, f"--platform={emulated}", "-t", "app")
    assert lab.succeed("run", "app", "cat", "/machine") == {"amd64": "x86_64", "arm64": "aarch64"}[emulated] + "\n"


@pytest.mark.parametrize("isolation", ["oci", "chroot"])
def test_what_can_not_be_emulated_is_said(lab: Lab, source: Make, tmp_path: Path, isolation: str) -> None:
    folder = source(
        Dockerfile="FROM scratch\nADD riscv64.tar /\nRUN true\n",
        Builder='FROM scratch\nADD riscv64.tar /\nCMD ["true"]',
    )
    program = tmp_path / "true"
    program.write_bytes(b"\x7fELF\2\1\1".ljust(16, b"\0") + b"\2\0\xf3\0\1\0\0\0".ljust(48, b"\0"))
    with tarfile.open(folder / "riscv64.tar", "w") as tar:
        for name in ("bin/sh", "bin/true"):
            member = tar.gettarinfo(program, name)
            member.mode = 0o755
            with program.open("rb") as file:
                tar.addfile(member, file)
    options = ("--platform=linux/riscv64", f"--isolation={isolation}")
    with no_emulator("riscv64") as handler:
        step = "“RUN true” is a step for linux/riscv64, which this machine can't run: the handler"
        Failure(7, "machine", step, handler, "RUN true").check(lab.build("assemble", folder, *options))
        builder = "The builder is for linux/riscv64, which this machine can't run"
        done = lab.build("build", folder, *options, "-f", folder / "Builder")
        Failure(7, "machine", builder, "BUILDPLATFORM").check(done)
        lab.make("assemble", folder, *options, "-f", folder / "Builder", "-t", "foreign")
        run = lab.run("run", f"--isolation={isolation}", "--platform=linux/riscv64", "foreign")
        assert run.code == 126
        run.has_said(
            r"It is a program for linux/riscv64, which this machine \(linux/\w+\) can't run: .* update-binfmts"
        )


def test_a_name_is_for_all_platforms(lab: Lab, source: Make, tmp_path: Path) -> None:
    folder = source(Dockerfile="FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    ids = lab.make("assemble", folder, BOTH, "-t", "app", "-q").stdout.decode().split()
    assert len(ids) == 2
    table = lab.succeed("images", "app")
    assert "PLATFORM" in table
    assert all(f"linux/{architecture}" in table for architecture in (OWN, FOREIGN))
    lab.succeed("tag", "app", "other")
    lab.succeed("save", "--format=oci", "-o", tmp_path / "saved.tar", "other")
    assert platforms(manifest(f"oci-archive:{tmp_path}/saved.tar")) == [f"linux/{OWN}", f"linux/{FOREIGN}"]
    assert lab.succeed("rm", "app") == "Untagged: app:latest\n"
    gone = lab.succeed("rm", "other")
    assert set(re.findall("Deleted: (.*)", gone)) == set(ids)
    lab.succeed("load", "-i", tmp_path / "saved.tar")
    assert set(lab.succeed("images", "-q", "--no-trunc").split()) == set(ids)
    # A build for one platform is a new image of that name: nothing old stays behind it.
    lab.make("assemble", folder, "-t", "other", "--label", "new=1")
    assert "PLATFORM" not in lab.succeed("images", "other")


def test_outputs(lab: Lab, source: Make, tmp_path: Path) -> None:
    folder = source(Dockerfile="FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    lab.make("assemble", folder, BOTH, "-o", tmp_path / "files", "-o", f"type=tar,dest={tmp_path}/files.tar")
    expected = {f"linux_{architecture}/{architecture}" for architecture in (OWN, FOREIGN)}
    assert {
        str(path.relative_to(tmp_path / "files")) for path in (tmp_path / "files").rglob("*") if path.is_file()
    } == expected
    assert expected < set(entries(tmp_path / "files.tar"))
    iid, facts = tmp_path / "iid", tmp_path / "facts.json"
    layout = f"type=oci,tar=false,dest={tmp_path}/layout"
    lab.make("assemble", folder, BOTH, "-o", layout, "--iidfile", iid, "--metadata-file", facts)
    index = manifest(f"oci:{tmp_path}/layout")
    assert platforms(index) == [f"linux/{OWN}", f"linux/{FOREIGN}"]
    known = json.loads(facts.read_text())
    assert [each["image"] for each in known["dockerception.platforms"]] == iid.read_text().split()
    assert known["containerimage.descriptor"]["mediaType"] == index["mediaType"]
    assert "containerimage.config.digest" not in known


@pytest.mark.parametrize("output", ["type=docker,dest={}/x.tar", "type=docker"])
def test_what_takes_one_platform_only(lab: Lab, source: Make, tmp_path: Path, output: str) -> None:
    done = lab.build("assemble", source(Dockerfile="FROM scratch\n"), BOTH, "-o", output.format(tmp_path))
    Failure(2, "usage", "takes an image for one platform, and there are 2", "type=oci").check(done)
    assert not (tmp_path / "x.tar").exists()


def test_a_context_is_for_one_platform(lab: Lab, source: Make) -> None:
    done = lab.build("context", source(Dockerfile="FROM scratch\n"), BOTH)
    Failure(2, "usage", "A context is for one platform, and 2 were asked for", "one --platform").check(done)


def test_nothing_is_named_unless_all_platforms_are_built(lab: Lab, source: Make) -> None:
    text = f"FROM scratch AS {OWN}\nCOPY Dockerfile /\nFROM scratch AS {FOREIGN}\nCOPY missing /\n"
    folder = source(Dockerfile=f"ARG TARGETARCH\n{text}FROM $TARGETARCH\n")
    done = lab.build("assemble", folder, BOTH, "-t", "app")
    Failure(4, "context", "missing").check(done)
    assert lab.succeed("images", "-q") == ""


def test_a_context_on_stdin_is_read_once(lab: Lab, source: Make, tmp_path: Path) -> None:
    folder = source(Dockerfile="FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    with tarfile.open(tmp_path / "context.tar", "w") as tar:
        tar.add(folder / "Dockerfile", "Dockerfile")
    lab.succeed("assemble", BOTH, "-t", "app", "-", stdin=(tmp_path / "context.tar").read_bytes())
    assert len(lab.succeed("images", "-q", "app").split()) == 2


def test_python(lab: Lab, source: Make, tmp_path: Path) -> None:
    folder = source(Dockerfile="FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
    image = dockerception.assemble(
        folder,
        store=str(lab.store),
        platform=f"{OWN},linux/{FOREIGN}",
        tags=["app"],
        outputs=[Output(type="oci", destination=str(tmp_path / "image.tar"))],
    )
    assert list(image.platforms) == [f"linux/{OWN}", f"linux/{FOREIGN}"]
    assert image.platforms[f"linux/{OWN}"] == image
    assert image.platforms[f"linux/{FOREIGN}"].config.architecture == FOREIGN
    (exported,) = image.exported
    assert exported.media_type == manifest(f"oci-archive:{tmp_path}/image.tar")["mediaType"]
