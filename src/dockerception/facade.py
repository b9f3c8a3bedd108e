"""The Python API: ``build``, ``context`` and ``assemble`` with typed options, and the ``Image`` that they give.

An option means what the command line's option of that name means (docs/reference/cli.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Unpack

import msgspec

from . import api
from .api import EmittedContext, LevelSummary
from .chain.checking import Checked, check_request
from .engines import choice
from .engines.base import Engine, Output, Secret, SshAgent
from .facade_options import AssembleOptions, BuildOptions, CheckOptions, ContextOptions, as_request, check_names
from .image import Image, LayerInfo
from .progress import Reporter, silent
from .reference import Platform
from .request import BuildRequest
from .store.images import StoredImage
from .store.store import Store

if TYPE_CHECKING:
    from .engines.embedded.engine import EmbeddedEngine

__all__ = [
    "Checked",
    "EmittedContext",
    "Image",
    "LayerInfo",
    "LevelSummary",
    "Secret",
    "SshAgent",
    "assemble",
    "build",
    "check",
    "context",
]

Source = str | os.PathLike[str] | BinaryIO | None
"""A directory or a URL; or a binary file object with a tar stream; or None for an empty context."""


def build(
    source: Source = ".", *, engine: str | Engine = "", report: Reporter = silent, **options: Unpack[BuildOptions]
) -> Image:
    """Run the whole chain: build the builder, run it, build the runtime image from what it emits.

    ``engine`` is a name as in ``--engine``, or an engine object (see ``dockerception.testing``), which stays open; the
    image of an engine with a place of its own is brought into the store as well, where it has no name.  ``report`` gets
    progress events, from several threads.  Raises a subclass of ``DockerceptionError``; then nothing is named and
    nothing written.
    """
    check_names("build", options, BuildOptions)
    return _made(api.build, _request(source, engine, options), report, engine)


def assemble(
    source: Source = ".", *, engine: str | Engine = "", report: Reporter = silent, **options: Unpack[AssembleOptions]
) -> Image:
    """Build one image from one context, as ``docker build`` does.  Options and errors as for ``build``."""
    check_names("assemble", options, AssembleOptions)
    return _made(api.assemble, _request(source, engine, options), report, engine)


@contextmanager
def context(
    source: Source = ".", *, engine: str | Engine = "", report: Reporter = silent, **options: Unpack[ContextOptions]
) -> Iterator[EmittedContext]:
    """Build the builder, run it, and give what it emits, valid inside the ``with`` block.

    Options and errors as for ``build``.
    """
    check_names("context", options, ContextOptions)
    with api.context(_request(source, engine, options), report, _given(engine)) as emitted:
        yield emitted


def check(source: Source = ".", **options: Unpack[CheckOptions]) -> Checked:
    """What build checks find in a Dockerfile (docs/check.md); nothing is built.

    Options as for ``build``.  Raises ``DockerfileError`` for a Dockerfile that can't be read; findings raise nothing,
    whatever the options of the check say.
    """
    check_names("check", options, CheckOptions)
    request = _request(source, "", options)
    with Store(request.store or None) as opened:
        return check_request(request, opened, silent)


def _request(source: Source, engine: str | Engine, options: Mapping[str, object]) -> BuildRequest:
    path, read_stdin = _opened(source)
    name = engine if isinstance(engine, str) else ""
    return BuildRequest(source=path, read_stdin=read_stdin, engine=name, **as_request(options))


def _opened(source: Source) -> tuple[str, Callable[[int], bytes] | None]:
    if source is None:
        return "", None
    if isinstance(source, str | os.PathLike):
        return os.fspath(source), None
    return "-", source.read


def _given(engine: str | Engine) -> Engine | None:
    return None if isinstance(engine, str) else engine


def _made(
    work: Callable[[BuildRequest, Reporter, Engine | None], api.Outcome],
    request: BuildRequest,
    report: Reporter,
    engine: str | Engine,
) -> Image:
    """Do the work, and find its image in the store: brought there as an archive where the engine keeps it elsewhere."""
    given = _given(engine)
    if given is None and choice.choose(request.engine).name == "embedded":
        outcome = work(request, report, None)
        with Store(request.store or None) as store:
            return _images(outcome, store, [store.images.get(each.image.image) for each in outcome.platforms])
    from .engines.embedded.engine import EmbeddedEngine

    with Store(request.store or None) as store:
        path = store.contexts.new_spool()
        try:
            # Docker's archives are what every engine writes, OCI's have images for several platforms.
            archive = Output(type="oci" if len(request.platforms) > 1 else "docker", destination=path)
            outcome = work(msgspec.structs.replace(request, outputs=(*request.outputs, archive)), report, given)
            with closing(EmbeddedEngine(store)) as importer:
                stored = [_imported(importer, path, each.platform, archive) for each in outcome.platforms]
        finally:
            if os.path.exists(path):
                os.unlink(path)
        return _images(outcome, store, stored)


def _imported(importer: EmbeddedEngine, path: str, platform: Platform, archive: Output) -> StoredImage:
    """The image for a platform of an archive, brought into the store."""
    from .transports import docker_archive, oci_layout

    open_image = oci_layout.open_image if archive.type == "oci" else docker_archive.open_image
    with closing(open_image(path, platform=platform)) as source:
        return importer.import_image(source)


def _images(outcome: api.Outcome, store: Store, stored: Sequence[StoredImage]) -> Image:
    """The image of the first platform, which knows those of the others."""
    images = {
        str(each.platform): Image(found, store=store.root, builders=each.builders, exported=outcome.exported)
        for each, found in zip(outcome.platforms, stored, strict=True)
    }
    for image in images.values():
        image.platforms = images
    return next(iter(images.values()))
