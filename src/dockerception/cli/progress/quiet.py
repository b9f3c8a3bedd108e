"""No progress at all."""

from __future__ import annotations

from ...errors import DockerceptionError
from ...progress import Event
from ..summary import Summary


class QuietRenderer:
    """Shows nothing; errors are the caller's to show."""

    def __call__(self, event: Event) -> None:
        return

    def finish(self, summary: Summary) -> None:
        """Nothing."""

    def fail(self, error: DockerceptionError, log: str) -> bool:
        """Left to the caller."""
        return False

    def close(self) -> None:
        """Nothing."""
