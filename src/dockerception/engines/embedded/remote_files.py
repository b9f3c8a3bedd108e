"""What a Dockerfile or a named context takes from a URL: the remote sources of ADD, and contexts from elsewhere."""

from __future__ import annotations

import threading

import msgspec

from ...context.base import Context
from ...dockerfile import instructions as ins
from ...errors import ContextError, DockerfileError, UsageError
from ...oci.stream_limits import Limits
from ...remotes.locations import FileLocation, GitLocation, Location, is_commit, parse
from ...remotes.remotes import Fetched, Remotes
from ...store.store import Store
from ..base import Material
from .matching import Source
from .steps import Steps


class RemoteFiles:
    """Fetches for one level; each place is asked once.  Threads may share it.  ``materials`` tell what was got."""

    def __init__(self, store: Store, steps: Steps, limits: Limits) -> None:
        self._remotes = Remotes(store, limits)
        self._steps = steps
        self._lock = threading.Lock()
        self._fetched: dict[tuple[Location, str], Fetched] = {}
        self.materials: list[Material] = []

    def source(self, instruction: ins.Add, text: str) -> Source:
        """A remote source of ADD: a file, or the directory that a repository is."""
        location = locate(instruction, text)
        fetched = self._fetch(location, instruction.checksum if isinstance(location, FileLocation) else "")
        return Source(
            context=fetched.context,
            path=fetched.name,
            followed=fetched.name,
            unpacks=instruction.unpack is True and bool(fetched.name),
        )

    def context(self, name: str, location: Location) -> Context:
        """A named context.  Raises ``ContextError`` for a file that is no archive."""
        fetched = self._fetch(location, "")
        if not fetched.name:
            return fetched.context
        unpacked = self._remotes.unpacked(fetched)
        if unpacked is None:
            raise ContextError(
                f"The build context {name} is {fetched.origin}, which is no tar archive.",
                hint="a context is a repository (…/name.git) or an archive; a single file: ADD URL",
            )
        return unpacked.context

    def _fetch(self, location: Location, checksum: str) -> Fetched:
        with self._lock:
            key = (location, checksum)
            if key not in self._fetched:
                with self._steps.step(f"fetch {location.shown}") as step:
                    self._fetched[key] = fetched = self._get(location, checksum)
                    step.is_cached = fetched.is_cached
                kind = "git" if isinstance(location, GitLocation) else "url"
                self.materials.append(Material(kind, location.shown, fetched.digest))
            return self._fetched[key]

    def _get(self, location: Location, checksum: str) -> Fetched:
        if isinstance(location, GitLocation):
            return self._remotes.repository(location)
        return self._remotes.file(location, checksum)


def locate(instruction: ins.Add, text: str) -> Location:
    """What a remote source of ADD names, with what the flags say of it.

    Raises ``DockerfileError`` for an address that can't be.
    """
    try:
        location = parse(text)
    except UsageError as error:
        raise DockerfileError(error.message, hint=error.hint) from error
    if location is None:
        raise TypeError(f"{text} is not remote")
    if not isinstance(location, GitLocation):
        return location
    if instruction.checksum and not is_commit(instruction.checksum):
        raise DockerfileError(f"“{instruction.checksum}” is no commit id.", hint="the checksum of a repository is one")
    if instruction.checksum and location.checksum not in ("", instruction.checksum):
        raise DockerfileError(f"ADD has a --checksum, and {location.shown} another one.", hint="give it once")
    return msgspec.structs.replace(
        location,
        checksum=instruction.checksum or location.checksum,
        keeps_git_dir=instruction.keeps_git_dir or location.keeps_git_dir,
    )
