"""An engine that builds nothing and remembers what it was asked."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence

from dockerception.context.base import Context
from dockerception.context.tar_context import TarContext
from dockerception.context.tarstream import receive
from dockerception.engines.base import Built, Capabilities, EmitRequest, Exported, Level, Material, Output, Result
from dockerception.errors import DockerceptionError
from dockerception.oci.config import ImageConfig
from dockerception.oci.entry import FILE
from dockerception.reference import Reference

Check = Callable[[], None]


class FakeEmission:
    """A builder that writes ``data`` and then ends, with ``error`` if there is one; or never, if it ``hangs``."""

    def __init__(self, data: bytes, error: DockerceptionError | None, hangs: bool) -> None:
        self._stream = io.BytesIO(data)
        self._error = error
        self._hangs = hangs
        self.is_closed = False

    def read(self, size: int) -> bytes:
        return self._stream.read(min(size, 1000))

    def drain(self, seconds: float) -> bool:
        return not self._hangs

    def finish(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    """See ``engines.base.Engine``.  A level's key is made of its Dockerfile and its files.

    ``emits`` is what every builder writes.  ``fails`` has errors for ``build 1``, ``emit``, ``export``, …
    """

    capabilities = Capabilities(name="The fake engine")

    def __init__(self, emits: bytes = b"") -> None:
        self.emits = emits
        self.directories: dict[str, bytes] = {}
        self.hangs = False
        self.fails: dict[str, DockerceptionError] = {}
        self.unused: dict[int, frozenset[str]] = {}
        self.calls: list[str] = []
        self.levels: list[Level] = []
        self.emissions: list[tuple[EmitRequest, FakeEmission]] = []
        self.named: list[str] = []

    def build(self, level: Level) -> Built:
        self._call(f"build {level.index}")
        self.levels.append(level)
        described = [level.dockerfile.document.lines, [entry.path for entry in level.context.walk("")]]
        return Built(
            level=level.index,
            key=hashlib.sha256(repr(described).encode()).hexdigest(),
            config=ImageConfig(architecture="amd64", os="linux"),
            is_cached=level.index == 0,
            materials=(Material("image", "base", "sha256:1"), Material("image", f"base{level.index}", "sha256:2")),
            unused_build_args=self.unused.get(level.index, frozenset()),
        )

    def emit(self, built: Built, request: EmitRequest, step: int) -> FakeEmission:
        self.calls.append("emit")
        emission = FakeEmission(self.emits, self.fails.get("emit"), self.hangs)
        self.emissions.append((request, emission))
        return emission

    def directory(self, built: Built, path: str) -> Context:
        self._call(f"directory {path}")
        with tempfile.NamedTemporaryFile() as file:
            stream = io.BytesIO(self.directories[path])
            toc = receive(stream.read, spool=file.fileno(), origin="The directory", source="emitted").toc
            context = TarContext(toc, file.name, origin=f"the directory {path}")
            for entry in toc.walk(""):
                if entry.kind == FILE:
                    b"".join(context.read(entry))  # what has been read once stays open
        return context

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        self._call("publish")
        return Result(image=f"sha256:{built.level}{''.join(labels)}", size=10 + built.level)

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        self._call("name")
        self.named += [name.familiar for name in names]

    def size(self, built: Built) -> int:
        return 10 + built.level

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        self._call("export")
        self.calls[-1] = f"export {output.type} {' '.join(name.familiar for name in results[0].names)}".rstrip()
        return ()

    def fetch_context(self, key: str) -> bool:
        self._call("fetch context")
        return False

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        self._call("export cache")
        self.calls[-1] = f"export cache of {len(levels)} levels, {len(contexts)} contexts"

    def close(self) -> None:
        self.calls.append("close")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    def seen(self, index: int) -> tuple[str, list[str]]:
        """The text of a level's Dockerfile, and the paths of its context."""
        level = self.levels[index]
        return "\n".join(level.dockerfile.document.lines).strip(), [entry.path for entry in level.context.walk("")]
