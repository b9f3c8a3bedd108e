"""Where the names in a Dockerfile lead: named contexts, then (in ``evaluate``) stages, then the store, then registries.

A named context overrides a stage and an image of the same name, as written or in its normalised form, as in BuildKit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...context import ignore
from ...context.base import Context
from ...context.directory import DirectoryContext
from ...dockerfile import instructions as ins
from ...errors import (
    ContextError,
    DockerceptionError,
    DockerfileError,
    ImageError,
    ImageNotFoundError,
    TransportError,
    UsageError,
)
from ...progress import Notice, Reporter, StepLog
from ...reference import Platform, Reference
from ...store.images import StoredImage
from ...store.records import Record
from ...store.store import Store
from ...transports import spec as transport_spec
from ..base import Material, Settings
from . import keys
from .matching import Source
from .steps import Steps
from .values import SCRATCH, Base

if TYPE_CHECKING:
    from .lazy_bases import LazyBases
    from .remote_files import RemoteFiles

_STORE_PREFIX: Final = "docker-image://"
_NO_IMAGE: Final = f"{_STORE_PREFIX}{SCRATCH}"
_REGISTRY_PREFIX: Final = "docker://"
View = Callable[[StoredImage, str], Context]


class Bases:
    """Looks up what a level's Dockerfile names.  Each name is looked up once; what came from outside is in
    ``materials``.  With ``lazy`` the layers of registries' images come when they are needed."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        report: Reporter,
        view: View,
        steps: Steps,
        lazy: LazyBases | None = None,
    ) -> None:
        self._lazy = lazy
        self._store = store
        self._settings = settings
        self._report = report
        self._view = view
        self._steps = steps
        self._images: dict[tuple[str, Platform], StoredImage] = {}
        self._directories: dict[str, Context] = {}
        self._remote: RemoteFiles | None = None
        self._materials: list[Material] = []

    @property
    def materials(self) -> list[Material]:
        """What came from outside so far."""
        return [*self._materials, *(self._remote.materials if self._remote is not None else ())]

    @property
    def platform(self) -> Platform:
        """What the build is for."""
        return self._settings.platform

    @property
    def remote(self) -> RemoteFiles:
        """What fetches remote files."""
        if self._remote is None:
            from .remote_files import RemoteFiles

            self._remote = RemoteFiles(self._store, self._steps, self._settings.stream_limits)
        return self._remote

    def added(self, instruction: ins.Add, text: str) -> Source:
        """A remote source of ADD."""
        return self.remote.source(instruction, text)

    def named(self, name: str) -> str | None:
        """What ``--build-context`` says for a name: as written, in lower case (a stage's name) or normalised."""
        contexts = self._settings.build_contexts
        if found := contexts.get(name) or contexts.get(name.lower()):
            return found
        wanted = _normalised(name)
        return next((value for key, value in contexts.items() if wanted and _normalised(key) == wanted), None)

    def is_named(self, name: str) -> bool:
        """Whether ``--build-context`` overrides a name."""
        return self.named(name) is not None

    def is_nothing(self, name: str) -> bool:
        """Whether a name means no image and no files: ``scratch``, and what ``--build-context`` makes it of."""
        value = self.named(name)
        return value == _NO_IMAGE or (value is None and name == SCRATCH)

    def resolve(self, name: str, platform: Platform) -> Base:
        """The base that a FROM names for a platform, where it is neither a stage nor ``scratch``.

        Raises ``ImageNotFoundError`` that says what was tried and which option to add.
        """
        value = self.named(name) or ""
        if value == _NO_IMAGE:
            return Base(name=SCRATCH)
        image = self._image(name, platform)
        identity = f"{image.image} {image.platform}"
        return Base(name=name, image=image, identity=identity, has_config=not (value and _is_directory(value)))

    def context(self, name: str) -> Context:
        """The files that ``COPY --from=name`` reads, where the name is no stage: a named context or an image."""
        value = self.named(name)
        if value is not None and _is_directory(value):
            return self._directory(name, value)
        return self._view(self._image(name, self._settings.platform), f"the image {name}")

    def layers(self, name: str) -> tuple[str, ...] | None:
        """The layers of the image whose files ``context`` gives; None for a directory."""
        value = self.named(name)
        return None if value is not None and _is_directory(value) else self._image(name, self._settings.platform).layers

    def context_identity(self, name: str) -> str:
        """What enters keys for a whole image read by COPY; empty for directories, whose content is hashed instead."""
        value = self.named(name)
        if value is not None and _is_directory(value):
            return ""
        image = self._image(name, self._settings.platform)
        return f"{image.image} {image.platform}"

    def _image(self, name: str, platform: Platform) -> StoredImage:
        if (name, platform) not in self._images:
            value = self.named(name)
            found = self._from_dockerfile(name, platform) if value is None else self._from_value(name, value, platform)
            self._images[name, platform] = found
            self._check_platform(name, found, platform)
            self._materials.append(Material("image", name, found.image))
        return self._images[name, platform]

    def _check_platform(self, name: str, image: StoredImage, wanted: Platform) -> None:
        """Warn of programs that can't run there; whoever only copies files may want just that."""
        found = image.config.platform
        if (found.os, found.architecture) != (wanted.os, wanted.architecture):
            text = f"The image “{name}” is for {found}, and {wanted} was wanted: its programs may not run."
            self._report(Notice(text=text, severity="warning"))

    def _from_dockerfile(self, name: str, platform: Platform) -> StoredImage:
        try:
            return self._from_name(name, platform)
        except UsageError as error:
            raise DockerfileError(error.message, hint=error.hint) from error

    def _from_value(self, name: str, value: str, platform: Platform) -> StoredImage:
        if value.startswith(_STORE_PREFIX):
            return self._from_name(value.removeprefix(_STORE_PREFIX), platform)
        if _is_directory(value):
            if not os.path.exists(_path(value)):
                raise _no_such_context(name, value, "does not exist")
            value = f"rootfs:{_path(value)}"
        return self._from_transport(name, transport_spec.parse(value), value, platform)

    def _from_name(self, name: str, platform: Platform) -> StoredImage:
        """An image of the store, else of its registry; with ``--pull`` of its registry only."""
        if name.startswith("sha256:"):
            return self._by_id(name)
        reference = Reference.parse(name)
        found = None if self._settings.pull else self._store.images.find_name(reference, platform)
        return found or self._from_registry(name, reference, platform)

    def _by_id(self, name: str) -> StoredImage:
        found = self._store.images.find(name)
        if found is None:
            raise ImageNotFoundError(f"There is no image {name} in the store, and a registry can't be asked by an id.")
        return found

    def _from_registry(self, name: str, reference: Reference, platform: Platform) -> StoredImage:
        from .pulling import pull

        try:
            with self._steps.step(f"pull {reference}") as step:
                if self._lazy is not None:
                    return self._lazy.pull(reference, platform=platform, step=step)
                return pull(self._store, reference, platform=platform, report=self._report, step=step).image
        except (ImageNotFoundError, TransportError) as error:
            raise _not_found(name, reference, error, has_looked=not self._settings.pull) from error

    def _from_transport(self, name: str, spec: transport_spec.SourceSpec, text: str, platform: Platform) -> StoredImage:
        """Import an image, unless the same one is here: by the text of a description that is costly to resolve (a list
        of packages; ``--pull`` resolves it again), else by what its source says it is."""
        by_text = keys.derive("source", (("text", text), ("platform", str(platform))))
        if spec.kind == "apt" and not self._settings.pull:
            known = self._recorded(by_text)
            if known is not None:
                return known
        with self._steps.step(f"import {name} from {text}") as step:
            source = transport_spec.open_source(
                spec,
                platform=platform,
                scratch=self._store.scratch,
                log=lambda data: self._report(StepLog(step=step.number, data=data)),
            )
            try:
                by_identity = keys.derive("import", (("identity", source.identity), ("platform", str(platform))))
                image = self._recorded(by_identity)
                step.is_cached = image is not None
                if image is None:
                    from .importing import import_image

                    image = import_image(self._store, source, report=self._report, step=step.number)
            except ImageError as error:
                error.add_note(f"while importing {name} from {text}")
                raise
            finally:
                source.close()
            self._record([by_identity, *([by_text] if spec.kind == "apt" else [])], image)
        return image

    def _recorded(self, key: str) -> StoredImage | None:
        value = self._store.records.get(key)
        return None if value is None else self._store.images.find_id(value.decode())

    def _record(self, all_keys: list[str], image: StoredImage) -> None:
        keeps = (f"image:{image.image}",)
        self._store.records.put([Record(key, image.image.encode(), keeps) for key in all_keys])

    def _directory(self, name: str, value: str) -> Context:
        if name not in self._directories:
            self._directories[name] = self._open_files(name, value)
        return self._directories[name]

    def _open_files(self, name: str, value: str) -> Context:
        """A named context that is no image: a repository, an archive on a web server, or a directory."""
        if _is_url(value):
            from ...remotes.locations import parse

            location = parse(value)
            if location is not None:
                return self.remote.context(name, location)
        self._materials.append(Material("context", name, ""))
        return self._open_directory(name, value)

    def _open_directory(self, name: str, value: str) -> DirectoryContext:
        path = _path(value)
        if not os.path.isdir(path):
            raise _no_such_context(name, value, "is not a directory")
        rules = ignore.find_rules(os.path.join(path, ignore.DEFAULT_SOURCE))
        return DirectoryContext(path, rules=rules, cache=self._store.listings, on_note=self._warn)

    def _warn(self, text: str) -> None:
        self._report(Notice(text=text, severity="warning"))


