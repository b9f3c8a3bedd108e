"""The real command with a store of its own, and what it writes, as other tools read it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from faults.program import PROGRAM, Done
from support.tools import need


class Lab(msgspec.Struct, frozen=True):
    """A store, and the layout with ``busybox`` for two platforms that builds take as a named context."""

    store: Path
    busybox: Path

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> Done:
        """Run a command to its end."""
        environment = {**os.environ, "DOCKERCEPTION_HOME": os.fspath(self.store), "SOURCE_DATE_EPOCH": "1700000000"}
        done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, env=environment, check=False)
        return Done(code=done.returncode, stdout=done.stdout, errors=done.stderr.decode(errors="replace"))

    def succeed(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """As ``run``, and fail with the command's own words unless it succeeds; returns its stdout."""
        done = self.run(*arguments, stdin=stdin)
        assert done.code == 0, f"exit {done.code}\n{done.errors}"
        return done.stdout.decode()

    def build(self, verb: str, source: Path, *arguments: str | Path) -> Done:
        """Build with busybox as a named context."""
        context = f"--build-context=busybox=oci-layout://{self.busybox}"
        return self.run(verb, "--progress=plain", context, *arguments, source)

    def make(self, verb: str, source: Path, *arguments: str | Path) -> Done:
        """As ``build``, and fail with the command's own words unless it succeeds."""
        done = self.build(verb, source, *arguments)
        assert done.code == 0, f"exit {done.code}\n{done.errors}"
        return done


def manifest(image: str) -> dict[str, Any]:
    """The manifest or the index that skopeo finds there."""
    done = subprocess.run(
        [need("skopeo"), "inspect", "--raw", "--tls-verify=false", image], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def platforms(index: dict[str, Any]) -> list[str]:
    """The platforms of an index, in its order."""
    return ["/".join(entry["platform"][key] for key in ("os", "architecture")) for entry in index["manifests"]]


def saved(image: str, architecture: str, target: Path) -> Path:
    """One platform's image as a docker-archive, copied by skopeo."""
    command = [need("skopeo"), "copy", "--quiet", f"--override-arch={architecture}", "--src-tls-verify=false"]
    subprocess.run([*command, image, f"docker-archive:{target}"], check=True, capture_output=True)
    return target
