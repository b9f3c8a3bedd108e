"""The entry point: runs a command, and turns whatever ends it into an exit code (docs/reference/exit-codes.md)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from ..errors import DockerceptionError, StoreError, UsageError
from . import failures, output
from .group import COMPLETE_VARIABLE, PROGRAM, make_group
from .signals import Ended, SignalHandler

_CLOSED_STDOUT: Final = 141  # 128 and SIGPIPE, as a shell reports a program that is ended by it


def main() -> NoReturn:
    """Run the command line and exit."""
    _open_standard_descriptors()
    handler = SignalHandler()
    try:
        handler.install()
        code = run(sys.argv[1:])
    except Ended as ended:
        code = ended.exit_code
    handler.ignore()
    output.settle()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code.  Whatever went wrong has been printed."""
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        return _fail(_usage(error))
    except DockerceptionError as error:
        return _closed() if output.is_closed() else _fail(error)
    except output.OutputFailed as error:
        return _closed() if error.is_closed else _failed_stdout(error.reason)
    except Ended as ended:
        output.drop()
        output.words(f"{PROGRAM}: {ended}")
        return ended.exit_code
    except Exception as error:  # noqa: BLE001  whatever it is, it is ours, and a person shall not see a traceback
        return _unexpected(error)
    return code


def _invoke(arguments: list[str]) -> int:
    group = make_group()
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    with group.make_context(PROGRAM, arguments) as ctx:
        code = group.invoke(ctx)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and output.is_closed():
        return _closed()
    failures.show_bug(error)
    return failures.BUG_EXIT_CODE


def _usage(error: click.ClickException) -> UsageError:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else PROGRAM
    return UsageError(error.format_message(), hint=f"see “{path} --help”")


def _fail(error: DockerceptionError) -> int:
    if error.exit_code == failures.BUG_EXIT_CODE:
        failures.show_bug(error)
    else:
        failures.show(error)
    return error.exit_code


def _closed() -> int:
    output.drop()
    return _CLOSED_STDOUT


def _failed_stdout(reason: str) -> int:
    output.drop()
    return _fail(StoreError(f"The output can't be written to stdout: {reason}.", hint="free some space there"))


def _open_standard_descriptors() -> None:
    """Without this, a file of the store could become descriptor 1 where a caller has closed it, and be printed into."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
