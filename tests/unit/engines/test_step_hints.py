"""Which hint a failed step gets."""

from __future__ import annotations

import pytest

from dockerception.engines.embedded.step_hints import hint_for


@pytest.mark.parametrize(
    ("code", "output", "is_user", "in_chroot", "expected"),
    [
        (1, "no such luck", True, False, ""),
        (1, "mknod: /null: Operation not permitted", True, False, "this machine's root only"),
        (1, "mknod: /null: Operation not permitted", False, False, ""),
        (127, "make: not found", False, True, "a command was not found"),
        (1, "cat: can't open '/dev/fd/3'", False, True, "ran in a chroot, where nothing is mounted"),
    ],
)
def test_hints(code: int, output: str, is_user: bool, in_chroot: bool, expected: str) -> None:
    hint = hint_for(code, output, is_user=is_user, in_chroot=in_chroot)
    assert expected in hint
    assert bool(hint) == bool(expected)
