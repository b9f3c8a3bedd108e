"""What every target keeps: nothing but an error of ours passes over, and that can be printed."""

from __future__ import annotations

from collections.abc import Callable

from dockerception.errors import DockerceptionError

Target = Callable[[bytes], None]


def guarded(read: Target) -> Target:
    """A target that ends quietly where ``read`` raises an error of ours; any other exception is a finding."""

    def attempt(data: bytes) -> None:
        refused(read, data)

    attempt.__name__ = read.__name__
    attempt.__doc__ = read.__doc__
    return attempt


def refused(read: Callable[[bytes], object], data: bytes) -> bool:
    """Whether ``read`` raises an error of ours for ``data``, which must be printable, whatever names were in it."""
    try:
        read(data)
    except DockerceptionError as error:
        if not error.message:
            raise
        str(error).encode()
        return True
    return False
