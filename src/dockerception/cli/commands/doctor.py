"""``dockerception doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from ...errors import MachineError, UsageError
from .. import output
from ..click_types import Command, option
from ..stores import open_store

if TYPE_CHECKING:
    from ...library.doctor import Check


@click.command("doctor", cls=Command)
@option("--json", "as_json", is_flag=True, help="Print JSON: an array of abilities, or an object about the store.")
@option(
    "--store",
    is_flag=False,
    flag_value="",
    metavar="[DIRECTORY]",
    help="Look at the store instead, the usual one or that of a directory: every row, every byte.",
)
@option("--repair", is_flag=True, help="With --store: forget what is damaged, and what needs it.")
def command(as_json: bool, store: str | None, repair: bool) -> int:
    """Say what this machine can do, and what to install for the rest.

    Each ability is tried out.  The exit code is 7 if RUN is impossible here; what needs no RUN works even then.

    With --store, say whether the store is whole: that its records have their bytes, that these have the digests they
    are known by, and that what needs something else finds it.  Builds may go on meanwhile.  The exit code is 6 if
    something is damaged.  --repair makes it whole: what was lost is built, pulled or loaded again when it is wanted.

    \b
    Examples:
      dockerception doctor
      dockerception doctor --json | jq '.[] | select(.works | not)'
      dockerception doctor --store
    """
    if store is not None:
        from ..store_report import look_at

        return look_at(store, as_json=as_json, repair=repair)
    if repair:
        raise UsageError("--repair is for the store.", hint="write --store --repair")
    from ...library.doctor import can_run, examine

    with open_store("") as opened:
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
