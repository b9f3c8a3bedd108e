"""dockerception builds small container images.

A *builder* image compiles a program and, when run, writes a build context to stdout as a tar stream; from that stream
the small *runtime* image is made.

    import dockerception

    image = dockerception.build(".", tags=["app"])
    print(image.id, image.size)
    image.save("app.tar")

``build`` runs the whole chain, ``context`` only its first half, ``assemble`` only its second.  Everything raises
subclasses of ``DockerceptionError``.  Names are loaded when they are first used, so that ``import dockerception`` is
cheap.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import (
        BuilderError,
        CheckError,
        ContextError,
        DockerceptionError,
        DockerfileError,
        ImageError,
        ImageNotFoundError,
        MachineError,
        StepError,
        StoreError,
        StreamError,
        UnsupportedError,
        UsageError,
    )
    from .facade import Image, LayerInfo, Secret, SshAgent, assemble, build, check, context
    from .limits import Limits, Ulimit

__version__ = "0.1.0"

__all__ = [
    "BuilderError",
    "CheckError",
    "Checked",
    "ContextError",
    "DockerceptionError",
    "DockerfileError",
    "Image",
    "ImageError",
    "ImageNotFoundError",
    "LayerInfo",
    "Limits",
    "MachineError",
    "Secret",
    "SshAgent",
    "StepError",
    "StoreError",
    "StreamError",
    "Ulimit",
    "UnsupportedError",
    "UsageError",
    "__version__",
    "assemble",
    "build",
    "check",
    "context",
]

_FROM_FACADE = frozenset(
    {"Checked", "Image", "LayerInfo", "Secret", "SshAgent", "assemble", "build", "check", "context"}
)
_FROM_LIMITS = frozenset({"Limits", "Ulimit"})


class _Package(ModuleType):
    """This package, where ``dockerception.context`` is the function although there is a folder of that name."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system makes each submodule that it has loaded an attribute of its package.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    room = "facade" if name in _FROM_FACADE else "limits" if name in _FROM_LIMITS else "errors"
    module = import_module(f"{__name__}.{room}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
