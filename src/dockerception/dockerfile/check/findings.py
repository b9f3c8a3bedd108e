"""What a check gives, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from ..instructions import Lines
from .rules import RuleName


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a rule has found; ``location`` are lines of the document that was checked, from 1."""

    rule: RuleName
    text: str
    location: Lines


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the surroundings of a Dockerfile.

    ``base_variables`` gives the names of the variables that an image sets, None where it is not known;
    ``suspects_unknown_bases`` says whether a variable that only such an image could set is reported.  ``is_ignored``
    says whether the context's ignore file leaves a path and all that may be below it out, None where there is no such
    file.
    """

    build_args: Mapping[str, str] = {}
    base_variables: Callable[[str], frozenset[str] | None] = lambda _: None
    suspects_unknown_bases: bool = True
    is_ignored: Callable[[str], bool] | None = None
