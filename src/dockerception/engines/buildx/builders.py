"""The buildx program, and the builder that it is told to use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from ... import process
from ...errors import MachineError, TransportError, UsageError

_PLUGIN: Final = "docker-buildx"
_SYSTEM_FOLDERS: Final = (
    "/usr/local/lib/docker",
    "/usr/local/libexec/docker",
    "/usr/lib/docker",
    "/usr/libexec/docker",
)
_FIELD: Final = re.compile(r"^(Name|Driver|Endpoint|Error): +(.+?) *$", re.MULTILINE)
_INSPECT_SECONDS: Final = 60.0


class Builder(msgspec.Struct, frozen=True, kw_only=True):
    """A builder: ``program`` is buildx itself; ``driver`` is ``docker``, ``docker-container``, ``kubernetes`` or
    ``remote``; ``endpoint`` is the address or the Docker context of its first node."""

    program: str
    name: str
    driver: str
    endpoint: str

    @property
    def is_docker(self) -> bool:
        """Whether it is the BuildKit inside of a Docker daemon, whose images it uses and makes."""
        return self.driver == "docker"

    @property
    def build(self) -> tuple[str, ...]:
        """The words of a build command, before its options."""
        return (self.program, "build", f"--builder={self.name}")


def find_program() -> str:
    """The path of buildx, which runs without Docker's command line too.  Raises ``MachineError``."""
    found = next((path for path in _places() if os.access(path, os.X_OK)), None) or process.find(_PLUGIN)
    if found is None:
        raise MachineError(
            "Docker's plugin buildx is missing; the engine buildx needs it.",
            hint="install it, e.g. apt-get install docker-buildx (Docker's own package is docker-buildx-plugin)",
        )
    return found


def find_builder(name: str = "", *, seconds: float = _INSPECT_SECONDS) -> Builder:
    """The builder of that name, else the one that the user has chosen (``docker buildx use``, ``BUILDX_BUILDER``).

    Raises ``UsageError`` where there is none of that name, ``TransportError`` where buildx can't tell, and
    ``ProcessError`` where it takes longer than ``seconds`` for that.
    """
    program = find_program()
    done = process.run([program, "inspect", *([name] if name else [])], check=False, timeout=seconds)
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode != 0:
        if "no builder" in said:
            raise UsageError(
                f"There is no builder “{name}”.", details=said, hint="“docker buildx ls” shows those there are"
            )
        raise TransportError("buildx can't tell about its builder.", details=said)
    return parse(done.stdout.decode(errors="replace"), program)


def parse(inspected: str, program: str) -> Builder:
    """The builder that ``buildx inspect`` describes.  Raises ``TransportError`` where it can't be reached or read."""
    found: dict[str, str] = {}
    for key, value in _FIELD.findall(inspected):
        found.setdefault(key, value)
    if "Name" not in found or "Driver" not in found:
        raise TransportError("buildx describes its builder in a way that is not known.", details=inspected)
    if "Error" in found:
        raise TransportError(
            f"The builder “{found['Name']}” can't be reached: {found['Error'].rstrip('.')}.",
            hint="“docker buildx ls” shows the builders there are; choose one with --engine buildx:NAME",
        )
    return Builder(
        program=program, name=found["Name"], driver=found["Driver"], endpoint=found.get("Endpoint", "").strip('"')
    )


def _places() -> Iterator[str]:
    config = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    for folder in (config, *_SYSTEM_FOLDERS):
        yield os.path.join(folder, "cli-plugins", _PLUGIN)
