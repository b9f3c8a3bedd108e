"""A level that is solved: what its stages are known by, and what the last of them came to."""

from __future__ import annotations

import msgspec

from .solve import Solver
from .values import Evaluated, StageState


class SolvedLevel(msgspec.Struct, frozen=True, kw_only=True):
    """The last stage of a level, how it was solved, and its state."""

    stage: Evaluated
    state: StageState
    solver: Solver

    @property
    def definition(self) -> str:
        """The definition key of the last stage."""
        return self.solver.definition(self.stage)

    def reachable(self) -> dict[str, Evaluated]:
        """The last stage and all that it reads or is built on, by definition keys; what is read comes before."""
        found: dict[str, Evaluated] = {}

        def visit(stage: Evaluated) -> None:
            definition = self.solver.definition(stage)
            if definition not in found:
                for other in self.solver.read_by(stage):
                    visit(other)
                found[definition] = stage

        visit(self.stage)
        return found
