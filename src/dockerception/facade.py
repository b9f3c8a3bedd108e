"""The Python API: ``build``, ``context`` and ``assemble`` with typed options, and the ``Image`` that they give.

An option means what the command line's option of that name means (docs/reference/cli.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO

import msgspec

from . import api
from .api import EmittedContext, LevelSummary
from .checking import Checked, check_request
from .engines import choice
from .engines.base import Engine, Network, Output, Secret, SshAgent
from .image import Image, LayerInfo
from .limits import NONE, Limits
from .progress import Reporter, silent
from .reference import Platform, Reference
from .request import DEFAULT_EMIT_TIMEOUT, DEFAULT_MAX_CONTEXT, DEFAULT_MAX_DEPTH, BuildRequest, Isolation
from .store.store import Store

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
"""A directory; or a binary file object with a tar stream; or None for an empty context."""


def build(
    source: Source = ".",
    *,
    dockerfile: str = "",
    tags: Sequence[str] = (),
    build_args: Mapping[str, str] = {},
    build_contexts: Mapping[str, str] = {},
    target: str = "",
    labels: Mapping[str, str] = {},
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    cache_from: Sequence[str] = (),
    cache_to: Sequence[str] = (),
    secrets: Sequence[Secret] = (),
    ssh: Sequence[SshAgent] = (),
    allow: Sequence[str] = (),
    limits: Limits = NONE,
    pull: bool = False,
    explain: bool = False,
    network: Network = "default",
    platform: str = "",
    outputs: Sequence[Output] = (),
    command: Sequence[str] = (),
    builder_tag: str | None = None,
    runtime_file: str = "",
    runtime_dockerfile: str = "",
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT,
    max_depth: int = DEFAULT_MAX_DEPTH,
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    engine: str | Engine = "",
    emit_helper: str = "",
    store: str = "",
    keep_storage: int | None = None,
    report: Reporter = silent,
) -> Image:
    """Run the whole chain: build the builder, run it, build the runtime image from what it emits.

    ``engine`` is a name as in ``--engine``, or an engine object (see ``dockerception.testing``), which stays open; the
    image of an engine with a place of its own is brought into the store as well, where it has no name.  ``command``
    replaces the builder's CMD.  ``emit_timeout`` is in seconds, ``max_depth`` the most levels; ``max_context`` and
    ``keep_storage`` (the store's cap) are in bytes, ``epoch`` in seconds since 1970 (default: SOURCE_DATE_EPOCH, else
    now).  ``report`` gets progress events, from several threads.  Raises a subclass of ``DockerceptionError``; then
    nothing is named and nothing written.
    """
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        tags=_references(tags),
        build_args=build_args,
        build_contexts=build_contexts,
        target=target,
        labels=labels,
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        cache_from=tuple(cache_from),
        cache_to=tuple(cache_to),
        secrets=tuple(secrets),
        ssh=tuple(ssh),
        allow=frozenset(allow),
        limits=limits,
        pull=pull,
        explain=explain,
        network=network,
        platform=_platform(platform),
        outputs=tuple(outputs),
        command=tuple(command),
        builder_tag=builder_tag,
        runtime_file=runtime_file,
        runtime_dockerfile=runtime_dockerfile,
        emit_timeout=emit_timeout,
        max_depth=max_depth,
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        engine=engine if isinstance(engine, str) else "",
        emit_helper=emit_helper,
        store=store,
        keep_storage=keep_storage,
    )
    return _made(api.build, request, report, engine)


def assemble(
    source: Source = ".",
    *,
    dockerfile: str = "",
    tags: Sequence[str] = (),
    build_args: Mapping[str, str] = {},
    build_contexts: Mapping[str, str] = {},
    target: str = "",
    labels: Mapping[str, str] = {},
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    cache_from: Sequence[str] = (),
    cache_to: Sequence[str] = (),
    secrets: Sequence[Secret] = (),
    ssh: Sequence[SshAgent] = (),
    allow: Sequence[str] = (),
    limits: Limits = NONE,
    pull: bool = False,
    explain: bool = False,
    network: Network = "default",
    platform: str = "",
    outputs: Sequence[Output] = (),
    max_depth: int = DEFAULT_MAX_DEPTH,
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    engine: str | Engine = "",
    emit_helper: str = "",
    store: str = "",
    keep_storage: int | None = None,
    report: Reporter = silent,
) -> Image:
    """Build one image from one context, as ``docker build`` does.  Options and errors as for ``build``."""
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        tags=_references(tags),
        build_args=build_args,
        build_contexts=build_contexts,
        target=target,
        labels=labels,
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        cache_from=tuple(cache_from),
        cache_to=tuple(cache_to),
        secrets=tuple(secrets),
        ssh=tuple(ssh),
        allow=frozenset(allow),
        limits=limits,
        pull=pull,
        explain=explain,
        network=network,
        platform=_platform(platform),
        outputs=tuple(outputs),
        max_depth=max_depth,
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        engine=engine if isinstance(engine, str) else "",
        emit_helper=emit_helper,
        store=store,
        keep_storage=keep_storage,
    )
    return _made(api.assemble, request, report, engine)


@contextmanager
def context(
    source: Source = ".",
    *,
    dockerfile: str = "",
    build_args: Mapping[str, str] = {},
    build_contexts: Mapping[str, str] = {},
    target: str = "",
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    cache_from: Sequence[str] = (),
    cache_to: Sequence[str] = (),
    secrets: Sequence[Secret] = (),
    ssh: Sequence[SshAgent] = (),
    allow: Sequence[str] = (),
    limits: Limits = NONE,
    pull: bool = False,
    explain: bool = False,
    network: Network = "default",
    platform: str = "",
    command: Sequence[str] = (),
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT,
    max_depth: int = DEFAULT_MAX_DEPTH,
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    engine: str | Engine = "",
    emit_helper: str = "",
    store: str = "",
    keep_storage: int | None = None,
    report: Reporter = silent,
) -> Iterator[EmittedContext]:
    """Build the builder, run it, and give what it emits, valid inside the ``with`` block.

    Options and errors as for ``build``.
    """
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        build_args=build_args,
        build_contexts=build_contexts,
        target=target,
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        cache_from=tuple(cache_from),
        cache_to=tuple(cache_to),
        secrets=tuple(secrets),
        ssh=tuple(ssh),
        allow=frozenset(allow),
        limits=limits,
        pull=pull,
        explain=explain,
        network=network,
        platform=_platform(platform),
        command=tuple(command),
        emit_timeout=emit_timeout,
        max_depth=max_depth,
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        engine=engine if isinstance(engine, str) else "",
        emit_helper=emit_helper,
        store=store,
        keep_storage=keep_storage,
    )
    with api.context(request, report, _given(engine)) as emitted:
        yield emitted


def check(
    source: Source = ".",
    *,
    dockerfile: str = "",
    build_args: Mapping[str, str] = {},
    build_contexts: Mapping[str, str] = {},
    platform: str = "",
    store: str = "",
) -> Checked:
    """What build checks find in a Dockerfile (docs/check.md); nothing is built.

    Options as for ``build``.  Raises ``DockerfileError`` for a Dockerfile that can't be read; findings raise nothing,
    whatever the options of the check say.
    """
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        build_args=build_args,
        build_contexts=build_contexts,
        platform=_platform(platform),
        store=store,
    )
    with Store(store or None) as opened:
        return check_request(request, opened, silent)


def _references(names: Sequence[str]) -> tuple[Reference, ...]:
    return tuple(Reference.to_give(name) for name in names)


def _platform(text: str) -> Platform | None:
    return Platform.parse(text) if text else None


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
            return Image(
                store.images.get(outcome.image.image),
                store=store.root,
                builders=outcome.builders,
                exported=outcome.exported,
            )
    from .engines.embedded.engine import EmbeddedEngine
    from .transports import docker_archive

    with Store(request.store or None) as store:
        path = store.contexts.new_spool()
        try:
            archive = Output(type="docker", destination=path)
            outcome = work(msgspec.structs.replace(request, outputs=(*request.outputs, archive)), report, given)
            source = docker_archive.open_image(path, platform=request.platform or Platform.host())
            with closing(source), closing(EmbeddedEngine(store)) as importer:
                stored = importer.import_image(source)
        finally:
            if os.path.exists(path):
                os.unlink(path)
        return Image(stored, store=store.root, builders=outcome.builders, exported=outcome.exported)
