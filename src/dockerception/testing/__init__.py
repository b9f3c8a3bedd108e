"""For the tests of programs that use dockerception: a registry in this process."""

from __future__ import annotations

from .registry import Registry

__all__ = ["Registry"]
