"""What a step is made of, as it is kept to explain a later miss; see ``engines.explaining``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...context.base import Context
from ...dockerfile import instructions as ins
from ...store.traces import Traces
from ..base import Level
from ..explaining import Below, Facts, FileFact, Miss, digest, sorted_out, told
from .file_facts import file_facts, shortened
from .keys import Parts
from .matching import Source, excluding
from .reading import Bound
from .scope import environment_of
from .values import Evaluated, Step

_TOLD_OTHERWISE: Final = frozenset(("below", "environment", "is a directory"))
_NAMES: Final = {"owner": "--chown", "mode": "--chmod", "excluded": "--exclude"}


def step_miss(
    traces: Traces,
    level: Level,
    stage: Evaluated,
    position: int,
    *,
    key: str,
    parts: Parts,
    sources: Sequence[Source],
    bound: Sequence[Bound | None],
) -> Miss:
    """The miss of a step with this key, which is made of these parts."""
    steps = [step for step in stage.steps if step.makes_layer]
    facts = step_facts(stage, position, parts, sources, bound)
    return Miss(
        traces,
        site=(level.place, str(level.index), str(level.settings.platform), stage.label),
        slot=_slot(stage, position),
        key=key,
        facts=facts,
        others=[told(step.text) for step in steps if told(step.text) != facts.text],
    )


def step_facts(
    stage: Evaluated, position: int, parts: Parts, sources: Sequence[Source], bound: Sequence[Bound | None]
) -> Facts:
    """The facts of a step whose key has these parts."""
    step = stage.steps[position]
    environment, arguments = _variables(step) if isinstance(step.instruction, ins.Run) else ({}, {})
    options, digests = sorted_out((_NAMES.get(name, name), each) for name, each in parts if name not in _TOLD_OTHERWISE)
    return Facts(
        text=told(step.text),
        below=_below(stage, position, dict(parts)["below"]),
        environment=environment,
        arguments=arguments,
        files=_files(step, sources, bound),
        options=options,
        digests=digests,
    )


def _slot(stage: Evaluated, position: int) -> str:
    """The kind of an instruction, and the how many-th it is of its kind in its stage."""
    kinds = [type(step.instruction).__name__ for step in stage.steps[: position + 1]]
    return f"{kinds[-1]} {kinds.count(kinds[-1])}"


def _variables(step: Step) -> tuple[dict[str, str], dict[str, bytes]]:
    """ENV, which everybody may read, and build arguments, of which only digests are kept."""
    environment = environment_of(step.config.env)
    arguments = {name: digest(value) for name, value in step.environment if name not in environment}
    seen = {name: told(value) for name, value in step.environment if name in environment}
    overridden = {name: digest(value) for name, value in step.environment if environment.get(name, value) != value}
    return {name: value for name, value in seen.items() if name not in overridden}, arguments | overridden


def _below(stage: Evaluated, position: int, key: object) -> Below:
    before = [step for step in stage.steps[:position] if step.makes_layer]
    if before:
        return Below(f"what the step before it gives, “{told(before[-1].text)}”,", str(key))
    base = stage.base
    if base.stage is not None:
        return Below(f"the stage {told(base.stage.label)}", str(key))
    return Below(f"the base image {base.name}" if base.image is not None else "scratch", base.identity)


def _files(step: Step, sources: Sequence[Source], bound: Sequence[Bound | None]) -> dict[str, FileFact]:
    instruction = step.instruction
    found: dict[str, FileFact] = {}
    if isinstance(instruction, ins.Copy | ins.Add):
        rules = excluding(instruction)
        for source in sources:
            found |= file_facts(source.context, source.followed, shown=source.path, exclude=rules)
        is_elsewhere = isinstance(instruction, ins.Copy) and bool(instruction.from_)
        found = _of(sources[0].context if sources and is_elsewhere else None, shortened(found))
        for file in instruction.files:
            found[f"the here-document {told(file.name)}"] = FileFact(0, digest(file.content))
    elif isinstance(instruction, ins.Run):
        for mount, shown in zip(instruction.mounts, bound, strict=True):
            if shown is not None:
                context = shown.files.context
                files = shortened(file_facts(context, shown.path, shown=shown.path))
                found |= _of(context if mount.from_ else None, files)
    return found


def _of(context: Context | None, files: dict[str, FileFact]) -> dict[str, FileFact]:
    """The files under names that say which context they are of, if it is not the build's."""
    return files if context is None else {f"{path} in {told(context.origin)}": file for path, file in files.items()}
