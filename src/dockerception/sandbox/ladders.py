"""Which rungs of the two ladders a sandbox stands on: the highest that work, or the one that was asked for.

Decided once for a sandbox, before its first run, and kept: a step never falls from a container into a chroot.
"""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec

from .. import process
from ..errors import MachineError
from ..limits import Limits
from .calls import Chroot, Runtime, RuntimeName, Stacking
from .messages import Abilities

Isolation = Literal["auto", "oci", "chroot"]
ISOLATIONS: Final[tuple[Isolation, ...]] = ("auto", "oci", "chroot")
RUNTIMES: Final[tuple[RuntimeName, ...]] = ("crun", "runc")


class Rungs(msgspec.Struct, frozen=True):
    """How layers are stacked and a process is isolated.  ``warning`` is a sentence where ``auto`` has stepped down."""

    stacking: Stacking
    isolation: Runtime | Chroot
    warning: str = ""


def choose(isolation: Isolation, abilities: Abilities) -> Rungs:
    """The rungs for ``isolation``.  Raises ``MachineError`` that says why each of them does not work."""
    stacking: Stacking = "overlay" if abilities.helper.works and abilities.overlay.works else "copied"
    if isolation == "chroot":
        if not abilities.chroot.works:
            raise _cannot("chroot", abilities)
        return Rungs(stacking, Chroot())
    runtime = _best_runtime(abilities)
    if runtime is not None:
        warnings = [_no_overlay(abilities)] if stacking == "copied" else []
        if not runtime.has_seccomp:
            warnings.append(f"System calls of steps are not filtered, because {runtime.path} is built without seccomp")
        return Rungs(stacking, runtime, "; ".join(warnings))
    if isolation == "oci" or not abilities.chroot.works:
        raise _cannot(isolation, abilities)
    return Rungs(stacking, Chroot(), _no_container(abilities))


def check_limits(limits: Limits, abilities: Abilities) -> None:
    """Raise ``MachineError`` for the first limit that can't be set here."""
    for name in limits.grouped:
        ability = abilities.limits.get(name)
        if ability is not None and not ability.works:
            raise MachineError(ability.reason, hint=ability.remedy)


def named(runtime: str) -> Runtime:
    """A runtime by its name or path: the user's word, so nothing is tried out.  Raises ``MachineError``."""
    path = _program(runtime) if "/" in runtime else process.require(runtime, runtime, "to run steps")
    name: RuntimeName = "crun" if "crun" in os.path.basename(path) else "runc"
    return Runtime(name, os.path.abspath(path))


def _best_runtime(abilities: Abilities) -> Runtime | None:
    working = {each.name: each for each in abilities.runtimes if each.works}
    names = sorted((name for name in RUNTIMES if name in working), key=lambda name: not working[name].seccomp)
    return next((Runtime(name, working[name].path, working[name].seccomp) for name in names), None)


def _program(path: str) -> str:
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise MachineError(
            f"The runtime {path} is no program that can be executed.",
            hint="give crun, runc, or the path of another OCI runtime",
        )
    return path


def _no_overlay(abilities: Abilities) -> str:
    return (
        "Steps run over copies of the image's files, which takes time and room, because no overlay can be mounted here:"
        f" {_first_line(abilities.overlay.reason)}"
    )


def _no_container(abilities: Abilities) -> str:
    why = abilities.helper.reason or "; ".join(f"{each.name}: {each.reason}" for each in abilities.runtimes)
    return (
        "Steps run in a chroot, which is no security boundary, because no container can be started here:"
        f" {_first_line(why)}; --isolation=chroot says that this is meant"
    )


def _cannot(isolation: Isolation, abilities: Abilities) -> MachineError:
    problems = [("namespaces", abilities.helper), ("overlay", abilities.overlay)]
    if isolation != "oci":
        problems.append(("chroot", abilities.chroot))
    lines = [f"{name}: {_first_line(ability.reason)}" for name, ability in problems if not ability.works]
    lines += [f"{each.name}: {_first_line(each.reason)}" for each in abilities.runtimes if not each.works]
    what = "No OCI runtime works" if isolation == "oci" else "Neither an OCI runtime nor a chroot works"
    return MachineError(
        f"{what} on this machine, so steps (RUN) can't be run.",
        details="\n".join(lines),
        hint=abilities.helper.remedy or "install a runtime, e.g. apt-get install crun; dockerception doctor tells more",
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip(".")
