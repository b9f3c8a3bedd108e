"""One finding of ``doctor``."""

from __future__ import annotations

import msgspec

from ..sandbox.messages import Ability


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One finding.  ``needed_for`` says what does not work without it; ``detail`` what was found, or why it does not
    work; ``hint`` what to do.  RUN is impossible unless all that ``is_required`` works."""

    name: str
    works: bool
    needed_for: str
    detail: str = ""
    hint: str = ""
    is_required: bool = False


def of_ability(name: str, ability: Ability, needed_for: str, *, detail: str = "") -> Check:
    """A finding of the sandbox; ``detail`` is for where it works."""
    return Check(
        name=name,
        works=ability.works,
        needed_for=needed_for,
        detail=detail if ability.works else ability.reason,
        hint=ability.remedy,
    )
