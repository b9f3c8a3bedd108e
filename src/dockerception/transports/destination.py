"""Directories that are written as an output: complete, or as they were; and what to say where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import DockerceptionError, TransportError
from ..store.disk import output_error


@contextmanager
def undone_on_failure(directory: str) -> Iterator[None]:
    """Take away what the block has written into a directory if it raises: a new one goes, an empty one is empty again.

    In one that had something in it, everything stays as the block left it.
    """
    is_new = not os.path.lexists(directory)
    is_empty = is_new or (os.path.isdir(directory) and not os.listdir(directory))
    try:
        yield
    except BaseException:
        if is_empty:
            _empty(directory)
        if is_new:
            with suppress(OSError):
                os.rmdir(directory)
        raise


def writing_failure(path: str, error: OSError) -> DockerceptionError:
    """The error for a file of an output that can't be written."""
    return output_error(path, error) or TransportError(f"{path} can't be written: {error.strerror}.")


def _empty(directory: str) -> None:
    """Remove what is in a directory, following no link; what can't be removed stays, as another error is on its way."""
    import shutil

    with suppress(OSError):
        for child in list(os.scandir(directory)):
            if child.is_dir(follow_symlinks=False):
                shutil.rmtree(child.path, ignore_errors=True)
            else:
                os.unlink(child.path)
