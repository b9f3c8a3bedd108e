"""The ``--name=value`` flags of an instruction, checked against those that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from ...errors import DockerfileError
from ..parser import Node
from ..text import did_you_mean


class Kind(Enum):
    """What a flag's value is and how often it may be given."""

    TEXT = "text"
    TRUTH = "truth"
    LIST = "list"


class Flags(msgspec.Struct, frozen=True):
    """The values of the flags that were given, by name without the dashes."""

    values: Mapping[str, tuple[str, ...]]

    def text(self, name: str, otherwise: str = "") -> str:
        """The value of a TEXT flag."""
        return self.values[name][0] if name in self.values else otherwise

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a LIST flag, in order."""
        return self.values.get(name, ())

    def truth(self, name: str) -> bool | None:
        """The value of a TRUTH flag, ``None`` where it is not given."""
        return self.values[name][0] == "true" if name in self.values else None


def read_flags(node: Node, known: Mapping[str, Kind]) -> Flags:
    """The flags of ``node``.  Raises ``DockerfileError`` for one that is unknown, repeated or has no fitting value.

    As in BuildKit, an empty text is a value (``--chown=``): it is as if the flag were not given.
    """
    values: dict[str, tuple[str, ...]] = {}
    for flag in node.flags:
        name, equals, value = flag.removeprefix("--").partition("=")
        kind = known.get(name)
        if kind is None:
            raise _unknown(node.keyword, name, known)
        if name in values and kind is not Kind.LIST:
            raise DockerfileError(f"{node.keyword} has --{name} twice.", hint=f"keep one --{name}")
        if kind is Kind.TRUTH and not equals:
            value = "true"
        elif not equals or (kind is Kind.TRUTH and not value):
            raise DockerfileError(
                f"{node.keyword} --{name} has no value.", hint=f"write --{name}=VALUE, without a blank"
            )
        if kind is Kind.TRUTH:
            value = value.lower()
            if value not in ("true", "false"):
                raise DockerfileError(f"{node.keyword} --{name} is “{value}”.", hint="it is either true or false")
        values[name] = (*values.get(name, ()), value)
    return Flags(values)


def _unknown(keyword: str, name: str, known: Mapping[str, Kind]) -> DockerfileError:
    if keyword == "ADD" and name == "from":
        hint = "use COPY --from"
    elif known:
        hint = did_you_mean(
            f"--{name}", [f"--{flag}" for flag in known], f"{keyword} takes --{', --'.join(sorted(known))}"
        )
    else:
        hint = f"{keyword} takes no flags; if this is an argument, put a “--” before it"
    return DockerfileError(f"{keyword} has no flag --{name}.", hint=hint)
