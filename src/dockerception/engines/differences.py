"""What differs between two states of a step, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from .explaining import Below, Explanation, Facts, FileFact

_NAMED: Final = 3
_LONGEST: Final = 80
_T = TypeVar("_T")


def differences(old: Facts, new: Facts) -> Iterator[Explanation]:
    """All that differs: what it stands on, what it says, what it reads."""
    if old.below != new.below:
        yield Explanation(cause="below", text=_below(old.below, new.below))
    if old.text != new.text:
        yield Explanation(cause="instruction", text=f"it was {_quoted(old.text)}, is {_quoted(new.text)}")
    for name, before, now in _changed(old.environment, new.environment):
        yield Explanation(cause="environment", text=_value(f"ENV {name}", before, now))
    for name, had, has in _changed(old.arguments, new.arguments):
        change = "is new" if had is None else "is gone" if has is None else "changed"
        yield Explanation(cause="argument", text=f"the build argument {name} {change}")
    files = list(_changed(old.files, new.files))
    if files:
        yield Explanation(cause="files", text=_files(files), paths=tuple(path for path, _, _ in files))
    for name, before, now in _changed(old.options, new.options):
        yield Explanation(cause="option", text=_value(f"its {name}", before, now))
    for name, _, _ in _changed(old.digests, new.digests):
        yield Explanation(cause="option", text=f"its {name} changed")


def _changed(old: Mapping[str, _T], new: Mapping[str, _T]) -> Iterator[tuple[str, _T | None, _T | None]]:
    for name in {**old, **new}:
        before, now = old.get(name), new.get(name)
        if before != now:
            yield name, before, now


def _below(old: Below, new: Below) -> str:
    if old.name != new.name:
        return f"it is built on {new.name}, was on {old.name}"
    if old.identity.startswith("sha256:") and new.identity.startswith("sha256:"):
        return f"{new.name} changed ({_short(old.identity)} → {_short(new.identity)})"
    return f"{new.name} changed"


def _value(what: str, old: str | None, new: str | None) -> str:
    if old is None or new is None:
        return f"{what} is {'new' if old is None else 'gone'}"
    if any(len(value) > _LONGEST or "\n" in value for value in (old, new)):
        return f"{what} changed"
    return f"{what} was {_quoted(old)}, is {_quoted(new)}"


def _files(files: list[tuple[str, FileFact | None, FileFact | None]]) -> str:
    named = [_file(*each) for each in files[:_NAMED]]
    rest = len(files) - len(named)
    if rest:
        return f"{', '.join(named)}, and {rest} more differ" + ("s" if rest == 1 else "")
    return ", ".join(named)


def _file(path: str, old: FileFact | None, new: FileFact | None) -> str:
    if old is None or new is None:
        return f"{path} is {'new' if old is None else 'gone'}"
    if old.content != new.content:
        return f"{path} changed (content sha256:{old.content.hex()[:12]}… → {new.content.hex()[:12]}…)"
    if old.mode != new.mode:
        return f"{path} has mode {new.mode:04o}, had {old.mode:04o}"
    return f"{path} changed (its type, owner or attributes)"


def _short(identity: str) -> str:
    return f"{identity[:19]}…"


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        return "empty"
    return f"“{line if len(line) <= _LONGEST else line[: _LONGEST - 1] + '…'}”"
