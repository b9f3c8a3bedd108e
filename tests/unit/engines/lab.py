"""Dockerfiles evaluated and built without a sandbox, for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from dockerception.context.base import Context
from dockerception.context.directory import DirectoryContext
from dockerception.dockerfile import stages
from dockerception.engines.base import Built, Level, Settings
from dockerception.engines.embedded.engine import EmbeddedEngine
from dockerception.engines.embedded.evaluate import Evaluator
from dockerception.engines.embedded.values import Base, Evaluated
from dockerception.errors import ImageNotFoundError
from dockerception.oci import config as oci_config
from dockerception.oci.config import ContainerConfig, ImageConfig
from dockerception.progress import Event, StepFinished, StepStarted
from dockerception.reference import Platform
from dockerception.store.images import StoredImage
from dockerception.store.store import Store

EPOCH = 1_700_000_000


def settings(**changes: Any) -> Settings:
    """Settings of a build on linux/amd64, as far as they are not given."""
    plain = Settings(platform=Platform.host(), epoch=EPOCH, is_epoch_fixed=True)
    return msgspec.structs.replace(plain, **changes)


def base_image(config: ContainerConfig, *, name: str = "base", author: str = "") -> Base:
    """A base image that has a config and no files."""
    document = ImageConfig(
        architecture="amd64", os="linux", author=author, config=config, created="2020-01-01T00:00:00Z"
    )
    image = StoredImage(
        image="sha256:" + "0" * 64, config_bytes=oci_config.encode(document), layers=(), platform="linux/amd64"
    )
    return Base(name=name, image=image, identity=f"{name}'s digest")


def evaluator(
    text: str, *, target: str = "", images: Mapping[str, Base] | None = None, named: str = "", **changes: Any
) -> Evaluator:
    """The evaluator of a Dockerfile; ``images`` are all that there are, ``named`` is one overridden name."""
    known = images or {}

    def resolve(name: str, platform: Platform) -> Base:
        if name not in known:
            raise ImageNotFoundError(f"There is no image “{name}”.")
        return known[name]

    return Evaluator(
        stages.load(text.encode()),
        settings(**changes),
        target,
        resolve_image=resolve,
        is_named_context=lambda name: name == named,
    )


def evaluate(text: str, *, images: Mapping[str, Base] | None = None, **changes: Any) -> Evaluated:
    """The last stage of a Dockerfile."""
    found = evaluator(text, images=images, **changes)
    return found.stage(stages.load(text.encode()).stages[-1].index)


class Lab:
    """An embedded engine on a store of its own.  ``events`` is what it reported."""

    def __init__(self, store: Store, runtime: str) -> None:
        self.store = store
        self.events: list[Event] = []
        self.engine = EmbeddedEngine(store, report=self.events.append, runtime=runtime)
        self.faces = self.engine.faces

    def build(
        self,
        text: str,
        context: Context,
        *,
        index: int = 0,
        target: str = "",
        will_emit: bool = False,
        **changes: Any,
    ) -> Built:
        """Build a level; ``events`` is about this one only."""
        self.events.clear()
        level = Level(
            index=index,
            dockerfile=stages.load(text.encode()),
            context=context,
            target=target,
            will_emit=will_emit,
            settings=settings(**changes),
        )
        return self.engine.build(level)

    def image(self, built: Built) -> StoredImage:
        """The finished image of a level."""
        return self.store.images.get(self.engine.publish(built, {}).image)

    def files(self, image: StoredImage) -> Context:
        """The files of an image."""
        return self.faces.view(image.layers, "the image")

    def steps(self) -> dict[str, bool]:
        """The steps of the last build and whether each was cached."""
        names = {event.step: event.name for event in self.events if isinstance(event, StepStarted)}
        return {names[event.step]: event.cached for event in self.events if isinstance(event, StepFinished)}


@contextmanager
def new_lab(root: Path, *, runtime: str = "none such") -> Iterator[Lab]:
    """A lab whose store is at ``root``; by default one that can't run anything."""
    with Store(os.fspath(root)) as store:
        lab = Lab(store, runtime)
        try:
            yield lab
        finally:
            lab.engine.close()


def folder(path: Path, files: Mapping[str, str]) -> DirectoryContext:
    """A context directory with these files; what it had before stays."""
    for name, text in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return DirectoryContext(os.fspath(path))
