"""The builder of the API: Docker's classic one, and Podman's.

Both answer with a stream of messages: lines that announce a step, what it prints, and the image in the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import Any, Final

from ...errors import TransportError
from ...limits import Limits
from ...reference import Platform
from .. import secrets
from ..base import Network, Secret
from . import context_tar
from .api import Daemon
from .building import BuildOrder
from .failures import build_failure
from .reporting import Progress

_STEP: Final = re.compile(r"(?:\[\d+/\d+\] )?(?:Step|STEP) (\d+/\d+) ?: (.*)")
_CACHED: Final = re.compile(r" ?-+> (?:Using cache)\b")
_NOISE: Final = re.compile(r" ?-+> |COMMIT|Successfully |Removing intermediate|[0-9a-f]{64}$")
_PERIOD: Final = 100_000
"""The microseconds in which processes may use their share of the processors (cgroups' default)."""
_COLOUR: Final = re.compile(r"\x1b\[\d*m")

_PODMAN_NETWORKS: Final[dict[Network, dict[str, str]]] = {
    # Podman takes Docker's words and does not heed them.
    "default": {},
    "none": {"networkmode": "NetworkDisabled"},
    "host": {"networkmode": "NetworkEnabled", "nsoptions": '[{"Name":"network","Host":true,"Path":""}]'},
}


class ApiBuilder:
    """Builds with the builder of the API (see ``building.Builder``)."""

    builds_all_stages = True

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def build(self, order: BuildOrder, progress: Progress) -> str:
        """Build; returns the image's id."""
        name = f".dockerfile-{token_hex(8)}"
        # Podman takes the files of secrets out of the context before it builds.
        files = {f".secret-{token_hex(8)}": secret for secret in order.secrets}
        values = {file: secrets.read(secret) for file, secret in files.items()}
        ignore = context_tar.PODMAN_IGNORE_FILE if self._daemon.name == "Podman" else context_tar.IGNORE_FILE
        tar = context_tar.chunks(order.context, order.dockerfile, name, values, ignore_file=ignore)
        reading = _Reading(progress)
        try:
            for message in self._daemon.build(tar, self._parameters(order, name, files)):
                reading.take(message)
        except BaseException:
            progress.end_all("stopped")
            raise
        if reading.error:
            error = progress.readable(reading.error)
            progress.end_all(error)
            raise build_failure(self._daemon.name, error, progress.output)
        progress.end_all()
        if not reading.image:
            raise TransportError(f"{self._daemon.name} ended the build without an image.")
        return reading.image

    def _parameters(self, order: BuildOrder, name: str, files: Mapping[str, Secret]) -> dict[str, str]:
        given = {
            "dockerfile": name,
            "target": order.target,
            "buildargs": json.dumps(dict(order.build_args)) if order.build_args else "",
            "labels": json.dumps(dict(order.labels)) if order.labels else "",
            "networkmode": order.network if order.network != "default" else "",
            "nocache": "1" if order.no_cache else "",
            "platform": str(order.platform) if order.platform != Platform.host() else "",
            "rm": "1",
            "forcerm": "1",
            **_limits(order.limits, is_podman=self._daemon.name == "Podman"),
        }
        if self._daemon.name == "Podman":
            # As Docker has it: a layer for each step, and no label that tells who built.
            given |= {"layers": "1", "identitylabel": "0", **_PODMAN_NETWORKS[order.network]}
            names = [f"id={secret.id},src={file}" for file, secret in files.items()]
            given |= {"secrets": json.dumps(names)} if names else {}
        return {key: value for key, value in given.items() if value}


def _limits(limits: Limits, *, is_podman: bool) -> dict[str, str]:
    """What containers of steps may use, as the API has it; memory with as much swap on top."""
    given: dict[str, str] = {}
    if limits.memory:
        given |= {"memory": str(limits.memory), "memswap": str(2 * limits.memory)}
    if limits.cpus:
        given |= {"cpuperiod": str(_PERIOD), "cpuquota": str(round(limits.cpus * _PERIOD))}
    if limits.shm_size:
        given["shmsize"] = str(limits.shm_size)
    if limits.ulimits:
        named = [{"Name": each.name, "Soft": each.soft, "Hard": each.hard} for each in limits.ulimits]
        given["ulimits"] = json.dumps([str(each) for each in limits.ulimits] if is_podman else named)
    return given


class _Reading:
    """What the messages of one build say."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._current = ""
        self._is_cached = False
        self.image = ""
        self.error = ""

    def take(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self.error = str(message["error"])
        aux = message.get("aux")
        if isinstance(aux, dict) and "ID" in aux:
            self.image = str(aux["ID"])
        for line in _lines(_COLOUR.sub("", str(message.get("stream", "")))):
            self._line(line)

    def _line(self, line: str) -> None:
        step = _STEP.match(line)
        if step is not None:
            self._end_step()
            self._current = line.strip()
            self._progress.begin(self._current, f"[{step[1]}] {step[2].strip()}")
        elif _CACHED.match(line):
            self._is_cached = True
        elif not _NOISE.match(line) and self._current:
            self._progress.log(self._current, line.encode())

    def _end_step(self) -> None:
        if self._current:
            self._progress.end(self._current, is_cached=self._is_cached)
        self._is_cached = False


def _lines(text: str) -> Iterable[str]:
    return (line for line in text.splitlines(keepends=True) if line.strip())
