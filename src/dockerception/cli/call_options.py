"""``--check`` and ``--call``: which question a command answers in place of a build."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..errors import UsageError
from .click_types import Value, option

_METHODS: Final = ("build", "check", "outline", "targets")


class Call(msgspec.Struct, frozen=True):
    """A method, and whether its answer is JSON."""

    method: str = "build"
    is_json: bool = False


def read_call(text: str) -> Call:
    """``METHOD[,format=json]``; ``lint`` is an old name of ``check``.  Raises ``UsageError``."""
    method, *options = text.split(",")
    method = "check" if method == "lint" else method
    if method not in _METHODS:
        raise UsageError(f"There is no method “{method}”.", hint=f"methods are {', '.join(_METHODS)}")
    for each in options:
        if each not in ("format=json", "format=text"):
            raise UsageError(f"“{each}” is no option of a method.", hint=f"write {method},format=json")
    return Call(method, "format=json" in options)


def _call(*declarations: str, **attributes: Any) -> Any:
    return option(*declarations, is_common=True, **attributes)


CALLING: Final = (
    _call("--check", is_flag=True, help="Check the Dockerfile in place of a build: --call=check."),
    _call(
        "--call",
        metavar="METHOD[,format=json]",
        type=Value("method", read_call),
        help="What to do: build; or say on stdout what the Dockerfile is like: check is what build checks find, outline"
        " what the target takes, targets which there are.  [default: build]",
    ),
)
