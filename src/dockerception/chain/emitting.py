"""From a builder to the context that it emits: run it, believe nothing before all of it is proven, remember it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from ..context.base import Context
from ..context.tar_context import TarContext
from ..engines.base import Built, Emission, EmitRequest, Engine, Settings
from ..errors import BuilderError, EmitTimeoutError, StreamError
from ..oci.documents import recorded
from ..oci.toc import Toc
from ..progress import Reporter, StepExplained, StepFinished, StepProgress, StepStarted
from ..request import BuildRequest
from ..store.disk import discard, disk_errors
from ..store.records import Record
from ..store.store import Store

if TYPE_CHECKING:
    from ..context.tarstream import Received
    from ..engines.explaining import Miss

ORIGIN = "The context that the builder emitted"
_STEP = 0
_DRAIN_SECONDS = 2.0


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """A context that a builder has emitted.

    What came from its stdout has its entries, the file with their contents, and the key of the run; what is a directory
    of its image has ``files``.
    """

    toc: Toc = Toc.of(())
    spool: str = ""
    files: Context | None = None
    key: str = ""
    origin: str = ORIGIN
    is_cached: bool = False

    @property
    def context(self) -> Context:
        """All of it."""
        return self.files or TarContext(self.toc, self.spool, origin=f"{self.origin[0].lower()}{self.origin[1:]}")


class Emitter:
    """Gets contexts out of builders, from the cache where the same builder has run before."""

    def __init__(
        self, request: BuildRequest, settings: Settings, engine: Engine, store: Store, report: Reporter
    ) -> None:
        self._request = request
        self._settings = settings
        self._engine = engine
        self._store = store
        self._report = report

    def emit(self, built: Built, *, is_anew: bool = False) -> Emitted:
        """The context of a builder.  ``is_anew`` says that it has been made anew on request: though its key is what it
        was, what is known of it is not.

        Raises ``BuilderError`` where the builder fails, ``StreamError`` where it writes anything but one sound tar
        archive.  Then nothing is remembered.
        """
        started = time.monotonic()
        self._report(StepStarted(step=_STEP, level=built.level, name="[emit] run the builder"))
        cached = False
        error = ""
        try:
            is_asked_for = is_anew or self._is_asked_for
            emitted = self._run(built, is_asked_for=True) if is_asked_for else self._known_or_run(built)
            cached = emitted.is_cached
        except BaseException as failure:
            error = getattr(failure, "message", type(failure).__name__)
            raise
        finally:
            seconds = time.monotonic() - started
            self._report(StepFinished(step=_STEP, cached=cached, seconds=seconds, error=error))
        return emitted

    def directory(self, built: Built, path: str) -> Emitted:
        """A directory of a level's image, which is not run.  Raises ``ContextError`` where there is none."""
        started = time.monotonic()
        self._report(StepStarted(step=_STEP, level=built.level, name=f"[emit] BUILD {path}"))
        error = ""
        try:
            files = self._engine.directory(built, path)
        except BaseException as failure:
            error = getattr(failure, "message", type(failure).__name__)
            raise
        finally:
            seconds = time.monotonic() - started
            self._report(StepFinished(step=_STEP, cached=built.is_cached, seconds=seconds, error=error))
        return Emitted(files=files, origin=f"The directory {path} that level {built.level} has built", is_cached=True)

    def _known_or_run(self, built: Built) -> Emitted:
        """Run the builder, unless it is known what it emits or another build runs it now: then that is waited for."""
        key = self._key(built)
        known = self._known(key)
        if known is not None:
            return known
        with self._store.claims.claim(f"emit {key}") as has_waited:
            return (self._recorded(key) if has_waited else None) or self._run(built, is_asked_for=False)

    def _key(self, built: Built) -> str:
        parts = (
            "dockerception emit 1",
            built.key,
            self._request.command,
            str(self._settings.platform),
            self._settings.network,
            "-",
        )
        return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()

    def _known(self, key: str) -> Emitted | None:
        """What the same builder has emitted before, here or where a cache elsewhere comes from."""
        found = self._recorded(key)
        if found is None and self._settings.cache_from and self._engine.fetch_context(key):
            found = self._recorded(key)
        return found

    def _recorded(self, key: str) -> Emitted | None:
        digest = recorded(bytes.decode, self._store.records.get(key))
        toc = self._store.contexts.find(digest) if digest else None
        if not digest or toc is None:
            return None
        return Emitted(toc=toc, spool=self._store.contexts.spool_path(digest), key=key, is_cached=True)

    def _miss(self, built: Built, *, is_asked_for: bool) -> Miss | None:
        """This miss, where the engine explains; it is reported, if that is asked for."""
        if not self._engine.capabilities.explains:
            return None
        from ..engines.explaining import ASKED
        from .emit_traces import emit_miss

        miss = emit_miss(self._store.traces, built, self._request, self._settings, self._key(built))
        if self._settings.explain:
            why = ASKED if is_asked_for else miss.why()
            self._report(StepExplained(step=_STEP, cause=why.cause, text=why.text, paths=why.paths))
        return miss

    @property
    def _is_asked_for(self) -> bool:
        """Whether the builder is to be run whatever is known."""
        return self._settings.no_cache or "emit" in self._settings.no_cache_filter

    def _run(self, built: Built, *, is_asked_for: bool) -> Emitted:
        miss = self._miss(built, is_asked_for=is_asked_for)
        request = EmitRequest(
            command=self._request.command,
            network=self._settings.network,
            limits=self._settings.limits,
            timeout=self._request.emit_timeout,
        )
        emission = self._engine.emit(built, request, _STEP)
        try:
            with spool(self._store) as (path, descriptor):
                received = self._receive(emission, descriptor)
            emission.finish()
        finally:
            emission.close()
        digest = self._store.contexts.keep(received.toc, path)
        key = self._key(built)
        self._store.records.put([Record(key, digest.encode(), (f"context:{digest}",))])
        if miss is not None:
            miss.keep()
        return Emitted(toc=received.toc, spool=self._store.contexts.spool_path(digest), key=key)

    def _receive(self, emission: Emission, descriptor: int) -> Received:
        from ..context.tarstream import receive

        try:
            return receive(
                emission.read,
                spool=descriptor,
                origin=ORIGIN,
                source="emitted",
                limits=self._request.stream_limits,
                on_progress=lambda done, files: self._report(
                    StepProgress(step=_STEP, done_bytes=done, files=files, note="context")
                ),
            )
        except EmitTimeoutError:
            raise
        except StreamError as error:
            raise _explained(emission, error) from error


def _explained(emission: Emission, error: StreamError) -> StreamError | BuilderError:
    """The better of two errors: where the builder itself has failed, that is why its stream is broken."""
    try:
        if emission.drain(_DRAIN_SECONDS):
            emission.finish()
    except BuilderError as failure:
        failure.details = "\n".join(part for part in (failure.details, error.message) if part)
        return failure
    except EmitTimeoutError:
        pass
    return error


@contextmanager
def spool(store: Store) -> Iterator[tuple[str, int]]:
    """A new spool file, open for writing; it is removed if the block raises."""
    path = store.contexts.new_spool()
    with disk_errors("making a spool file"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield path, descriptor
    except BaseException:
        discard(path)
        raise
    finally:
        os.close(descriptor)
