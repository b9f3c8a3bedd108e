"""What ``--allow device[=NAME[,alias=NAME]]`` allows, as ``docker buildx build`` has it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ....errors import DockerfileError
from ...privileges import DEVICE, read_device_entitlement
from .registry import Found


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that steps may use: all, or those of these kinds and names; and which one an alias stands for."""

    is_everything: bool = False
    names: frozenset[str] = frozenset()
    aliases: dict[str, str] = {}

    @classmethod
    def of(cls, entitlements: Iterable[str]) -> Allowed:
        """What the entitlements of a build say of devices."""
        read = [read_device_entitlement(text) for text in entitlements if text.partition("=")[0] == DEVICE]
        return cls(
            is_everything=any(not name for name, _ in read),
            names=frozenset(name for name, _ in read if name),
            aliases={alias: name for name, alias in read if alias},
        )

    def resolved(self, name: str) -> str:
        """The name of what is really meant: that of an alias, or of an alias of its kind."""
        kind, equals, device = name.partition("=")
        if name in self.aliases:
            return self.aliases[name]
        other = self.aliases.get(kind, kind)
        return other if "=" in other or not equals else f"{other}={device}"

    def check(self, wanted: str, devices: Iterable[Found]) -> None:
        """Raise ``DockerfileError`` for the first of the devices, meant by ``wanted``, that nobody has allowed."""
        for device in devices:
            said = {device.name, device.kind, f"{device.kind}=*", wanted}
            if not (self.is_everything or device.is_allowed or said & self.names):
                raise DockerfileError(
                    f"RUN --device={wanted} would use {device.name} of this machine, and nobody has allowed it.",
                    hint=f"if you trust this Dockerfile with it: --allow {DEVICE}={device.name}",
                )