def _is_url(value: str) -> bool:
    return "://" in value or value.startswith("git@")


def _is_directory(value: str) -> bool:
    return not transport_spec.is_source(value) and not value.startswith(_STORE_PREFIX)


def _no_such_context(name: str, value: str, what: str) -> DockerceptionError:
    """The error for a named context of which nothing is there, or of a kind that nobody knows."""
    if "://" in value:
        try:
            transport_spec.parse(value)
        except UsageError as error:
            return error
    return ContextError(
        f"The build context {name}={value} {what}.",
        hint="give a directory, or a transport such as apt://, oci-layout:// or docker-archive:",
    )


def _path(value: str) -> str:
    return os.path.abspath(os.path.expanduser(value.removeprefix("local:")))


def _normalised(name: str) -> str:
    try:
        return str(Reference.parse(name))
    except UsageError:
        return ""


def _not_found(name: str, reference: Reference, error: ImageError, *, has_looked: bool) -> ImageNotFoundError:
    """The error that lists the four places: named contexts, stages, the store, the registry."""
    store = "not in the store" if has_looked else "looked for at its source because of --pull"
    elsewhere = (
        f"say where it comes from, e.g. --build-context {name}=apt://?include=PACKAGE,… or --build-context"
        f" {name}=docker-archive:FILE; or build it first with -t {name}"
    )
    first = f"{error.hint} Or " if error.hint.endswith("?") else f"{error.hint}; or " if error.hint else ""
    return ImageNotFoundError(
        f"There is no image “{name}”: it is no named context, no earlier stage, {store}, and the registry"
        f" {reference.domain} has not given it: {error.message}",
        hint=f"{first}{elsewhere}",
    )
