"""Which system calls a container may make, compared with the profile that Podman's distribution ships."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from dockerception.sandbox import filters, seccomp, security
from support.tools import give_up

PEER = Path("/usr/share/containers/seccomp.json")

ONLY_THEIRS = {
    # Podman's own containers mount and unshare; Docker allows it with CAP_SYS_ADMIN only, and so do we.
    "Docker asks for CAP_SYS_ADMIN": """
        clone clone3 fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree setns syslog umount umount2
        unshare""",
    "a key is not bound to a namespace": "keyctl",
    "Docker asks for a capability": "get_mempolicy mbind pidfd_getfd reboot set_mempolicy",
    "Docker denies it": "pivot_root",
    "old calls of 32-bit programs, not in Docker's": "readdir sigaction signal sigpending sigsuspend syscall timerfd",
    "for other machines": "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
}
ONLY_OURS = {
    "newer than that list": """
        cachestat fchmodat2 futex_requeue futex_wait futex_waitv futex_wake getxattrat io_pgetevents_time64 listmount
        listxattrat map_shadow_stack mseal removexattrat setxattrat statmount""",
    "theirs denies it, Docker does not": "io_pgetevents vmsplice",
}


def allowed(profile: dict[str, object]) -> set[str]:
    """The calls that some rule allows, with whatever arguments."""
    return {
        name
        for rule in profile["syscalls"]  # type: ignore[attr-defined]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for name in rule["names"]
    }


def ours(machine: str = "x86_64", capabilities: tuple[str, ...] = security.DEFAULT_CAPABILITIES) -> dict[str, object]:
    made = seccomp.profile(machine, capabilities)
    assert made is not None
    return made


def words(groups: dict[str, str]) -> set[str]:
    return set(" ".join(groups.values()).split())


def test_differences_from_podmans_profile_have_reasons() -> None:
    if not PEER.exists():
        give_up("golang-github-containers-common is missing; scripts/setup --test installs it")
    theirs = json.loads(PEER.read_text())
    kept = [
        rule
        for rule in theirs["syscalls"]
        if set(rule["includes"].get("caps", ())) <= set(security.DEFAULT_CAPABILITIES)
        and {"amd64", "arm64"} & set(rule["includes"].get("arches", ["amd64"]))
        and not set(rule["excludes"].get("caps", ())) & set(security.DEFAULT_CAPABILITIES)
    ]
    them = allowed({"syscalls": kept})
    us = allowed(ours())
    # clone is allowed by both, here with arguments only.
    assert them - us | {"clone"} == words(ONLY_THEIRS)
    assert us - them == words(ONLY_OURS)


def test_no_call_has_two_unconditional_rules() -> None:
    for machine in ("x86_64", "aarch64", "s390x"):
        rules = ours(machine)["syscalls"]
        plain = [name for rule in rules if "args" not in rule for name in rule["names"]]  # type: ignore[attr-defined]
        assert len(plain) == len(set(plain))
        assert not set(plain) & {"socket", "personality", "clone"}


def test_capabilities_open_calls() -> None:
    assert "mount" not in allowed(ours())
    assert {"mount", "clone3", "unshare"} <= allowed(ours(capabilities=("CAP_SYS_ADMIN",)))
    assert "chroot" not in allowed(ours(capabilities=()))


def test_a_machine_that_nobody_knows_has_no_profile() -> None:
    assert seccomp.profile("vax", ()) is None
    assert filters.program(b"null", "/nowhere") == b""


def test_every_name_is_one_that_the_kernels_headers_know() -> None:
    headers = Path("/usr/include/x86_64-linux-gnu/asm")
    if os.uname().machine != "x86_64" or not headers.exists():
        pytest.skip("this machine has no headers of x86_64")
    text = "".join(path.read_text() for path in headers.glob("unistd_*.h"))
    known = set(re.findall(r"__NR_(\w+)", text)) | words(ONLY_OURS)
    # Of other architectures, or folded into another name by libseccomp.
    others = "_llseek _newselect fadvise64_64 fstatat64 ipc socketcall sync_file_range2 recv send utimensat_time64"
    assert allowed(ours()) - known - set(others.split()) == set()


def test_the_program_is_made_once(tmp_path: Path) -> None:
    made = filters.program(seccomp.DEFAULT, str(tmp_path))
    assert len(made) % 8 == 0
    assert len(made) > 4000
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"kept")
    assert filters.program(seccomp.DEFAULT, str(tmp_path)) == b"kept"
