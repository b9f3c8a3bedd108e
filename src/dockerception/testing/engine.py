"""An engine for tests: it builds nothing, says what a test wants, and remembers what it was asked.

engine = FakeEngine(emits={"Dockerfile": b"FROM scratch", "app": b"…"})
dockerception.build("src", tags=["app"], engine=engine)
assert engine.levels[0].files == ("Dockerfile", "main.go")
assert engine.names == ["app:latest"]
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence

import msgspec

from ..context.base import Context
from ..context.tar_context import TarContext
from ..context.tarstream import receive
from ..engines.base import Built, Capabilities, EmitRequest, Exported, Level, Output, Result
from ..engines.destinations import destination
from ..errors import BuilderError, ContextError
from ..oci import config as oci_config
from ..oci import tarwriter
from ..oci.config import ContainerConfig, ImageConfig
from ..oci.entry import FILE, Entry
from ..reference import Reference
from ..transports import docker_archive
from ..transports.base import Outgoing


class AskedLevel(msgspec.Struct, frozen=True, kw_only=True):
    """A level that was asked for: the text of its Dockerfile, its target, and the paths of its context, sorted."""

    dockerfile: str
    target: str
    files: tuple[str, ...]
    build_args: Mapping[str, str]


class FakeEngine:
    """See ``engines.base.Engine``.  Equal Dockerfiles, files and arguments give equal keys, as with a real one.

    ``emits`` is what every builder writes: files by their paths, or the bytes of a stream, sound or not.  ``exit_code``
    is how it ends.  ``directories`` are the files in directories of every image.  ``capabilities`` may be less than
    everything.
    """

    def __init__(
        self,
        emits: Mapping[str, bytes] | bytes = b"",
        *,
        exit_code: int = 0,
        directories: Mapping[str, Mapping[str, bytes]] = {},
        capabilities: Capabilities = Capabilities(name="The fake engine"),  # noqa: B008  it never changes
    ) -> None:
        self.capabilities = capabilities
        self.levels: list[AskedLevel] = []
        self.emissions: list[EmitRequest] = []
        self.names: list[str] = []
        self.outputs: list[Output] = []
        self.caches: list[tuple[int, int]] = []
        self.is_closed = False
        self._stream = emits if isinstance(emits, bytes) else _tar(emits)
        self._exit_code = exit_code
        self._directories = directories
        self._configs: dict[str, bytes] = {}

    def build(self, level: Level) -> Built:
        asked = AskedLevel(
            dockerfile="\n".join(level.dockerfile.document.lines),
            target=level.target,
            files=tuple(sorted(entry.path for entry in level.context.walk(""))),
            build_args=dict(level.settings.build_args),
        )
        self.levels.append(asked)
        platform = level.settings.platform
        key = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
        labels = {"dev.dockerception.fake": key}
        config = ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            config=ContainerConfig(labels=labels),
        )
        return Built(level=level.index, key=key, config=config, is_cached=False)

    def emit(self, built: Built, request: EmitRequest, step: int) -> FakeEmission:
        self.emissions.append(request)
        return FakeEmission(self._stream, self._exit_code)

    def directory(self, built: Built, path: str) -> Context:
        if path not in self._directories:
            raise ContextError(f"BUILD takes a directory, and {path} is not there.")
        with tempfile.NamedTemporaryFile() as file:
            stream = io.BytesIO(_tar(self._directories[path]))
            toc = receive(stream.read, spool=file.fileno(), origin="The directory", source="emitted").toc
            context = TarContext(toc, file.name, origin=f"the directory {path}")
            for entry in toc.walk(""):
                if entry.kind == FILE:
                    b"".join(context.read(entry))  # what has been read once stays open
        return context

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        merged = {**(built.config.config.labels or {}), **labels}
        container = msgspec.structs.replace(built.config.config, labels=merged)
        data = oci_config.encode(msgspec.structs.replace(built.config, config=container))
        image = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._configs[image] = data
        return Result(image=image, size=self.size(built))

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        self.names += [name.familiar for name in names]

    def size(self, built: Built) -> int:
        return 0

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        """Remember it; ``type=docker`` with a destination is written, as an image without files."""
        self.outputs.append(output)
        if output.type == "docker" and output.destination:
            result = results[0]
            data = self._configs[result.image]
            platform = oci_config.decode(data).platform
            image = Outgoing(config_bytes=data, layers=(), names=result.names, platform=platform)
            with destination(output.destination) as sink:
                docker_archive.write(image, sink)
        return ()

    def fetch_context(self, key: str) -> bool:
        return False

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        """Remember how many levels and contexts were to be kept."""
        self.caches.append((len(levels), len(contexts)))

    def close(self) -> None:
        self.is_closed = True


class FakeEmission:
    """A builder that writes a stream and ends (see ``engines.base.Emission``)."""

    def __init__(self, stream: bytes, exit_code: int) -> None:
        self._stream = io.BytesIO(stream)
        self._exit_code = exit_code

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def drain(self, seconds: float) -> bool:
        self._stream.read()
        return True

    def finish(self) -> None:
        if self._exit_code:
            raise BuilderError(f"The builder exited with code {self._exit_code}.")

    def close(self) -> None:
        self._stream.close()


def _tar(files: Mapping[str, bytes]) -> bytes:
    entries = [Entry(path=path, kind=FILE, size=len(files[path])) for path in sorted(files)]
    return b"".join(map(bytes, tarwriter.write(entries, lambda entry: (files[entry.path],))))
