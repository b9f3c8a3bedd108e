"""Values of the store's own records: nothing but the disk stands between writing and reading them."""

from __future__ import annotations

from typing import Any, cast

from dockerception.context.digest_cache import SIGNATURE_SIZE, KnownDigests
from dockerception.engines.embedded import origins
from dockerception.engines.embedded.recorded import Recorded
from dockerception.engines.explaining import Facts, Miss
from dockerception.store.records import Record
from dockerception.store.traces import Trace


def record(data: bytes) -> None:
    """What is recorded of steps, layers and images: what can't be read is a miss."""
    store = cast(Any, _Store(data))
    recorded = Recorded(store, None, lambda _: True)
    recorded.layer("key")
    recorded.stage("key", cast(Any, None))
    origins.paths_at(store, "sha256:", "h")
    origins.find_manifest(store, cast(Any, _Image()))


def trace(data: bytes) -> None:
    """What a step was made of when it was last done."""
    traces = cast(Any, _Traces(data))
    Miss(traces, site=("site",), slot="slot", key="key", facts=Facts(text="RUN a")).why()


def listing(data: bytes) -> None:
    """The digests of a directory's files; what is damaged is forgotten."""
    known = KnownDigests(data)
    known.find(bytes(SIGNATURE_SIZE))
    again = KnownDigests(known.encode(()))
    assert not again.has_news


class _Image:
    image = "sha256:0"


class _Store:
    """A store in which every record has the same value, and no blob is."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self.records = self
        self.blobs = self

    def get(self, _: str) -> bytes:
        return self._value

    def put(self, records: list[Record]) -> None:
        raise AssertionError("nothing is to be written")

    def has(self, digest: str) -> bool:
        return not digest


class _Traces:
    """One trace, of another key at the same place."""

    def __init__(self, facts: bytes) -> None:
        self._facts = facts

    def of(self, _: str) -> list[Trace]:
        return [Trace("slot", "earlier", self._facts)]
