"""The ladder of isolation: how a process runs in a root file system.

``oci`` starts an OCI runtime: namespaces, a set of capabilities, masked paths.  ``chroot`` changes the root directory
of a process and nothing else, for where no namespaces can be made; it is no security boundary.
"""

from __future__ import annotations

import msgspec

from ..messages import RunRequest
from ..mounts import Placed


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a process runs on: ``root`` is the path of its root directory and ``descriptor`` that directory, opened.

    ``shown`` goes to targets in the root that are there already, unless they lie below another one's.  ``scratch`` is
    a directory on the disk of the root that goes after the run.
    """

    request: RunRequest
    root: str
    descriptor: int
    shown: tuple[Placed, ...]
    scratch: str
