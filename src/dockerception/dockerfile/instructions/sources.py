"""What the text of a source says by itself (Dockerfile reference, "ADD")."""

from __future__ import annotations

import re
from typing import Final

_SCHEMES: Final = ("http://", "https://", "git://", "ssh://")
_SCP: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^:]")


def is_remote(source: str) -> bool:
    """Whether a source of ADD is remote: it begins as a URL does, or as git's ``user@host:path``."""
    return source.lower().startswith(_SCHEMES) or is_scp_like(source)


def is_scp_like(text: str) -> bool:
    """Whether a text is an address of the form ``user@host:path``, as scp and git take it."""
    return _SCP.match(text) is not None
