"""The texts of ``--allow``: what steps may do beyond the ordinary."""

from __future__ import annotations

from typing import Final

from ..dockerfile.instructions.devices import is_device
from ..errors import UsageError
from .attributes import fields

INSECURE: Final = "security.insecure"
DEVICE: Final = "device"
ENTITLEMENTS: Final = (INSECURE, "network.host", DEVICE)
"""What ``--allow`` takes, ``device`` also with a name.  The network of a RUN is the host's anyhow, if nothing else is
said."""


def check_entitlement(text: str) -> str:
    """The text itself.  Raises ``UsageError`` for what is nothing that could be allowed."""
    if text.partition("=")[0] == DEVICE:
        read_device_entitlement(text)
    elif text not in ENTITLEMENTS:
        known = f"{', '.join(ENTITLEMENTS)} or {DEVICE}=NAME"
        raise UsageError(f"“{text}” is nothing that could be allowed.", hint=f"it is {known}")
    return text


def read_device_entitlement(text: str) -> tuple[str, str]:
    """The device (or its kind) and the alias of ``device[=NAME[,alias=NAME]]``, each empty where none is given.

    Raises ``UsageError``.
    """
    _, equals, rest = text.partition("=")
    name = alias = ""
    for field in fields(rest, "entitlement") if equals else ():
        key, has_value, value = field.partition("=")
        if key == "alias" and has_value and not alias:
            alias = value
        elif not name:
            name = field
        else:
            raise UsageError(f"“{field}” in --allow {text} is neither a device nor an alias.", hint=_HINT)
    for each in (name, *filter(None, (alias,))):
        if equals and not is_device(each):
            raise UsageError(f"“{each}” in --allow {text} names no device.", hint=_HINT)
    return name, alias


_HINT: Final = "write device, device=vendor.com/class=name, or device=NAME,alias=NAME"
