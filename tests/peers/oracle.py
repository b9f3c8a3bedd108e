"""What the peer makes of each case, asked once in a session and kept for all places that the cases are built in.

Its results are files, one a case, beside the prepared context that it had: a place that has no Docker is given both.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from peers import cases
from peers.archive import SavedImage, read_image
from support import cache
from support.docker import Docker, DockerFailed


class Oracle(msgspec.Struct, frozen=True):
    """``results`` is the folder of what is known; ``docker`` starts the peer, which is asked for the rest."""

    results: Path
    docker: Callable[[], Docker]

    def case(self, name: str, work: Path) -> cases.Case:
        """The case in the empty folder ``work``.

        It is prepared once, so that its archives, keys and times are the same everywhere.
        """

        def prepare(target: Path) -> None:
            with tempfile.TemporaryDirectory() as scratch:
                cases.pack(cases.load(name, Path(scratch)), target)

        return cases.unpack(name, cache.once(f"{name}.context", prepare, self.results), work)

    def image(self, case: cases.Case) -> SavedImage | None:
        """The image that the peer makes of it; None if it refuses to."""
        return kept(cache.once(f"{case.name}.image", lambda path: keep(self._built(case), path), self.results))

    def _built(self, case: cases.Case) -> SavedImage | None:
        docker = self.docker()
        if case.base:
            docker.build(case.base, tag=f"{case.name}-base")
        with tempfile.TemporaryDirectory() as scratch:
            context: Path | bytes = case.context
            if case.expect.stream:
                context = case.context_tar(Path(scratch) / "context.tar").read_bytes()
            try:
                image = docker.build(context, *case.arguments)
            except DockerFailed:
                return None
            return read_image(docker.save(image, Path(scratch) / "image.tar"))


def keep(image: SavedImage | None, target: Path) -> None:
    """Write what :func:`kept` reads.  A pickle knows which names of a tree are one file, as JSON does not."""
    target.write_bytes(pickle.dumps(image))


def kept(target: Path) -> SavedImage | None:
    """What this machine has kept there."""
    image: SavedImage | None = pickle.loads(target.read_bytes())
    return image
