"""The one exception tree.  It imports nothing of ours, so every room may raise from it.

Each class is one kind of failure with a kebab-case ``code`` and the exit code that the command ends with
(the table is in docs/reference/exit-codes.md).  Only the CLI exits; everything else raises.
"""

from __future__ import annotations

from typing import ClassVar, Final

FREE_SPACE: Final = "free space with “dockerception prune”, or set DOCKERCEPTION_HOME to a directory on another disk"
"""The hint where the store's disk is full."""

BROKEN_DISK: Final = "look into the kernel's log (dmesg), and use a directory on another one"
"""The hint where a disk does not do what it is told."""


class DockerceptionError(Exception):
    """Base of everything that dockerception raises on purpose.

    ``message`` is a full sentence that says what is wrong and where.  ``details`` is a block of lines to show as
    they are (a Dockerfile excerpt, the last lines of a step's output).  ``hint`` says what to do next.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, details: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = _printable(message)
        self.details = _printable(details)
        self.hint = _printable(hint)

    def __str__(self) -> str:
        parts = [self.message]
        if self.details:
            parts.append(self.details)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)


def _printable(text: str) -> str:
    """Names of files need not be UTF-8; what is not has become lone surrogates, which nothing can write."""
    return text.encode(errors="backslashreplace").decode()


class UsageError(DockerceptionError):
    """Options that contradict each other, or a value that no option takes."""

    code = "usage"
    exit_code = 2


class StepError(DockerceptionError):
    """A RUN of a Dockerfile ended with a non-zero code or by a signal."""

    code = "step-failed"
    exit_code = 1


class BuilderError(DockerceptionError):
    """The builder's container failed: its exit code, a signal, or nothing to run."""

    code = "builder-failed"
    exit_code = 1


class DockerfileError(DockerceptionError):
    """A Dockerfile that is wrong; ``details`` holds the excerpt with ``>>>`` at the line."""

    code = "dockerfile"
    exit_code = 3


class UnsupportedError(DockerfileError):
    """Right by the Dockerfile reference, but not executed by this version or engine."""

    code = "not-supported"


class CheckError(DockerfileError):
    """Build checks have found something, and the options of the check make that an error."""

    code = "check"


class ContextError(DockerceptionError):
    """A build context that can't be used: missing files, hostile entries, limits."""

    code = "context"
    exit_code = 4


class StreamError(ContextError):
    """A tar stream that is not a whole, sound tar archive."""

    code = "stream"


class EmitTimeoutError(StreamError):
    """The builder was silent for longer than ``--emit-timeout``."""

    code = "emit-timeout"


class ImageError(DockerceptionError):
    """An image, or an archive that should hold one, is damaged or can't be used."""

    code = "image"
    exit_code = 5


class ImageNotFoundError(ImageError):
    """No image of that name in the places that were tried."""

    code = "image-not-found"


class TransportError(ImageError):
    """A place that images come from or go to failed: an archive, a daemon, a package source."""

    code = "transport"


class StoreError(DockerceptionError):
    """The store can't be opened, read or written."""

    code = "store"
    exit_code = 6


class DiskFullError(StoreError):
    """A write failed because the disk (or a quota) is full."""

    code = "disk-full"


class DiskFailedError(StoreError):
    """The disk does not do what it is told: it is broken, or has gone away."""

    code = "disk-failed"


class MachineError(DockerceptionError):
    """This machine lacks what the work needs: a runtime, namespaces, a tool."""

    code = "machine"
    exit_code = 7
