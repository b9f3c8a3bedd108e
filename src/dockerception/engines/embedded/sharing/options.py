"""What ``--cache-from`` and ``--cache-to`` say, as ``docker buildx build`` has them; checked before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from ....errors import UsageError
from ....reference import Digest, Reference
from ... import outputs
from ...attributes import fields
from ...outputs import Packing

Mode = Literal["min", "max"]
_PACKING: Final = ("compression", "compression-level", "force-compression", "oci-mediatypes", "image-manifest")
_COMMON: Final = ("mode", "ignore-error", "mounts", *_PACKING)
_SOURCES: Final = {"registry": ("ref",), "local": ("src", "tag", "digest")}
_TARGETS: Final = {"registry": ("ref", *_COMMON), "local": ("dest", "tag", *_COMMON), "inline": ()}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cache is: the name of a registry, or the ``tag`` (or the manifest's digest) of a layout ``directory``."""

    reference: Reference | None = None
    directory: str = ""
    tag: str = "latest"
    digest: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.reference.familiar if self.reference is not None else self.directory


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One ``--cache-to``.  Without a ``place`` it is inline: in the image.

    ``mode`` says whether only the steps of the last image are kept, or those of all stages and levels and the emitted
    contexts too.  ``has_mounts`` adds cache mounts.  ``may_fail`` makes a warning of a failure.
    """

    place: Place | None
    mode: Mode = "max"
    has_mounts: bool = False
    may_fail: bool = False
    packing: Packing = Packing()


def read_source(text: str) -> Place:
    """One ``--cache-from``.  Raises ``UsageError``."""
    kind, given = _read(text, "--cache-from", _SOURCES)
    if kind == "registry":
        return Place(reference=_reference(given, text))
    if given.get("digest"):
        Digest.parse(given["digest"])
    directory = _directory(given, "src", text)
    return Place(directory=directory, tag=given.get("tag", "latest"), digest=given.get("digest", ""))


def read_target(text: str) -> Target:
    """One ``--cache-to``.  Raises ``UsageError``."""
    kind, given = _read(text, "--cache-to", _TARGETS)
    if kind == "inline":
        return Target(place=None, mode="min")
    place = (
        Place(reference=_reference(given, text))
        if kind == "registry"
        else Place(directory=_directory(given, "dest", text), tag=given.get("tag", "latest"))
    )
    for name in ("oci-mediatypes", "image-manifest"):
        if not outputs.read_flag(name, given.get(name, "true")):
            raise UsageError(f"{name}=false: caches are OCI manifests here.", hint="leave it out")
    return Target(
        place=place,
        mode=_mode(given.get("mode", "max")),
        has_mounts=outputs.read_flag("mounts", given.get("mounts", "false")),
        may_fail=outputs.read_flag("ignore-error", given.get("ignore-error", "false")),
        packing=outputs.read_packing(tuple(given.items())),
    )


def _read(text: str, option: str, types: Mapping[str, tuple[str, ...]]) -> tuple[str, dict[str, str]]:
    """The type and the attributes of a cache; a bare name is a registry's."""
    given: dict[str, str] = {}
    found = fields(text, option)
    if len(found) == 1 and "=" not in found[0]:
        found = ["type=registry", f"ref={found[0]}"]
    for field in found:
        name, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"“{field}” in {option} {text} is not KEY=VALUE.", hint="e.g. type=registry,ref=NAME")
        given[name.strip().lower()] = value
    kind = given.pop("type", "")
    if kind not in types:
        hint = f"types are {', '.join(types)}"
        if kind == "inline":
            hint = "what is inline is found by the image's name: type=registry,ref=IMAGE"
        raise UsageError(f"{option} {text}: the embedded engine has no such cache of the type “{kind}”.", hint=hint)
    unknown = sorted(given.keys() - set(types[kind]))
    if unknown:
        there = f"it has {', '.join(types[kind])}" if types[kind] else "it has none"
        raise UsageError(f"{option} type={kind} has no attribute “{unknown[0]}”.", hint=there)
    return kind, given


def _reference(given: Mapping[str, str], text: str) -> Reference:
    if not given.get("ref"):
        raise UsageError(f"The cache {text} has no name.", hint="add ref=REGISTRY/NAME")
    return Reference.parse(given["ref"])


def _directory(given: Mapping[str, str], name: str, text: str) -> str:
    if not given.get(name):
        raise UsageError(f"The cache {text} has no directory.", hint=f"add {name}=DIRECTORY")
    return os.path.abspath(given[name])


def _mode(text: str) -> Mode:
    if text not in ("min", "max"):
        raise UsageError(f"mode={text} is no mode of a cache.", hint="min: the last image's steps; max: everything")
    return "max" if text == "max" else "min"
