"""``dockerception doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from ...errors import MachineError
from .. import output
from ..click_types import Command, option
from ..stores import open_store, store_option

if TYPE_CHECKING:
    from ...library.doctor import Check


@click.command("doctor", cls=Command)
@option("--json", "as_json", is_flag=True, help="Print an array of objects.")
@store_option
def command(as_json: bool, store: str) -> int:
    """Say what this machine can do, and what to install for the rest.

    Each ability is tried out.  The exit code is 7 if RUN is impossible here; what needs no RUN works even then.

    \b
    Examples:
      dockerception doctor
      dockerception doctor --json | jq '.[] | select(.works | not)'
    """
    from ...library.doctor import can_run, examine

    with open_store(store) as opened:
        checks = examine(opened)
    if as_json:
        output.text(msgspec.json.format(msgspec.json.encode(checks)).decode())
    else:
        output.text("\n".join(_line(check) for check in checks))
        output.text("\nRUN and builders work here." if can_run(checks) else "\nRUN and builders can't work here.")
    return 0 if can_run(checks) else MachineError.exit_code


def _line(check: Check) -> str:
    if check.works:
        return f"ok       {check.name}: {check.detail}" if check.detail else f"ok       {check.name}"
    lines = [f"missing  {check.name}: {check.detail}", f"         needed for {check.needed_for}"]
    if check.hint:
        lines.append(f"         hint: {check.hint}")
    return "\n".join(lines)
