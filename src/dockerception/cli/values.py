"""Readers of option values: pairs, sizes, durations, outputs.  Each raises ``UsageError`` for a text that is none."""

from __future__ import annotations

import os
import re
from typing import Final

from ..engines import outputs
from ..engines.attributes import fields
from ..engines.base import Output
from ..errors import UsageError
from ..oci import annotating
from ..oci.annotating import Annotation, is_annotation

_DURATION: Final = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_ANNOTATION: Final = re.compile(r"(?:([a-z,-]+)(?:\[([^\]]*)\])?:)?([^=\s]+)=(.*)", re.DOTALL)
_SECONDS: Final = (86400, 3600, 60, 1)
_OUTPUT_TYPES: Final = ("docker", "oci", "tar", "local", "image", "registry")


def duration(text: str) -> float:
    """Seconds from ``10m``, ``90s``, ``1h30m``, ``2d`` or a bare number."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not text.strip():
        raise UsageError(f"“{text}” is not a duration.", hint="write it as 10m, 90s, 1h30m, or seconds")
    return sum(float(part) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True) if part)


def positive_duration(text: str) -> float:
    """``duration``, but none is no answer."""
    seconds = duration(text)
    if seconds <= 0:
        raise UsageError(f"“{text}” leaves no time.", hint="give a duration above zero")
    return seconds


def label(text: str) -> tuple[str, str]:
    """``KEY=VALUE``; a bare ``KEY`` has an empty value."""
    key, _, value = text.partition("=")
    if not key:
        raise UsageError(f"“{text}” has no key.", hint="write KEY=VALUE")
    return key, value


def annotation(text: str) -> tuple[Annotation, ...]:
    """``[PLACE[,PLACE…][[PLATFORM]]:]KEY=VALUE``, as ``docker buildx build`` has it."""
    found = _ANNOTATION.fullmatch(text)
    if found is None:
        raise UsageError(f"“{text}” is not an annotation.", hint="write KEY=VALUE, or index:KEY=VALUE")
    places = (found[1] or annotating.MANIFEST).split(",")
    return tuple(annotating.made(place, found[2], found[3], found[4]) for place in places)


def variable(text: str) -> tuple[str, str | None]:
    """``NAME=VALUE``, or a bare ``NAME`` with the value that it has in our environment (None: it has none there)."""
    name, equals, value = text.partition("=")
    if not name:
        raise UsageError(f"“{text}” has no name.", hint="write NAME=VALUE, or NAME to take it from the environment")
    return name, value if equals else os.environ.get(name)


def named_context(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` of ``--build-context``."""
    name, _, value = text.partition("=")
    if not name or not value:
        raise UsageError(
            f"“{text}” does not name a context.", hint="write NAME=DIRECTORY, or NAME=TRANSPORT://…, e.g. golang=apt://"
        )
    return name, value


def volume(text: str) -> tuple[str, str, bool]:
    """``SOURCE:TARGET[:ro|rw]`` as absolute source, target, and whether it is read-only."""
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise UsageError(f"“{text}” is not a volume.", hint="write SOURCE:TARGET[:ro], the target as an absolute path")
    if "/" not in source and source not in (".", ".."):
        raise UsageError(
            f"“{source}” would be a named volume, and there are none here.", hint=f"for a directory write ./{source}"
        )
    if not os.path.exists(source):
        raise UsageError(f"There is no “{source}” to show in the container.", hint="make it first")
    return os.path.realpath(source), target, mode == "ro"


def output(text: str) -> Output:
    """``type=docker|oci|tar|local|image|registry[,dest=…]``, a bare directory, or ``-`` for a tar on stdout.

    Fields are comma-separated values (RFC 4180), as with ``docker buildx build``.  ``type=docker`` without ``dest``
    means a daemon, as there: its type is ``load``.
    """
    found = fields(text, "output")
    if text and len(found) == 1 and not found[0].startswith("type="):
        return Output(type="tar", destination="-") if text == "-" else Output(type="local", destination=found[0])
    pairs: dict[str, str] = {}
    for field in found:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"“{field}” in the output “{text}” is not KEY=VALUE.", hint="e.g. type=oci,dest=app.tar")
        name = key.strip()
        pairs[name if is_annotation(name) else name.lower()] = value
    return _complete(text, pairs)


def _complete(text: str, pairs: dict[str, str]) -> Output:
    kind, destination = pairs.pop("type", ""), pairs.pop("dest", "")
    if kind not in _OUTPUT_TYPES:
        shown = f"has the type “{kind}”" if kind else "has no type"
        raise UsageError(f"The output “{text}” {shown}.", hint="types are " + ", ".join(_OUTPUT_TYPES))
    if kind == "local" and destination in ("", "-"):
        raise UsageError(f"The output “{text}” has no directory.", hint="write type=local,dest=DIRECTORY")
    if kind == "docker" and not destination:
        kind = "load"
    elif kind in ("oci", "tar") and not destination:
        destination = "-"
    if kind in ("image", "registry") and destination:
        raise UsageError(f"The output “{text}” has a dest.", hint=f"type={kind} takes name=REGISTRY/NAME")
    return outputs.check(Output(type=kind, destination=destination, attributes=tuple(pairs.items())))
