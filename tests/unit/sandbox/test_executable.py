"""What a program needs to be started, and what is said when it is missing."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.sandbox import executable
from dockerception.sandbox.messages import RunRequest


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "work").mkdir()
    for path, content, mode in (
        ("bin/tool", "binary", 0o755),
        ("bin/text", "text", 0o644),
        ("bin/script", "#!/bin/tool -x\n", 0o755),
        ("bin/orphan", "#! /usr/bin/perl\n", 0o755),
        ("work/local", "binary", 0o700),
    ):
        (tmp_path / path).write_text(content)
        (tmp_path / path).chmod(mode)
    (tmp_path / "bin/link").symlink_to("/bin/tool")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def check(root: int, name: str, hidden: tuple[str, ...] = (), path: str = "/usr/bin:/bin") -> executable.Verdict:
    request = RunRequest(layers=(), args=(name,), cwd="/work", environment=(f"PATH={path}",))
    return executable.check(root, request, hidden)


@pytest.mark.parametrize("name", ["tool", "link", "script", "/bin/tool", "../bin/tool", "./local", "/bin/../bin/link"])
def test_what_can_start(root: int, name: str) -> None:
    assert check(root, name).kind == ""


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("missing", "not-found", "$PATH"),
        ("local", "not-found", "$PATH"),
        ("/bin/missing", "not-found", "/bin/missing"),
        ("text", "not-executable", "permission"),
        ("/bin", "not-executable", "permission"),
        ("orphan", "not-found", "/usr/bin/perl"),
    ],
)
def test_what_cannot(root: int, name: str, kind: str, words: str) -> None:
    verdict = check(root, name)
    assert verdict.kind == kind
    assert words in verdict.message
    assert name in verdict.message


def test_an_empty_part_of_path_is_the_current_directory(root: int) -> None:
    assert check(root, "local", path="/bin:").kind == ""


def test_below_a_mount_nothing_is_known(root: int) -> None:
    assert check(root, "missing", hidden=("usr/bin",)).kind == ""
    assert check(root, "/opt/x", hidden=("opt",)).kind == ""
    assert check(root, "orphan", hidden=("usr",)).kind == ""
    assert check(root, "missing", hidden=("us",)).kind == "not-found"


def elf(bits: int, order: str, path: bytes) -> bytes:
    """A header, one program header that names an interpreter, and its path."""
    if bits == 64:
        head = struct.pack(order + "4sBB10xHHIQQQIHHHHHH", b"\x7fELF", 2, 1 if order == "<" else 2,
                           2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)  # fmt: skip
        row = struct.pack(order + "IIQQQQQQ", 3, 4, 120, 0, 0, len(path) + 1, len(path) + 1, 1)
    else:
        head = struct.pack(order + "4sBB10xHHIIIIIHHHHHH", b"\x7fELF", 1, 1 if order == "<" else 2,
                           2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)  # fmt: skip
        row = struct.pack(order + "IIIIIIII", 3, 84, 0, 0, len(path) + 1, len(path) + 1, 4, 1)
    return head + row + path + b"\0"


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_interpreter_of_an_elf_file(bits: int, order: str) -> None:
    assert executable.interpreter(elf(bits, order, b"/lib/ld.so.1")) == "/lib/ld.so.1"


@pytest.mark.parametrize("head", [b"", b"#!", b"#!\n", b"\x7fELF", b"\x7fELF" + b"\xff" * 90, b"\x7fELF" + bytes(60)])
def test_odd_heads_name_nothing(head: bytes) -> None:
    assert executable.interpreter(head) == ""


def test_this_interpreter() -> None:
    with open("/proc/self/exe", "rb") as file:
        needed = executable.interpreter(file.read(4096))
    assert needed == "" or os.path.exists(needed)
