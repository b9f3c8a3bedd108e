"""The options of a check: ``skip=A,B;error=true;experimental=C`` (Dockerfile reference, "check")."""

from __future__ import annotations

from typing import Final

import msgspec

from ...errors import DockerfileError
from ..stages import without_remark
from .rules import RULES, RuleName

_ALL: Final = "all"
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")
_HINT: Final = "write skip=RULE,RULE;error=true;experimental=RULE, where all may stand for every rule"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules count, and whether a finding is an error.  Names that no rule has are let pass, as in BuildKit."""

    skipped: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    is_error: bool = False

    @classmethod
    def parse(cls, text: str) -> Options:
        """The options in the text of a directive, of which a remark behind ``//`` is no part; raises
        ``DockerfileError``."""
        found: dict[str, str] = {}
        for option in filter(None, map(str.strip, without_remark(text).split(";"))):
            key, equals, value = option.partition("=")
            if not equals or key.strip() not in ("skip", "error", "experimental"):
                raise DockerfileError(f"A check has no option “{option}”.", hint=_HINT)
            found[key.strip()] = value.strip()
        return cls(
            skipped=_names(found.get("skip", "")),
            experimental=_names(found.get("experimental", "")),
            is_error=_is_true(found.get("error", "false")),
        )

    def counts(self, rule: RuleName) -> bool:
        """Whether findings of a rule are to be reported."""
        if RULES[rule].is_experimental:
            return not self.experimental.isdisjoint((_ALL, rule))
        return self.skipped.isdisjoint((_ALL, rule))


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) - {""}


def _is_true(text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise DockerfileError(f"A check's option error is “{text}”.", hint="write error=true or error=false")
    return text in _TRUE
