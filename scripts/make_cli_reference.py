#!/usr/bin/env python3
"""Writes docs/reference/cli.md from the commands themselves; with --check it says whether that is up to date."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import click

from dockerception.cli.click_types import Option
from dockerception.cli.group import COMMANDS, PROGRAM, make_group

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
HEAD = """# The command line

This page is generated from the code (`make docs`); `dockerception COMMAND --help` shows the same.

Names and meanings are those of `docker buildx build`, `docker run` and `docker images` wherever one exists there.
stdout is for data; progress, notes and errors go to stderr.  What the exit codes mean: [exit-codes.md](exit-codes.md).

**Variables.**  Every option can also be set in the environment, as `DOCKERCEPTION_<COMMAND>_<OPTION>`.  Options that
mean the same in every command that has them are also known as `DOCKERCEPTION_<OPTION>`, which is the weaker of the two.
What is written on the command line wins.  A flag is set by `1` or `true`; a repeatable option takes one value a line.
An empty variable counts as none.
"""


def main() -> int:
    """Write or check; returns the exit code."""
    text = reference()
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            print(f"{TARGET} is not up to date; run: make docs", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    return 0


def reference() -> str:
    """The whole page."""
    group = make_group()
    sections = [HEAD]
    with click.Context(group, info_name=PROGRAM) as ctx:
        for name in COMMANDS:
            command = group.get_command(ctx, name)
            if command is not None:
                with click.Context(command, info_name=name, parent=ctx) as inner:
                    sections.append(section(command, inner))
    return "\n".join(sections)


def section(command: click.Command, ctx: click.Context) -> str:
    """A command's part of the page."""
    usage = " ".join(command.collect_usage_pieces(ctx))
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    lines = [f"## {command.name}", "", f"    {ctx.command_path} {usage}", "", _escaped(text.strip()), ""]
    if command.epilog:
        lines += [_escaped(command.epilog), ""]
    if examples:
        lines += [*(f"    {line.strip()}" for line in examples.splitlines()[1:] if line.strip()), ""]
    options = [parameter for parameter in command.params if isinstance(parameter, Option)]
    if options:
        lines += ["| option | meaning | variables |", "| --- | --- | --- |"]
        lines += [_row(option, command.name or "", ctx) for option in options]
        lines.append("")
    return "\n".join(lines)


def _row(option: Option, command: str, ctx: click.Context) -> str:
    record = option.get_help_record(ctx)
    name, meaning = record if record is not None else ("", "")
    variables = ", ".join(f"`{variable}`" for variable in option.variables(command))
    cells = (f"`{name}`", _escaped(meaning), variables)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.exit(main())
