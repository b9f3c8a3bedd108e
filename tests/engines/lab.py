"""An engine under test: the real command with that engine, and what its daemon has afterwards."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from faults.program import PROGRAM, Done
from peers.compare import Difference, compare
from support.bases import Base

NAMES = ("embedded", "docker", "docker-classic", "docker-20.10", "podman", "buildx", "buildx-remote")
WITH_CONTAINERS = ("docker", "docker-classic", "docker-20.10", "podman")
"""The engines whose builders are containers of a daemon; tests/faults and test_buildx end those of the others."""

_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "PYTHONPATH")
_DEADLINE_SECONDS = 300.0

_KNOWN = {
    # BuildKit, and so we, leave the mount points of a RUN there, and write "/" as the working directory of scratch.
    "docker-classic": ("config WorkingDir", "/proc", "/sys", "/dev", "image history *"),
    "podman": ("config WorkingDir", "/proc", "/sys", "/dev", "/run", "/run/*", "/etc/host*", "/etc/resolv.conf"),
}


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a daemon: the variables for the command, and a client of its API, None where our store has what it
    makes."""

    variables: Mapping[str, str]
    connect: Callable[[], Any] | None


class Lab(msgspec.Struct, frozen=True, kw_only=True):
    """One engine.  ``daemon`` is None for the embedded one; ``name`` tells its variants apart."""

    name: str
    engine: str
    store: Path
    bases: Callable[[str], Base]
    daemon: Daemon | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command: nothing of ours but the store and the engine."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        chosen = {"DOCKERCEPTION_HOME": str(self.store), "DOCKERCEPTION_ENGINE": self.engine}
        return {**kept, **chosen, **(self.daemon.variables if self.daemon is not None else {})}

    def run(
        self, verb: str, *arguments: str | Path, bases: Sequence[str] = (), stdin: bytes = b"", network: str = "host"
    ) -> Done:
        """Run a command of dockerception's to its end, with these bases as named contexts."""
        done = subprocess.run(
            self.command(verb, *arguments, bases=bases, network=network),
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
        return Done(code=done.returncode, stdout=done.stdout, errors=done.stderr.decode(errors="replace"))

    def succeed(
        self, verb: str, *arguments: str | Path, bases: Sequence[str] = (), stdin: bytes = b"", network: str = "host"
    ) -> Done:
        """As ``run``, and fail the test with the command's own words unless it succeeds."""
        done = self.run(verb, *arguments, bases=bases, stdin=stdin, network=network)
        assert done.code == 0, f"exit {done.code}\n{done.errors}"
        return done

    def start(self, verb: str, *arguments: str | Path, bases: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; the caller ends it and waits for it."""
        return subprocess.Popen(
            self.command(verb, *arguments, bases=bases),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )

    def command(
        self, verb: str, *arguments: str | Path, bases: Sequence[str] = (), network: str = "host"
    ) -> list[str | Path]:
        """The command line; the daemons of the tests have no network but the machine's."""
        contexts = [f"--build-context={name}=docker-archive:{self.bases(name).archive}" for name in bases]
        own, _, builder = _split(arguments)
        return [PROGRAM, verb, "--progress=plain", f"--network={network}", *contexts, *own, *builder]

    def names(self) -> dict[str, str]:
        """The names that there are, as people write them, and the ids of their images."""
        client = self._client()
        if client is None:
            lines = self.succeed_plain("images", "--no-trunc", "--format", "json").stdout.splitlines()
            images = [json.loads(line) for line in lines]
            return {f"{each['Repository']}:{each['Tag']}": each["ID"] for each in images if each["Tag"] != "<none>"}
        found = {_familiar(name): str(each["Id"]) for each in client.images() for name in each["RepoTags"] or ()}
        client.close()
        return {name: image for name, image in found.items() if not name.startswith("<none>")}

    def succeed_plain(self, verb: str, *arguments: str) -> Done:
        """Run a command that has none of the options of a build."""
        done = subprocess.run([PROGRAM, verb, *arguments], capture_output=True, env=self.environment, check=True)
        return Done(code=0, stdout=done.stdout, errors=done.stderr.decode())

    def containers(self) -> list[str]:
        """The containers of builders that there are."""
        client = self._client()
        if client is None:
            return []
        found = client.containers(all=True, filters={"label": "dev.dockerception.builder-of"})
        client.close()
        return [str(each["Id"]) for each in found]

    def _client(self) -> Any:
        return self.daemon.connect() if self.daemon is not None and self.daemon.connect is not None else None

    def remove(self, *names: str) -> None:
        """Take names away."""
        client = self._client()
        if client is None:
            for name in names:
                self.succeed_plain("rm", "--force", name)
            return
        for name in names:
            client.remove_image(name, force=True)
        client.close()


def connect_to(address: str) -> Callable[[], Any]:
    """A function that makes a client of the daemon at an address."""

    def connect() -> Any:
        import docker

        return docker.APIClient(base_url=address, version="auto")

    return connect


def differences(lab: Lab, expected: Path, got: Path) -> list[Difference]:
    """What is not the same in two saved images, but for what docs/engines.md says of the engine's builder."""
    known = _KNOWN.get(lab.name, ())
    return [one for one in compare(expected, got) if not any(fnmatchcase(one.where, pattern) for pattern in known)]


def _split(arguments: Sequence[str | Path]) -> tuple[Sequence[str | Path], str, Sequence[str | Path]]:
    """Options and PATH, and the builder's command with its two dashes."""
    if "--" not in arguments:
        return arguments, "", ()
    position = list(arguments).index("--")
    return arguments[:position], "--", arguments[position:]


def _familiar(name: str) -> str:
    """Podman writes out what Docker leaves away."""
    return name.removeprefix("docker.io/").removeprefix("library/").removeprefix("localhost/")
