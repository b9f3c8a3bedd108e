"""Named contexts for the docker driver: its builder uses the daemon's images, however old it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ...oci import tarwriter
from ...oci.entry import DIRECTORY, FILE, Entry
from ...reference import Reference
from ..base import Material
from ..daemon.api import Daemon
from ..daemon.named import DOMAIN, NamedContexts
from ..daemon.references import Outside
from . import emit_script, helpers
from .contexts import Brought, find_named
from .images import FindImage, Found

_ID_LENGTH: Final = 32


class DaemonContexts:
    """See ``contexts.Contexts``."""

    def __init__(self, daemon: Daemon, named: NamedContexts, find_image: FindImage) -> None:
        self._daemon = daemon
        self._named = named
        self._find_image = find_image

    @property
    def materials(self) -> Sequence[Material]:
        return self._named.materials

    def is_named(self, name: str) -> bool:
        return self._named.is_named(name)

    def find(self, outside: Outside) -> Found:
        return find_named(self._named.lookup, outside, self._find_image)

    @contextmanager
    def brought(self, outside: Sequence[Outside], work: str) -> Iterator[Brought]:
        self._named.pull(outside)
        with self._named.brought(outside) as names:
            yield Brought(names=names)

    def bring_helper(self, program: str, work: str) -> tuple[str, tuple[str, ...]]:
        """An image that stays under the name of its contents, so that it is loaded once."""
        data = helpers.program(program)
        private = Reference.parse(f"{DOMAIN}/helper:{hashlib.sha256(data).hexdigest()[:_ID_LENGTH]}")
        if self._daemon.find(str(private)) is None:
            path = emit_script.BUSYBOX.lstrip("/")
            entries = (
                Entry(path="bin", kind=DIRECTORY, mode=0o755),
                Entry(path=path, kind=FILE, mode=0o755, size=len(data)),
            )
            self._daemon.import_files(map(bytes, tarwriter.write(entries, lambda _: (data,))), private)
        return str(private), ()
