"""Contexts, layers and received streams for the tests, made in memory."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

import msgspec

from dockerception.context import ignore
from dockerception.context.base import Context
from dockerception.context.tar_context import TarContext
from dockerception.context.tarstream import DEFAULT_LIMITS, OnProgress, Received, receive
from dockerception.oci import tarwriter
from dockerception.oci.entry import FILE, HARDLINK, SYMLINK, WHITEOUT, Entry
from dockerception.oci.stream_limits import Limits
from dockerception.oci.toc import Toc, TocBuilder, directory
from unit.oci.archives import read_function


def file(path: str, text: str = "", **fields: object) -> tuple[Entry, bytes]:
    """A regular file."""
    contents = os.fsencode(text)
    entry = Entry(path=path, kind=FILE, size=len(contents), digest=sha256(contents).digest())
    return msgspec.structs.replace(entry, **fields), contents


def folder(path: str, **fields: object) -> tuple[Entry, bytes]:
    """A directory."""
    return msgspec.structs.replace(directory(path), **fields), b""


def link(path: str, target: str) -> tuple[Entry, bytes]:
    """A symbolic link."""
    return Entry(path=path, kind=SYMLINK, mode=0o777, link=target), b""


def hardlink(path: str, target: str) -> tuple[Entry, bytes]:
    """A hard link."""
    return Entry(path=path, kind=HARDLINK, link=target), b""


def whiteout(path: str) -> tuple[Entry, bytes]:
    """What removes a path of lower layers."""
    return Entry(path=path, kind=WHITEOUT), b""


class Tree:
    """A context (or, with ``toc()`` and ``read()``, a layer) of entries given in the test."""

    def __init__(self, *items: tuple[Entry, bytes], keeps_owners: bool = False, origin: str = "the test") -> None:
        self.entries = Toc.of(entry for entry, _ in items)
        self.contents = {entry.path: contents for entry, contents in items}
        self.keeps_owners = keeps_owners
        self.origin = origin
        self.asked: list[str] = []

    def toc(self) -> Toc:
        return self.entries

    def find(self, path: str) -> Entry | None:
        return self.entries.find(path) or (directory("") if path == "" else None)

    def children(self, path: str) -> Iterator[Entry]:
        return self.entries.children(path)

    def walk(self, path: str) -> Iterator[Entry]:
        return self.entries.walk(path)

    def digest(self, entry: Entry) -> bytes:
        self.asked.append(entry.path)
        return sha256(self._contents(entry)).digest()

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        contents = self._contents(entry)
        for start in range(0, len(contents), 7):
            yield contents[start : start + 7]

    def _contents(self, entry: Entry) -> bytes:
        return self.contents[entry.link if entry.kind == HARDLINK else entry.path]


def tree(paths: Mapping[str, str | None]) -> Tree:
    """A context of files with these texts, and of directories where there is None; missing parents are made."""
    builder = TocBuilder()
    items = []
    for path, text in paths.items():
        above = path.rpartition("/")[0]
        while above and builder.find(above) is None and above not in paths:
            items.append(folder(above))
            builder.add(items[-1][0])
            above = above.rpartition("/")[0]
        items.append(folder(path) if text is None else file(path, text))
    return Tree(*items)


def text(context: Context, path: str) -> str:
    """The contents of a file of a context."""
    entry = context.find(path)
    assert entry is not None, f"{path} is missing"
    return os.fsdecode(b"".join(bytes(chunk) for chunk in context.read(entry)))


def shown(context: Context, path: str = "") -> dict[str, str]:
    """All paths of a context and what they are: text of files, ``/`` of directories, ``-> x`` and ``== x`` of links."""
    return {entry.path: _shown(context, entry) for entry in context.walk(path)}


def _shown(context: Context, entry: Entry) -> str:
    match entry.kind:
        case "file":
            data = b"".join(bytes(chunk) for chunk in context.read(entry))
            assert len(data) == entry.size
            assert context.digest(entry) == sha256(data).digest()
            return os.fsdecode(data)
        case "directory":
            return "/"
        case "symlink":
            return f"-> {entry.link}"
        case "hardlink":
            return f"== {entry.link}"
        case other:
            return other


def rules(*lines: str) -> ignore.IgnoreRules:
    """Ignore rules of these lines."""
    return ignore.compile(ignore.read("\n".join(lines).encode()))


def received(
    data: bytes,
    *,
    step: int = 1 << 20,
    source: str = "emitted",
    limits: Limits = DEFAULT_LIMITS,
    on_progress: OnProgress | None = None,
) -> tuple[Received, TarContext]:
    """What ``receive`` makes of these bytes, and the context of it."""
    assert source in ("emitted", "stdin")
    with tempfile.NamedTemporaryFile() as spool:
        got = receive(
            read_function(data, step),
            spool=spool.fileno(),
            origin="The context",
            source="stdin" if source == "stdin" else "emitted",
            limits=limits,
            on_progress=on_progress,
        )
        context = TarContext(got.toc, spool.name, origin="the context")
        for entry in got.toc:
            if entry.kind == FILE and entry.size:
                next(iter(context.read(entry)))  # opens the spool, which may be removed then
                break
        assert os.fstat(spool.fileno()).st_size == got.spool_size
    return got, context


def stream(items: Iterable[tuple[Entry, bytes]]) -> bytes:
    """A tar stream of these entries."""
    contents = {id(entry): data for entry, data in items}
    buffer = io.BytesIO()
    for chunk in tarwriter.write([entry for entry, _ in items], lambda entry: [contents[id(entry)]]):
        buffer.write(chunk)
    return buffer.getvalue()
