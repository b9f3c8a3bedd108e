"""Whose programs this machine runs, from headers of programs and from handlers of binfmt_misc."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dockerception.reference import Platform
from dockerception.sandbox import emulation
from dockerception.sandbox.messages import RunResult

OWN = Platform.host().architecture
ARM64 = bytes.fromhex("7f454c4602010100000000000000000002 00b700".replace(" ", ""))
S390X = bytes.fromhex("7f454c46020201000000000000000000 00030016".replace(" ", ""))  # position-independent
# All but the ABI, and of the type (2: executable, 3: position-independent) the last bit.
MASKS = {
    "arm64": "ffffffffffffff00fffffffffffffffffeffffff",
    "s390x": "ffffffffffffff00fffffffffffffffffffeffff",
}
FOREIGN = "s390x" if OWN != "s390x" else "arm64"
HEADS = {"arm64": ARM64, "s390x": S390X}


def handler(folder: Path, name: str, *lines: str, head: str = "") -> None:
    text = head or "enabled\ninterpreter /usr/bin/qemu\nflags: OCF\noffset 0\n"
    (folder / name).write_text(text + "\n".join(lines) + "\n")


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    """A folder as the kernel shows one, without a handler."""
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (ARM64 + bytes(44), "arm64"),
        (S390X, "s390x"),
        (S390X[:19], ""),
        (b"#!/bin/sh\n" + bytes(20), ""),
        (b"\x7fELF" + bytes(60), ""),
        (ARM64[:18] + b"\xff\xff", ""),
        (b"", ""),
    ],
)
def test_the_machine_of_a_program(head: bytes, expected: str) -> None:
    assert emulation.foreign(head) == ("" if expected == OWN else expected)


def test_this_machine_s_programs_need_nobody(handlers: Path) -> None:
    assert emulation.is_native(OWN)
    assert emulation.is_native("unheard-of")
    assert emulation.lack(OWN, os.fspath(handlers)) is None
    with open("/proc/self/exe", "rb") as own:
        assert emulation.foreign(own.read(64)) == ""


def test_nothing_is_registered(handlers: Path) -> None:
    for folder in (handlers, handlers / "absent"):
        cause = emulation.lack(FOREIGN, os.fspath(folder))
        assert cause is not None
        assert f"no emulator for {FOREIGN}" in cause.reason
        assert "qemu-user-static" in cause.remedy
        assert emulation.emulated(os.fspath(folder)) == ()


def test_a_handler_with_the_flag_f_will_do(handlers: Path) -> None:
    magic = HEADS[FOREIGN].hex()
    handler(handlers, "jar", "magic 504b0304")
    handler(handlers, "by-name", head="enabled\ninterpreter /x\nflags: \nextension .exe\n")
    handler(handlers, "broken", "magic zz")
    assert emulation.lack(FOREIGN, os.fspath(handlers)) is not None
    handler(handlers, "qemu", f"magic {magic}", f"mask {MASKS[FOREIGN]}")
    assert emulation.lack(FOREIGN, os.fspath(handlers)) is None
    assert emulation.emulated(os.fspath(handlers)) == (FOREIGN,)


@pytest.mark.parametrize(
    ("head", "reason", "remedy"),
    [
        ("disabled\ninterpreter /q\nflags: F\noffset 0\n", "qemu in .* is disabled", "update-binfmts --enable qemu"),
        ("enabled\ninterpreter /q\nflags: OC\noffset 0\n", "lacks the flag F", "register it with the flag F"),
    ],
)
def test_a_handler_that_will_not_do(handlers: Path, head: str, reason: str, remedy: str) -> None:
    handler(handlers, "qemu", f"magic {HEADS[FOREIGN].hex()}", f"mask {MASKS[FOREIGN]}", head=head)
    cause = emulation.lack(FOREIGN, os.fspath(handlers))
    assert cause is not None
    assert re.search(reason, cause.reason)
    assert remedy in cause.remedy


def test_only_failures_that_may_come_of_it_are_explained(handlers: Path) -> None:
    folder = os.fspath(handlers)
    assert emulation.failed(RunResult(returncode=1), folder) is None
    assert emulation.failed(RunResult(returncode=2, foreign=FOREIGN), folder) is None
    assert emulation.failed(RunResult(returncode=1, foreign=FOREIGN), folder) is not None
    # What can't be seen may be registered: then 1 is the program's own.
    unseen = os.fspath(handlers / "absent")
    assert emulation.failed(RunResult(returncode=1, foreign=FOREIGN), unseen) is None
    not_started = RunResult(returncode=126, not_started="not-executable", foreign=FOREIGN)
    assert emulation.failed(not_started, unseen) is not None
