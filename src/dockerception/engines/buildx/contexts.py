"""What a level's Dockerfile names, as any builder gets it: the protocol, and what is known before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import msgspec

from ...context.directory import DirectoryContext
from ...context.select import content_digest
from ..base import Material
from ..daemon.references import Outside
from ..embedded.bases import Bases
from .images import FindImage, Found

IMAGE_PREFIX: Final = "docker-image://"
REMOTE: Final = ("http://", "https://", "git://", "git@", "ssh://")


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a solve needs to find them: other ``names`` for some in the Dockerfile, and ``options`` of the command."""

    names: Mapping[str, str] = {}
    options: tuple[str, ...] = ()


class Contexts(Protocol):
    """The named contexts and the images of one level."""

    @property
    def materials(self) -> Sequence[Material]:
        """The images that were read so far."""

    def is_named(self, name: str) -> bool:
        """Whether ``--build-context`` says what a name stands for."""

    def find(self, outside: Outside) -> Found:
        """What is known of what a name stands for; a named context is read for it."""

    def brought(self, outside: Sequence[Outside], work: str) -> AbstractContextManager[Brought]:
        """Have the builder find these for the duration of a block.  ``work`` is a directory for files to read."""

    def bring_helper(self, program: str, work: str) -> tuple[str, tuple[str, ...]]:
        """Have the builder find a helper's file: the image that it becomes, or options of the command."""


def find_named(bases: Bases, outside: Outside, find_image: FindImage) -> Found:
    """What is known of a name, with and without a named context of that name."""
    value = bases.named(outside.name)
    if value is None:
        return find_image(outside.name, outside.platform)
    if value.startswith(IMAGE_PREFIX):
        return find_image(value.removeprefix(IMAGE_PREFIX), outside.platform)
    if value.startswith(REMOTE):
        return Found(why=f"it is what {value} has")
    if not outside.is_base:
        context = bases.context(outside.name)
        if isinstance(context, DirectoryContext):
            return Found(identity=content_digest(context, "", owners=False).hex())
    base = bases.resolve(outside.name, outside.platform or bases.platform)
    return Found(identity=base.identity, config=base.image.config if base.image is not None else None)
