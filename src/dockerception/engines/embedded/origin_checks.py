"""What is wrong with the names that COPY and RUN --mount read from, though each could be that of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, Stage
from ...errors import DockerfileError


def check_origins(
    instruction: ins.Instruction, stage: Stage, dockerfile: Dockerfile, find: Callable[[str, int], Stage | None]
) -> None:
    """Raise ``DockerfileError`` where an instruction of ``stage`` reads from the stage itself or a later one.

    ``find`` gives the stage before a number that a name means.  As in BuildKit, the number behind COPY --from is that
    of a stage in any case; in a mount it may be the name of an image.
    """
    for option, name in _origins(instruction):
        if find(name, stage.index) is not None:
            continue
        named = find(name, len(dockerfile.stages))
        if named is not None:
            raise _too_early(option, named, stage)
        if isinstance(instruction, ins.Copy) and name.isdigit():
            raise DockerfileError(
                f"{option} is no stage: there is none of that number.",
                hint="stages are counted from 0; or name one, FROM … AS name, and use its name",
            )


def _origins(instruction: ins.Instruction) -> Iterator[tuple[str, str]]:
    """Each name that is read from, behind the option as it is written."""
    if isinstance(instruction, ins.Copy) and instruction.from_:
        yield f"COPY --from={instruction.from_}", instruction.from_
    elif isinstance(instruction, ins.Run):
        for mount in instruction.mounts:
            if mount.from_ and mount.type in ("bind", "cache"):
                yield f"RUN --mount from={mount.from_}", mount.from_


def _too_early(option: str, named: Stage, stage: Stage) -> DockerfileError:
    if named.index == stage.index:
        return DockerfileError(f"{option} is the stage that it stands in.", hint="a stage reads from earlier ones")
    return DockerfileError(
        f"{option} is a stage that begins later, in line {named.base.location.start}.",
        hint="put that stage in front of this one",
    )
