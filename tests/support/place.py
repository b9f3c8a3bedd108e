"""The place that tests run in: root's own machine, unless ``tests/places`` has carried them somewhere else.

They come there with a *kit*, the folder that DOCKERCEPTION_TESTS_KIT names: the program, the bases, and what others
have made of the same Dockerfiles.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = "root"
USER: Final = "user"
SINGLE_ID: Final = "single-id"
"""A user without subordinate ids: all files of a step belong to one user."""

CONTAINER: Final = "container"
"""Root of a container as ``docker run`` makes it: steps run in a chroot."""

PLACES: Final = (ROOT, USER, SINGLE_ID, CONTAINER)

HERE: Final = os.environ.get("DOCKERCEPTION_TESTS_PLACE", ROOT)
KIT: Final = Path(os.environ["DOCKERCEPTION_TESTS_KIT"]) if HERE != ROOT else None
PROGRAM: Final = KIT / "bin/dockerception" if KIT else Path(sys.executable).with_name("dockerception")
"""The command, as a user of this place has it."""
