"""``doctor --store``: whether a store is whole, in words or as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import StoreError
from ..store.verify import Flaw, Verdict
from . import formats, output
from .stores import open_store

_HINT = "hint: “dockerception doctor --store --repair” forgets what is damaged, to be made or fetched again"
_RUBBISH = "“dockerception prune” removes the rubbish."


def look_at(root: str, *, as_json: bool, repair: bool) -> int:
    """Verify the store at ``root`` (the usual one where that is empty), repair it if wanted, and print what was found.

    Returns the exit code: that of ``StoreError`` if something is damaged and stays so.
    """
    with open_store(root) as store:
        verdict = store.verify()
        forgotten = store.repair(verdict) if repair and not verdict.is_whole else ()
        where = store.root
    if as_json:
        output.text(msgspec.json.format(msgspec.json.encode(_document(verdict, forgotten))).decode())
    else:
        output.text("\n".join([*map(_line, verdict.flaws), *_summary(where, verdict, forgotten)]))
    return 0 if verdict.is_whole or repair else StoreError.exit_code


def _document(verdict: Verdict, forgotten: Sequence[str]) -> dict[str, object]:
    return {
        "whole": verdict.is_whole,
        "things": verdict.things,
        "bytes": verdict.bytes_read,
        "flaws": verdict.flaws,
        "forgotten": forgotten,
    }


def _line(flaw: Flaw) -> str:
    return f"{flaw.kind:8} {flaw.thing or 'store.db'}: {flaw.text}"


def _summary(where: str, verdict: Verdict, forgotten: Sequence[str]) -> list[str]:
    seen = f"{verdict.things} things, {formats.size(verdict.bytes_read)} read"
    rubbish = [_RUBBISH] if any(flaw.kind == "rubbish" for flaw in verdict.flaws) else []
    if verdict.is_whole:
        return [f"The store {where} is whole: {seen}.", *rubbish]
    if not forgotten:
        return [f"The store {where} is damaged: {seen}.", _HINT, *rubbish]
    names = [thing.removeprefix("name:").partition(" ")[0] for thing in forgotten if thing.startswith("name:")]
    lost = [f"Images that are lost: {', '.join(names)}."] if names else []
    return [f"The store {where} is whole again: {len(forgotten)} things were forgotten.", *lost, *rubbish]
