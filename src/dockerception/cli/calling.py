"""``--check`` and ``--call``: what a Dockerfile is like, without a build.  The answer is data, and goes to stdout."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..dockerfile import outline
from ..dockerfile.check import RULES
from ..errors import CheckError
from ..progress import silent
from ..request import BuildRequest
from ..store.store import Store
from . import formats, output
from .call_options import Call

if TYPE_CHECKING:
    from ..chain.checking import Checked
    from ..dockerfile.instructions import Lines
    from ..dockerfile.stages import Dockerfile


def answer(call: Call, request: BuildRequest) -> int:
    """Print what was asked for; returns the exit code, that of an error where a check has found something."""
    from ..chain.sources import Sources

    with Store(request.store or None) as store:
        if call.method == "check":
            from ..chain.checking import check_request

            checked = check_request(request, store, silent)
            _print(call, checked.dockerfile, lambda: _check_document(checked), lambda: _check_text(checked))
            return CheckError.exit_code if checked.findings else 0
        dockerfile = Sources(request, store, silent).first().dockerfile
    if call.method == "targets":
        targets = outline.targets_of(dockerfile)
        _print(call, dockerfile, lambda: _targets_document(targets), lambda: _targets_text(targets))
    else:
        found = outline.outline_of(dockerfile, request.target, request.build_args)
        _print(call, dockerfile, lambda: _outline_document(found), lambda: _outline_text(found))
    return 0


def _print(
    call: Call, dockerfile: Dockerfile, document: Callable[[], dict[str, object]], text: Callable[[], str]
) -> None:
    if not call.is_json:
        output.text(text())
        return
    lines = "\n".join([*dockerfile.document.lines, ""]).encode("utf-8", "surrogateescape")
    source = {
        "filename": dockerfile.document.name,
        "language": "Dockerfile",
        "data": base64.b64encode(lines).decode("ascii"),
    }
    output.text(msgspec.json.format(msgspec.json.encode({**document(), "sources": [source]})).decode())


def _check_text(checked: Checked) -> str:
    count = len(checked.findings)
    head = {0: "Check complete: no warnings.", 1: "Check complete: 1 warning."}.get(
        count, f"Check complete: {count} warnings."
    )
    blocks = [
        f"{'ERROR' if checked.is_error else 'WARNING'}: {each.rule}: {RULES[each.rule].description}\n"
        f"{each.text}\n{checked.excerpt(each)}"
        for each in checked.findings
    ]
    return "\n\n".join([head, *blocks])


def _check_document(checked: Checked) -> dict[str, object]:
    return {
        "warnings": [
            {
                "ruleName": each.rule,
                "description": RULES[each.rule].description,
                "detail": each.text,
                "location": _location(each.location),
            }
            for each in checked.findings
        ],
        "isError": checked.is_error,
    }


def _targets_text(targets: tuple[outline.Target, ...]) -> str:
    rows = [[f"{each.name}{' (default)' if each.is_default else ''}", each.description] for each in targets]
    return formats.table(["TARGET", "DESCRIPTION"], rows)


def _targets_document(targets: tuple[outline.Target, ...]) -> dict[str, object]:
    return {
        "targets": [
            {
                "name": each.name,
                "default": each.is_default,
                "description": each.description,
                "base": each.base,
                "platform": each.platform,
                "location": _location(each.location),
            }
            for each in targets
        ]
    }


def _outline_text(found: outline.Outline) -> str:
    head = [f"TARGET: {found.name}"] + ([f"DESCRIPTION: {found.description}"] if found.description else [])
    tables = [
        (["BUILD ARG", "VALUE", "DESCRIPTION"], [[each.name, each.value, each.description] for each in found.arguments])
    ]
    for name, needs in (("SECRET", found.secrets), ("SSH", found.ssh)):
        tables.append(([name, "REQUIRED"], [[each.name, "true" if each.is_required else ""] for each in needs]))
    tables.append((["CACHE"], [[each.name] for each in found.caches]))
    return "\n\n".join(["\n".join(head), *(formats.table(names, rows) for names, rows in tables if rows)])


def _outline_document(found: outline.Outline) -> dict[str, object]:
    document: dict[str, object] = {
        "name": found.name,
        "description": found.description,
        "args": [
            {
                "name": each.name,
                "description": each.description,
                "value": each.value,
                "location": _location(each.location),
            }
            for each in found.arguments
        ],
    }
    for key, needs in (("secrets", found.secrets), ("ssh", found.ssh)):
        document[key] = [
            {"name": each.name, "required": each.is_required, "location": _location(each.location)} for each in needs
        ]
    document["cache"] = [{"ID": each.name, "location": _location(each.location)} for each in found.caches]
    return document


def _location(lines: Lines) -> dict[str, object]:
    """As BuildKit's JSON has it; ``sourceIndex`` counts the ``sources``."""
    return {"sourceIndex": 0, "ranges": [{"start": {"line": lines.start}, "end": {"line": lines.end}}]}
