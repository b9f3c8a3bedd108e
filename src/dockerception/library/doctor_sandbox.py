"""What ``doctor`` says of running steps: the two ladders, which rungs are stood on, and why not on higher ones."""

from __future__ import annotations

import os

from ..errors import MachineError
from ..sandbox import causes, emulation, ladders
from ..sandbox.calls import Runtime
from ..sandbox.messages import Abilities, RuntimeAbility
from .findings import Check, of_ability


def checks(abilities: Abilities) -> list[Check]:
    """The findings, from what was found out by trying."""
    return [
        _isolation(abilities),
        of_ability("namespaces", abilities.helper, "containers; without them steps run in a chroot"),
        of_ability("overlay", abilities.overlay, "quick steps; without it the image's files are copied for each"),
        *(_runtime(each) for each in abilities.runtimes),
        of_ability("chroot", abilities.chroot, "steps where no container can be started"),
        of_ability("owners", abilities.subordinate_ids, "images with files of several owners"),
        _kernel(os.uname().release),
        _limits(abilities),
        _emulation(),
        Check(
            name="network",
            works=True,
            needed_for="RUN, and builders",
            detail="steps use the host's network; --network=none gives them none",
        ),
    ]


def _isolation(abilities: Abilities) -> Check:
    """The rungs that a build would stand on."""
    needed_for = "RUN, and builders"
    try:
        rungs = ladders.choose("auto", abilities)
    except MachineError as error:
        return Check(
            name="isolation",
            works=False,
            needed_for=needed_for,
            detail=error.message,
            hint=error.hint,
            is_required=True,
        )
    if isinstance(rungs.isolation, Runtime):
        how = f"containers of {rungs.isolation.name}"
    else:
        how = "a chroot, which is no security boundary,"
    over = "an overlay" if rungs.stacking == "overlay" else "copied files"
    return Check(
        name="isolation", works=True, needed_for=needed_for, detail=f"steps run in {how} over {over}", is_required=True
    )


def _runtime(ability: RuntimeAbility) -> Check:
    return Check(
        name=ability.name,
        works=ability.works,
        needed_for="containers, where no other runtime works",
        detail=_found(ability) if ability.works else ability.reason,
        hint=ability.remedy,
    )


def _found(ability: RuntimeAbility) -> str:
    """Where a runtime that works is."""
    return ability.path if ability.seccomp else f"{ability.path}, which filters no system calls (seccomp)"


def _limits(abilities: Abilities) -> Check:
    """Whether steps can be limited, and if not, why."""
    needed_for = "limits of steps (--memory, --cpus, --pids-limit)"
    mode = {"none": "none are mounted"}.get(abilities.cgroups, abilities.cgroups)
    missing = next((each for each in abilities.limits.values() if not each.works), None)
    if missing is None:
        return Check(name="cgroups", works=True, needed_for=needed_for, detail=mode)
    return Check(
        name="cgroups",
        works=False,
        needed_for=needed_for,
        detail=f"{mode}: {missing.reason}",
        hint=missing.remedy,
    )


def _emulation() -> Check:
    """Whose programs the kernel hands to an emulator."""
    found = emulation.emulated()
    return Check(
        name="emulation",
        works=bool(found),
        needed_for="steps of other platforms (--platform)",
        detail=", ".join(found) if found else "no emulator is registered (binfmt_misc)",
        hint="" if found else emulation.INSTALL,
    )


def _kernel(release: str) -> Check:
    is_new = causes.kernel_version(release) >= causes.OVERLAY_KERNEL
    return Check(
        name="kernel",
        works=is_new,
        needed_for="overlays",
        detail=f"Linux {release}" + ("" if is_new else " is older than 5.11"),
        hint="" if is_new else "install a newer kernel; until then files are copied for each step",
    )
