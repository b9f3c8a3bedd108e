"""Secrets, ssh agents and entitlements: passed on by every engine that can, refused by the others before they work."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engines.lab import Lab
from engines.test_options import BUSYBOX, assembled
from faults.program import Failure
from peers.archive import read_image
from support.tools import need

VALUE = "a-value-that-is-nowhere-else"
NO_SECRETS = ("docker-classic",)
NO_SSH = ("docker-classic", "podman")
NO_INSECURE = ("docker-classic", "docker-20.10", "podman")


def context(folder: Path, run: str) -> Path:
    """A context with a Dockerfile that has one RUN."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM busybox\nRUN {run}\n")
    return folder


def test_secrets(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "a,secret").write_text(VALUE)
    source = context(
        tmp_path / "source",
        "--mount=type=secret,id=one --mount=type=secret,id=two,target=/two,mode=0444"
        " tr a-z A-Z < /run/secrets/one > /facts && wc -c < /two >> /facts && ! ls /.secret*",
    )
    options = ("--secret", f'id=one,"src={tmp_path / "a,secret"}"', "--secret", f"id=two,src={source / 'Dockerfile'}")
    if lab.name in NO_SECRETS:
        Failure(3, "not-supported", "can't give secrets to steps").check(lab.run("assemble", *options, source))
        return
    got = assembled(lab, tmp_path / "got.tar", *options, source)
    assert "facts" in read_image(got).tree
    assert VALUE.encode() not in got.read_bytes()
    stored = (Path(folder, name) for folder, _, names in os.walk(lab.store) for name in names)
    assert [path for path in stored if path.is_file() and VALUE.encode() in path.read_bytes()] == []


def test_an_ssh_agent(lab: Lab, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    source = context(tmp_path / "source", "--mount=type=ssh,required [ -S $SSH_AUTH_SOCK ] && touch /facts")
    if lab.name in NO_SSH:
        refused = Failure(3, "not-supported", "can't give an ssh agent to steps")
        refused.check(lab.run("assemble", "--ssh", f"default={key}", source))
        return
    assert "facts" in read_image(assembled(lab, tmp_path / "got.tar", "--ssh", f"default={key}", source)).tree


@pytest.mark.parametrize("entitlement", ["security.insecure", "network.host"])
def test_entitlements(lab: Lab, tmp_path: Path, entitlement: str) -> None:
    source = context(tmp_path / "source", "touch /facts")
    if entitlement == "security.insecure" and lab.name in NO_INSECURE:
        refused = Failure(3, "not-supported", "can't run steps with all privileges")
        refused.check(lab.run("assemble", "--allow", entitlement, source))
        return
    done = lab.run("assemble", "--allow", entitlement, source, bases=BUSYBOX)
    # A builder decides for itself what it may be asked for.
    assert done.code == 0 or "entitlement" in done.errors, done.errors
