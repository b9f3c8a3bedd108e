"""Why something is done again: what it is made of now, beside what it was made of when it was done before.

Nothing here enters a key, so it may be told in words.  What must not be told (a build argument may be a password) is
here only as a digest; secrets are not here at all.
"""

from __future__ import annotations

import hashlib
import shlex
import zlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from ..oci.documents import recorded
from ..store.traces import Trace, Traces

Cause = Literal[
    "asked", "first", "pruned", "below", "instruction", "environment", "argument", "files", "option", "other"
]

_encode = msgspec.msgpack.Encoder().encode


class Below(msgspec.Struct, frozen=True, array_like=True):
    """What something stands on: what messages call it, and what tells it from any other."""

    name: str = ""
    identity: str = ""


class FileFact(msgspec.Struct, frozen=True, array_like=True):
    """A file in a few bytes: its mode, the beginning of its contents' digest, and that of all the rest."""

    mode: int
    content: bytes
    rest: bytes = b""


class Facts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a step is made of.  ``arguments`` are digests.  What else its key has is in ``options``, in words, and where
    words would not tell it as a digest in ``digests``."""

    text: str
    below: Below = Below()
    environment: dict[str, str] = {}
    arguments: dict[str, bytes] = {}
    files: dict[str, FileFact] = {}
    options: dict[str, str] = {}
    digests: dict[str, bytes] = {}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The first difference, in words, without a full stop; ``paths`` are all files that differ, where they are it."""

    cause: Cause
    text: str
    paths: tuple[str, ...] = ()


ASKED: Final = Explanation(cause="asked", text="--no-cache or --no-cache-filter asks for it")

_decode = msgspec.msgpack.Decoder(Facts).decode


class Miss:
    """Something that is not in the cache, and has to be done."""

    def __init__(
        self, traces: Traces, *, site: Sequence[str], slot: str, key: str, facts: Facts, others: Iterable[str] = ()
    ) -> None:
        """``site`` names what is one thing across builds, ``slot`` the place in it.  ``others`` are the texts of what
        else is at that site now: a trace of one of those is not taken for an earlier state of this one."""
        self._traces = traces
        self._site = hashlib.sha256(_encode([told(name) for name in site])).hexdigest()
        self._slot = slot
        self._key = key
        self._facts = facts
        self._others = frozenset(others)

    def why(self) -> Explanation:
        """The first thing that differs from when it was last done."""
        from .differences import differences

        earlier = self._traces.of(self._site)
        if any(each.key == self._key for each in earlier):
            return Explanation(cause="pruned", text="it was done before, but what came of it has been pruned")
        nearest = self._nearest(earlier)
        if nearest is None:
            return Explanation(cause="first", text="there is no earlier build of it")
        unknown = "nothing differs of what is remembered; another version of dockerception may have built it"
        return next(differences(nearest, self._facts), Explanation(cause="other", text=unknown))

    def keep(self) -> None:
        """Remember it, now that it is done, for the explanation of a later miss."""
        self._traces.keep(self._site, Trace(self._slot, self._key, zlib.compress(_encode(self._facts), 1)))

    def _nearest(self, earlier: Sequence[Trace]) -> Facts | None:
        """The facts of the earlier one that has most in common with this one."""
        found: list[tuple[tuple[int, ...], Facts]] = []
        for each in earlier:
            old = recorded(_decompressed, each.facts)
            if old is None:
                continue
            is_same_slot = each.slot == self._slot
            if old.text == self._facts.text or (is_same_slot and old.text not in self._others):
                found.append((_likeness(old, self._facts, is_same_slot=is_same_slot), old))
        return max(found, key=lambda pair: pair[0])[1] if found else None


def _decompressed(facts: bytes) -> Facts:
    try:
        return _decode(zlib.decompress(facts))
    except zlib.error as error:
        raise msgspec.DecodeError(str(error)) from error


def told(text: str) -> str:
    """A text with what is not UTF-8 escaped."""
    return text.encode(errors="backslashreplace").decode()


def digest(text: str) -> bytes:
    """What is kept of a value that nobody is to read."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:8]


def sorted_out(parts: Iterable[tuple[str, object]]) -> tuple[dict[str, str], dict[str, bytes]]:
    """The ``options`` and the ``digests`` of named values: texts as a person would write them, anything else hashed."""
    options: dict[str, str] = {}
    digests: dict[str, bytes] = {}
    for name, value in parts:
        if isinstance(value, str):
            options[name] = told(value)
        elif isinstance(value, tuple) and all(isinstance(each, str) for each in value):
            options[name] = shlex.join(map(told, value))
        else:
            digests[name] = hashlib.sha256(_encode(value)).digest()[:8]
    return options, digests


def _likeness(old: Facts, new: Facts, *, is_same_slot: bool) -> tuple[int, ...]:
    parts = ("below", "environment", "arguments", "options", "digests")
    equal = sum(getattr(old, part) == getattr(new, part) for part in parts)
    files = sum(new.files.get(path) == file for path, file in old.files.items())
    return (old.text == new.text, equal, files, is_same_slot)
