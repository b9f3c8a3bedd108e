"""Named contexts on their way into a daemon: images that stay there under a private name, and directories that do not.

An image is loaded once: its name is made of its id, so that nothing ever has to be loaded, or is lost, twice, and
builds that go on at the same time share it.  ``docker rmi`` removes it.  A directory is loaded for one build.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from ...context.base import Context
from ...context.directory import DirectoryContext
from ...context.tar_context import TarContext
from ...errors import TransportError
from ...reference import Platform, Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports import docker_archive
from ..base import Material, Settings
from ..embedded.bases import Bases
from ..embedded.engine import EmbeddedEngine
from ..embedded.steps import Steps
from . import files_image
from .api import Daemon
from .references import Outside

DOMAIN: Final = "dockerception.invalid"
"""No registry can have this name (RFC 2606), so no builder ever gets anything from one in place of our images."""

_IMAGE_PREFIX: Final = "docker-image://"
_ID_LENGTH: Final = 32


class NamedContexts:
    """Brings what ``--build-context`` names into a daemon.  ``materials`` are the images that were brought."""

    def __init__(
        self, daemon: Daemon, settings: Settings, store: Store, start: Callable[[], EmbeddedEngine], steps: Steps
    ) -> None:
        self._daemon = daemon
        self._store = store
        self._settings = settings
        self._start = start
        self._steps = steps
        self._bases: Bases | None = None
        self._temporary: list[str] = []
        self.materials: list[Material] = []

    def is_named(self, name: str) -> bool:
        """Whether ``--build-context`` says what a name stands for."""
        return bool(self._settings.build_contexts) and self.lookup.is_named(name)

    def pull(self, outside: Sequence[Outside]) -> None:
        """Have the daemon get those anew that are no named contexts, if ``--pull`` asks for it."""
        for each in outside:
            if not self._settings.pull or self.is_named(each.name):
                continue
            platform = each.platform or self._settings.platform
            with self._steps.step(f"pull {each.name}"):
                self._daemon.pull(each.name, platform if platform != Platform.host() else None)

    @contextmanager
    def brought(self, outside: Sequence[Outside]) -> Iterator[Mapping[str, str]]:
        """What the daemon calls the named ones among these, for the duration of the block."""
        try:
            yield {each.name: self._bring(each) for each in outside if self.is_named(each.name)}
        finally:
            for name in self._temporary:
                with suppress(TransportError):  # what led here says more
                    self._daemon.untag(name)
            self._temporary.clear()

    @property
    def lookup(self) -> Bases:
        if self._bases is None:
            self._bases = self._start().bases(self._settings)
        return self._bases

    def _bring(self, outside: Outside) -> str:
        value = self.lookup.named(outside.name) or ""
        if value.startswith(_IMAGE_PREFIX):
            return self._named(value.removeprefix(_IMAGE_PREFIX))
        if not outside.is_base:
            context = self.lookup.context(outside.name)
            if isinstance(context, DirectoryContext | TarContext):
                return self._import(outside.name, context)
        image = self.lookup.resolve(outside.name, outside.platform or self._settings.platform).image
        return "scratch" if image is None else self._load(outside.name, image)

    def _named(self, image: str) -> str:
        """What a Dockerfile may call an image: BuildKit takes no id for one."""
        prefix, _, digest = image.partition(":")
        if prefix != "sha256":
            return image
        private = Reference.parse(f"{DOMAIN}/level:{digest[:_ID_LENGTH]}")
        self._daemon.tag(image, private)
        return str(private)

    def _load(self, name: str, image: StoredImage) -> str:
        digest = image.image.partition(":")[2]
        private = Reference.parse(f"{DOMAIN}/context:{digest[:_ID_LENGTH]}")
        self.materials.append(Material("image", name, image.image))
        if self._daemon.find(str(private)) is None:
            if self._daemon.find(image.image) is not None:
                self._daemon.tag(image.image, private)
            else:
                with self._steps.step(f"load {name} into {self._daemon.name}"):
                    self._daemon.load(docker_archive.chunks(self._start().outgoing(image, (private,))))
        return str(private)

    def _import(self, name: str, context: Context) -> str:
        private = Reference.parse(f"{DOMAIN}/files:{secrets.token_hex(8)}")
        self._temporary.append(str(private))
        self.materials.append(Material("context", name, ""))
        with self._steps.step(f"load {name} into {self._daemon.name}"):
            spool = self._store.contexts.new_spool()
            with files_image.archive(context, private, self._settings.platform, spool) as chunks:
                self._daemon.load(chunks)
        return str(private)
