"""The context of level 0 where a URL names it: a repository, an archive, or a Dockerfile alone.

As with ``docker build URL``: what a web server gives is a context if it is a tar archive, and else the Dockerfile of a
build that has no context.
"""

from __future__ import annotations

import time

import msgspec

from ..context.control_file import read_control_file
from ..errors import ContextError
from ..oci.toc import Toc
from ..progress import Reporter, StepFinished, StepStarted
from ..remotes.locations import GitLocation, Location, parse
from ..remotes.remotes import Fetched, Remotes
from ..request import BuildRequest
from ..store.store import Store

_STEP = 0


class FetchedContext(msgspec.Struct, frozen=True, kw_only=True):
    """A context from elsewhere, called ``name`` in messages; or a Dockerfile alone, then ``dockerfile`` is its text."""

    toc: Toc
    spool: str
    name: str
    dockerfile: bytes | None = None


def fetch_context(
    request: BuildRequest, store: Store, report: Reporter, *, max_dockerfile: int
) -> FetchedContext | None:
    """What the URL in ``request.source`` has; None if it is no URL of a kind that is known.

    Raises ``ContextError`` for what is neither a context nor a Dockerfile, or is longer than ``max_dockerfile`` bytes
    and no archive; and what ``Remotes`` raises.
    """
    location = parse(request.source, is_context=True)
    if location is None:
        return None
    started = time.monotonic()
    report(StepStarted(step=_STEP, level=0, name=f"[context] fetch {location.shown}"))
    cached, error = False, ""
    try:
        fetched = _fetch(location, Remotes(store, request.stream_limits), max_dockerfile)
        cached = fetched[1]
    except BaseException as failure:
        error = getattr(failure, "message", type(failure).__name__)
        raise
    finally:
        report(StepFinished(step=_STEP, cached=cached, seconds=time.monotonic() - started, error=error))
    return fetched[0]


def _fetch(location: Location, remotes: Remotes, max_dockerfile: int) -> tuple[FetchedContext, bool]:
    if isinstance(location, GitLocation):
        whole = remotes.repository(location)
        return FetchedContext(
            toc=whole.toc, spool=whole.spool, name=f"The repository {location.shown}"
        ), whole.is_cached
    file = remotes.file(location)
    unpacked = remotes.unpacked(file)
    if unpacked is not None:
        name = f"The context {location.shown}"
        return FetchedContext(toc=unpacked.toc, spool=unpacked.spool, name=name), unpacked.is_cached
    text = _dockerfile(file, max_dockerfile)
    return FetchedContext(toc=file.toc, spool=file.spool, name=location.shown, dockerfile=text), file.is_cached


def _dockerfile(file: Fetched, max_bytes: int) -> bytes:
    text = read_control_file(file.context, file.name, max_bytes=max_bytes) or b""
    if not text.strip() or b"\0" in text:
        what = "is empty" if not text.strip() else "is no text"
        raise ContextError(
            f"{file.origin} {what}; a tar archive or a Dockerfile was expected.", hint="check the address"
        )
    return text
