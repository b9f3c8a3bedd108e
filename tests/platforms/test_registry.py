"""Images for several platforms, into a registry and back."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from peers.compare import compare
from platforms.lab import Lab, manifest, platforms, saved
from support.foreign import FOREIGN, OWN
from support.tools import need

Make = Callable[..., Path]
BOTH = f"--platform=linux/{OWN},linux/{FOREIGN}"
TEXT = "FROM busybox\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n"


def test_an_index_is_pushed_and_pulled(lab: Lab, source: Make, registry: str, tmp_path: Path) -> None:
    name, facts = f"{registry}/platforms/app", tmp_path / "facts.json"
    annotation = ("--annotation", "index:org.opencontainers.image.title=both", "--annotation", "made.by=us")
    done = lab.make(
        "assemble", source(Dockerfile=TEXT), BOTH, "-t", name, "--push", *annotation, "--metadata-file", facts
    )
    index = manifest(f"docker://{name}")
    assert platforms(index) == [f"linux/{OWN}", f"linux/{FOREIGN}"]
    assert index["annotations"] == {"org.opencontainers.image.title": "both"}
    one = manifest(f"docker://{name}@{index['manifests'][1]['digest']}")
    assert one["annotations"] == {"made.by": "us"}
    raw = subprocess.run(
        [need("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{name}"], check=True, capture_output=True
    ).stdout
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert json.loads(facts.read_text())["containerimage.digest"] == digest
    assert f"Pushed {name}:latest@{digest}" in done.errors
    # A base of another platform comes by its platform, and both are kept under the name.
    other = Lab(tmp_path / "other", lab.busybox)
    for architecture in (FOREIGN, OWN):
        other.succeed("pull", f"--platform={architecture}", name)
        got = tmp_path / f"{architecture}.tar"
        other.succeed("save", f"--platform={architecture}", "-o", got, name)
        assert compare(saved(f"docker://{name}", architecture, tmp_path / f"{architecture}.expected"), got) == []


def test_what_was_built_before_is_pushed_whole(lab: Lab, source: Make, registry: str) -> None:
    name = f"{registry}/platforms/later"
    lab.make("assemble", source(Dockerfile=TEXT), BOTH, "-t", name)
    said = lab.succeed("push", "-q", name)
    assert platforms(manifest(f"docker://{name}@{said.strip()}")) == [f"linux/{OWN}", f"linux/{FOREIGN}"]
    assert lab.succeed("push", "-q", name) == said
    one = lab.succeed("push", "-q", f"--platform={FOREIGN}", name)
    assert "layers" in manifest(f"docker://{name}@{one.strip()}")


def test_docker_s_media_types(lab: Lab, source: Make, registry: str) -> None:
    name = f"{registry}/platforms/docker"
    output = f"type=image,name={name},push=true,oci-mediatypes=false"
    lab.make("assemble", source(Dockerfile=TEXT), BOTH, "-o", output)
    index = manifest(f"docker://{name}")
    assert index["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert {each["mediaType"] for each in index["manifests"]} == {
        "application/vnd.docker.distribution.manifest.v2+json"
    }


def test_a_cache_elsewhere_is_for_all_platforms(lab: Lab, source: Make, registry: str, tmp_path: Path) -> None:
    cache, folder = f"{registry}/platforms/cache", source(Dockerfile=TEXT)
    lab.make("assemble", folder, BOTH, "--cache-to", f"type=registry,ref={cache}", "-t", "app")
    other = Lab(tmp_path / "other", lab.busybox)
    done = other.make("assemble", folder, BOTH, "--cache-from", f"type=registry,ref={cache}", "-t", "app")
    assert "Everything was cached" in done.errors
    assert other.succeed("images", "-q", "app").split() == lab.succeed("images", "-q", "app").split()
