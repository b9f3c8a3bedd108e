"""Which rungs are chosen, from what works; and what is called the cause where namespaces do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.errors import MachineError
from dockerception.sandbox import causes, idmap, ladders
from dockerception.sandbox.calls import Chroot, Runtime
from dockerception.sandbox.messages import Abilities, Ability, RuntimeAbility

WORKS = Ability(works=True)
CRUN = RuntimeAbility(name="crun", path="/a/crun", works=True)
RUNC = RuntimeAbility(name="runc", path="/a/runc", works=True)
OLD_CRUN = RuntimeAbility(name="crun", path="/a/crun", works=False, reason="too old")


def no(reason: str, remedy: str = "") -> Ability:
    return Ability(works=False, reason=reason, remedy=remedy)


def abilities(
    *runtimes: RuntimeAbility, helper: Ability = WORKS, overlay: Ability = WORKS, chroot: Ability = WORKS
) -> Abilities:
    return Abilities(
        key="",
        helper=helper,
        overlay=overlay,
        chroot=chroot,
        subordinate_ids=WORKS,
        runtimes=runtimes,
        cgroups="v2",
    )


def test_the_highest_rungs_that_work() -> None:
    assert ladders.choose("auto", abilities(RUNC, CRUN)) == ladders.Rungs("overlay", Runtime("crun", "/a/crun"))
    assert ladders.choose("auto", abilities(OLD_CRUN, RUNC)).isolation == Runtime("runc", "/a/runc")


def test_copies_under_a_container() -> None:
    rungs = ladders.choose("auto", abilities(CRUN, overlay=no("the store lies on NFS.\nmore")))
    assert (rungs.stacking, rungs.isolation) == ("copied", Runtime("crun", "/a/crun"))
    assert "the store lies on NFS" in rungs.warning
    assert "\n" not in rungs.warning


def test_auto_steps_down_to_a_chroot_and_says_so_in_one_line() -> None:
    rungs = ladders.choose("auto", abilities(OLD_CRUN, helper=no("no CAP_SYS_ADMIN")))
    assert (rungs.stacking, rungs.isolation) == ("copied", Chroot())
    assert "no security boundary" in rungs.warning
    assert "no CAP_SYS_ADMIN" in rungs.warning
    assert "\n" not in rungs.warning


def test_pinned_chroot_warns_of_nothing_and_takes_an_overlay_where_there_is_one() -> None:
    assert ladders.choose("chroot", abilities(CRUN)) == ladders.Rungs("overlay", Chroot())


def test_pinned_oci_never_steps_down() -> None:
    with pytest.raises(MachineError) as caught:
        ladders.choose("oci", abilities(OLD_CRUN))
    assert caught.value.details == "crun: too old"
    assert caught.value.exit_code == 7


def test_nothing_works() -> None:
    with pytest.raises(MachineError) as caught:
        ladders.choose("auto", abilities(OLD_CRUN, helper=no("refused", "ask root"), chroot=no("no root")))
    assert caught.value.details == "namespaces: refused\nchroot: no root\ncrun: too old"
    assert caught.value.hint == "ask root"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = str(tmp_path / "my-crun")
    with pytest.raises(MachineError, match="my-crun is no program that can be executed"):
        ladders.named(path)
    (tmp_path / "my-crun").touch(0o755)
    assert ladders.named(path) == Runtime("crun", path)


@pytest.mark.parametrize(
    ("known", "words", "remedy"),
    [
        (
            {"is_root": True, "capabilities": 0xA80425FB, "is_filtered": True},
            "without CAP_SYS_ADMIN",
            "seccomp=unconfined",
        ),
        ({"is_root": True, "capabilities": (1 << 40) - 1}, "/proc are masked", "systempaths=unconfined"),
        ({"settings": {"user.max_user_namespaces": "0"}}, "user.max_user_namespaces is 0", "sysctl -w"),
        ({"settings": {"kernel.unprivileged_userns_clone": "0"}}, "unprivileged_userns_clone is 0", "sysctl -w"),
        ({"settings": {"kernel.apparmor_restrict_unprivileged_userns": "1"}}, "AppArmor", "sysctl -w"),
        ({"is_filtered": True}, "seccomp", "seccomp=unconfined"),
        ({}, "refuses", "run as root"),
        ({"is_root": True, "capabilities": 0, "is_filtered": True}, "taken capabilities away", "SYS_CHROOT"),
    ],
)
def test_causes(known: dict[str, object], words: str, remedy: str) -> None:
    defaults: dict[str, object] = {"is_root": False, "capabilities": 0, "is_filtered": False, "settings": {}}
    cause = causes.of_no_namespaces(causes.Facts(**{**defaults, **known}))  # type: ignore[arg-type]
    assert words in cause.reason
    assert remedy in cause.remedy


def test_what_unshare_said_may_be_the_cause() -> None:
    known = causes.Facts(is_root=False, capabilities=0, is_filtered=True, settings={})
    assert "/proc are masked" in causes.of_no_namespaces(known, "unshare: mount /proc failed").reason


@pytest.mark.parametrize(
    ("release", "kind", "file_systems", "words"),
    [
        ("5.10.0-8-amd64", "ext4", "nodev\toverlay\n", "older than 5.11"),
        ("6.1.0", "ext4", "\text4\n", "no overlay file system loaded"),
        ("6.1.0", "nfs4", "nodev\toverlay\n", "the store lies on nfs4"),
        ("6.1.0", "overlay", "nodev\toverlay\n", "the store lies on overlay"),
        ("6.1.0", "ext4", "nodev\toverlay\n", "no such luck"),
    ],
)
def test_causes_of_no_overlay(release: str, kind: str, file_systems: str, words: str) -> None:
    cause = causes.of_no_overlay("no such luck", release=release, kind=kind, file_systems=file_systems)
    assert words in cause.reason
    assert cause.remedy


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("         0          0 4294967295\n", "0 0 4294967294"),
        ("         0       1000          1\n         1     100000      65536\n", "0 0 1\n1 1 65536"),
    ],
)
def test_root_of_a_container_gives_its_namespace_all_its_ids(table: str, expected: str) -> None:
    assert idmap.identity(table) == expected


def test_a_runtime_that_filters_system_calls_goes_first_and_one_that_does_not_is_warned_of() -> None:
    blind = RuntimeAbility(name="crun", path="/a/crun", works=True, seccomp=False)
    assert ladders.choose("auto", abilities(blind, RUNC)) == ladders.Rungs("overlay", Runtime("runc", "/a/runc"))
    rungs = ladders.choose("auto", abilities(blind))
    assert rungs.isolation == Runtime("crun", "/a/crun", has_seccomp=False)
    assert "built without seccomp" in rungs.warning
