"""For the tests of programs that use dockerception: an engine that builds nothing, and a registry in this process."""

from __future__ import annotations

from .engine import AskedLevel, FakeEngine
from .registry import Registry

__all__ = ["AskedLevel", "FakeEngine", "Registry"]
