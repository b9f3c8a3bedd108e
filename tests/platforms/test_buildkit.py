"""The same Dockerfile for two platforms, by BuildKit and by us: the same index of the same images."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from peers.compare import compare
from platforms.lab import Lab, manifest, platforms, saved
from support.foreign import FOREIGN, OWN

Make = Callable[..., Path]
BOTH = f"--platform=linux/{OWN},linux/{FOREIGN}"

CASES = {
    "emulated": "FROM busybox\nARG TARGETPLATFORM\nRUN uname -m > /machine; echo $TARGETPLATFORM >> /machine\n",
    "copies": "FROM scratch\nARG TARGETARCH\nARG TARGETVARIANT\nCOPY Dockerfile /$TARGETARCH\nENV V=x$TARGETVARIANT\n",
    "cross": "FROM --platform=$BUILDPLATFORM busybox AS tools\nARG TARGETARCH\nRUN echo $TARGETARCH > /out\n"
    "FROM busybox\nCOPY --from=tools /out /out\nCOPY --from=tools /bin/busybox /tools/busybox\n",
    "the builder's": "FROM --platform=$BUILDPLATFORM busybox\nARG BUILDPLATFORM TARGETOS\n"
    "ENV B=$BUILDPLATFORM O=$TARGETOS\n",
    "of another stage": "FROM --platform=$BUILDPLATFORM busybox AS one\nFROM one\nRUN uname -m > /machine\n",
    "fixed": f"FROM --platform=linux/{FOREIGN} busybox\nRUN uname -m > /machine\n",
    "files of an image": "FROM --platform=$BUILDPLATFORM busybox\nCOPY --from=busybox /bin/busybox /copied\n",
}


def by_buildkit(variables: dict[str, str], lab: Lab, source: Path, target: Path) -> None:
    plugin = Path(variables["DOCKER_CONFIG"]) / "cli-plugins" / "docker-buildx"
    command = [
        str(plugin),
        "build",
        BOTH,
        "--network=host",
        "--provenance=false",
        f"--build-context=busybox=oci-layout://{lab.busybox}:latest",
    ]
    done = subprocess.run(
        [*command, "-o", f"type=oci,dest={target}", str(source)],
        capture_output=True,
        env={**variables, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_buildkit(
    case: str, lab: Lab, builder: dict[str, str], source: Make, tmp_path: Path, emulated: str
) -> None:
    folder, ours, theirs = source(Dockerfile=CASES[case]), tmp_path / "ours.tar", tmp_path / "theirs.tar"
    by_buildkit(builder, lab, folder, theirs)
    lab.make("assemble", folder, BOTH, "-o", f"type=oci,dest={ours}")
    assert platforms(manifest(f"oci-archive:{ours}")) == platforms(manifest(f"oci-archive:{theirs}"))
    for architecture in (OWN, emulated):
        images = [
            saved(f"oci-archive:{each}", architecture, tmp_path / f"{each.stem}.{architecture}")
            for each in (theirs, ours)
        ]
        assert compare(*images) == []


def test_a_builder_of_buildx_builds_for_several_platforms(
    lab: Lab, builder: dict[str, str], source: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulated: str
) -> None:
    for name, value in builder.items():
        monkeypatch.setenv(name, value)
    text = "FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nRUN mkdir /o && echo $TARGETARCH > /o/a\n"
    text += 'COPY Runtime /o/Dockerfile\nCMD ["tar", "-c", "-C", "/o", "."]\n'
    folder = source(Dockerfile=text, Runtime="FROM busybox\nRUN uname -m > /machine\nCOPY a /\n")
    for engine in ("embedded", "buildx"):
        target = tmp_path / f"{engine}.tar"
        lab.make(
            "build",
            folder,
            BOTH,
            "--network=host",
            f"--engine={engine}",
            "-t",
            "app",
            "--builder-tag",
            "-o",
            f"type=oci,dest={target}",
        )
        assert platforms(manifest(f"oci-archive:{target}")) == [f"linux/{OWN}", f"linux/{emulated}"]
        # Each platform has a builder of its own, under the one name.
        assert len(set(lab.succeed("images", "-q", "app-builder").split())) == 2
    for architecture in (OWN, emulated):
        expected, got = (
            saved(f"oci-archive:{tmp_path}/{engine}.tar", architecture, tmp_path / f"{engine}.{architecture}")
            for engine in ("embedded", "buildx")
        )
        assert compare(expected, got) == []
