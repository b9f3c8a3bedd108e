"""What is wrong with a RUN, or asks for more than was allowed, though the parser has nothing against it."""

from __future__ import annotations

from ...dockerfile import instructions as ins
from ...errors import DockerfileError
from ..base import Settings
from ..privileges import INSECURE
from . import mount_names


def check_run(instruction: ins.Run, working_dir: str, settings: Settings) -> None:
    """Raise ``DockerfileError`` for an expanded RUN that can't be executed as it is written."""
    for mount in instruction.mounts:
        if mount.type == "cache" and mount.source and not mount.from_:
            raise DockerfileError(
                "RUN --mount=type=cache has a source but no from, so there is nothing that it could be a part of.",
                hint="leave source= out, or name the stage or image that the cache begins with: from=NAME",
            )
        if mount_names.target(instruction, mount, working_dir) == "/":
            raise DockerfileError(
                "RUN --mount can't have / as its target, which is what a relative one is without WORKDIR.",
                hint="write an absolute target, such as target=/src, or a WORKDIR before it",
            )
    if instruction.security == "insecure" and INSECURE not in settings.allow:
        raise DockerfileError(
            "RUN --security=insecure would have all privileges on this machine, and nobody has allowed it.",
            hint=f"if you trust this Dockerfile: --allow {INSECURE}",
        )
    for device in instruction.devices:
        ins.read_device(device)
