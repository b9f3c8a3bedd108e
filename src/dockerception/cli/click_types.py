"""What click needs to know of us: options with our variables, and a command that reports all mistakes at once.

This is the only module that adds behaviour to click's classes; everything else uses ``option``, ``argument`` and
``command`` from here as they would click's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import click
from click import Context as ClickContext

from ..errors import UsageError

PREFIX: Final = "DOCKERCEPTION"
_MISTAKES: Final = "dockerception.mistakes"


class Option(click.Option):
    """An option that may also come from the environment.

    ``DOCKERCEPTION_<COMMAND>_<OPTION>`` always; ``DOCKERCEPTION_<OPTION>`` too where ``is_common``, which means that
    the option says the same thing in every command that has it.  A repeatable option takes one value a line.
    """

    def __init__(self, declarations: Sequence[str], *, is_common: bool = False, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.is_common = is_common

    def variables(self, command: str) -> list[str]:
        """The names of the variables that stand for this option of a command, the strongest first."""
        named = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or ())
        name = max(self.opts, key=len).lstrip("-").replace("-", "_").upper()
        common = [f"{PREFIX}_{name}"] if self.is_common else []
        return [*named, f"{PREFIX}_{command.upper()}_{name}", *common]

    def resolve_envvar_value(self, ctx: ClickContext) -> str | None:
        """The value of the strongest variable that is set and not empty."""
        found = (os.environ.get(variable, "") for variable in self.variables(ctx.info_name or ""))
        return next((value for value in found if value), None)

    def value_from_envvar(self, ctx: ClickContext) -> Any:
        """As click does it, but lines instead of words: values may hold blanks."""
        if not self.multiple:
            return super().value_from_envvar(ctx)
        text = self.resolve_envvar_value(ctx)
        return None if text is None else [line for line in text.splitlines() if line]

    def handle_parse_result(self, ctx: ClickContext, opts: Mapping[str, Any], args: list[str]) -> tuple[Any, list[str]]:
        """As click does it, but a bad value is put aside, so that the next one is looked at too."""
        try:
            return super().handle_parse_result(ctx, opts, args)
        except click.BadParameter as error:
            mistake(ctx, error.format_message())
            return None, args


class Command(click.Command):
    """A command that looks at all its options before it complains about any of them."""

    def parse_args(self, ctx: ClickContext, args: list[str]) -> list[str]:
        """Parse, and raise what was put aside."""
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            self.check(ctx)
            raise_mistakes(ctx)
        return rest

    def check(self, ctx: ClickContext) -> None:
        """Put aside what is wrong with options that are right each by itself; for commands to override."""


def mistake(ctx: ClickContext, message: str, hint: str = "") -> None:
    """Put a usage mistake aside, to be raised by ``raise_mistakes`` together with the others."""
    ctx.meta.setdefault(_MISTAKES, []).append((message, hint))


def raise_mistakes(ctx: ClickContext) -> None:
    """Raise one ``UsageError`` for everything that was put aside; nothing if that is nothing."""
    mistakes = ctx.meta.get(_MISTAKES, [])
    if not mistakes:
        return
    see_help = f"see “{ctx.command_path} --help”"
    if len(mistakes) == 1:
        message, hint = mistakes[0]
        raise UsageError(message, hint=hint or see_help)
    lines = [f"- {message} ({hint})" if hint else f"- {message}" for message, hint in mistakes]
    raise UsageError(f"{len(mistakes)} options are wrong.", details="\n".join(lines), hint=see_help)


def option(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    """``click.option`` with our ``Option``."""
    return click.option(*declarations, cls=Option, **attributes)


class Value(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions
    """A type of option values that one function reads; it raises our ``UsageError`` for what is none.

    ``name`` is what the help shows for the value.
    """

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: ClickContext | None) -> Any:
        """Read the text; values that are read already pass."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except UsageError as error:
            self._complain(error, param, ctx)

    def _complain(self, error: UsageError, param: click.Parameter | None, ctx: ClickContext | None) -> NoReturn:
        hint = f" ({error.hint})" if error.hint else ""
        self.fail(error.message + hint, param, ctx)
