"""``RUN --device=NAME[,required]`` (Dockerfile reference, "RUN --device"; CDI specification, "Kind")."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ...errors import DockerfileError

_NAME: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?/[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?(?:=(?:\*|[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?))?"
)
_TRUTHS: Final = {"": True, "true": True, "1": True, "false": False, "0": False}


class Device(msgspec.Struct, frozen=True):
    """A device that a RUN asks for: ``VENDOR/CLASS=DEVICE``; of one kind ``=*`` is all, and nothing behind it any one.

    Without ``is_required`` the RUN goes on where there is none.
    """

    name: str
    is_required: bool = False

    @property
    def kind(self) -> str:
        """``VENDOR/CLASS``."""
        return self.name.partition("=")[0]


def read_device(text: str) -> Device:
    """The device of a flag's value.  Raises ``DockerfileError``."""
    name, is_required = "", False
    for field in text.split(","):
        key, _, value = field.partition("=")
        if key.strip().lower() == "required":
            if value.lower() not in _TRUTHS:
                raise DockerfileError(
                    f"RUN --device={text} is required or not.", hint="write required, or leave it out"
                )
            is_required = _TRUTHS[value.lower()]
        elif name:
            raise DockerfileError(f"RUN --device={text} names more than one device.", hint="give each a --device")
        else:
            name = value if key.strip().lower() == "name" else field
    if not is_device(name):
        raise DockerfileError(
            f"RUN --device={text} names no device.",
            hint="write vendor.com/class=name, vendor.com/class=* or vendor.com/class",
        )
    return Device(name, is_required)


def is_device(name: str) -> bool:
    """Whether a text can name a device, or a kind of them."""
    return _NAME.fullmatch(name) is not None
