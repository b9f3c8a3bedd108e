"""What of a build goes into a cache: the records of its levels, the contexts between them, and its cache mounts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

from ....dockerfile import instructions as ins
from ....errors import DockerceptionError, StoreError
from ....progress import Notice, Reporter
from ....reference import Platform
from ....store.store import Store
from .. import mount_names
from ..faces import Faces, StartSandbox
from ..recorded import Recorded
from ..solved import SolvedLevel
from ..steps import RunningStep
from ..values import Evaluated
from .exporting import export
from .gathering import Gathered
from .options import Place, Target
from .shared import SharedCaches


class ChainExport:
    """Exports one build's cache to any number of targets."""

    def __init__(
        self,
        store: Store,
        faces: Faces,
        sandbox: StartSandbox,
        *,
        recorded: Recorded,
        shared: SharedCaches | None,
        platform: Platform,
        report: Reporter,
    ) -> None:
        self._store = store
        self._faces = faces
        self._sandbox = sandbox
        self._recorded = recorded
        self._shared = shared
        self._platform = platform
        self._report = report

    def run(
        self, target: Target, place: Place, levels: Sequence[SolvedLevel], contexts: Sequence[str], step: RunningStep
    ) -> None:
        """Export to a target; ``contexts`` are the keys of the builders' runs.

        Raises what hinders it, unless the target may fail: then that is a warning.
        """
        try:
            export(self._gather(target, levels, contexts), place, self._platform, self._report, step)
        except DockerceptionError as error:
            if not target.may_fail:
                error.add_note(f"while exporting the cache to {place.title}")
                raise
            self._warn(f"The cache was not exported to {place.title}: {error.message}")

    def _gather(self, target: Target, levels: Sequence[SolvedLevel], contexts: Sequence[str]) -> Gathered:
        gathered = Gathered(self._store, self._faces, self._recorded, self._shared, target.packing)
        if target.mode == "min":
            gathered.add_stages({levels[-1].definition: levels[-1].stage})
        else:
            for level in levels:
                gathered.add_stages(level.reachable())
            for key in contexts:
                gathered.add_context(key)
        if target.has_mounts:
            stages = [stage for level in levels for stage in level.reachable().values()]
            for name in sorted({name for stage in stages for name in _cache_names(stage)}):
                directory = self._store.mounts.find(name)
                if directory is not None:
                    self._add_mount(gathered, directory)
                else:  # no step has needed it here, but another machine's may
                    gathered.pass_on_mount(os.path.basename(self._store.mounts.path(name)))
        return gathered

    def _add_mount(self, gathered: Gathered, directory: str) -> None:
        toc = self._sandbox().diff(directory).toc
        content = hashlib.sha256(toc.encode()).hexdigest()
        try:
            gathered.add_mount(os.path.basename(directory), content, self._faces.tar_of_tree(directory, toc))
        except StoreError as error:
            self._warn(f"A cache mount that is being written to is not exported: {error.message}")

    def _warn(self, text: str) -> None:
        self._report(Notice(text=text, severity="warning"))


def _cache_names(stage: Evaluated) -> Iterator[str]:
    """The names of the cache mounts of a stage's steps, those apart that begin with files from elsewhere."""
    for step in stage.steps:
        instruction = step.instruction
        if not isinstance(instruction, ins.Run):
            continue
        for mount in instruction.mounts:
            if mount.type == "cache" and not mount.from_:
                yield mount_names.cache(mount, mount_names.target(instruction, mount, step.config.working_dir), "")
