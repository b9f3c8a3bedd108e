"""From the devices that a RUN asks for to what its container gets."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from ....dockerfile.instructions.devices import Device
from ....errors import MachineError, UnsupportedError
from ....sandbox.messages import Hook, Mount
from ....sizes import size
from .allowing import Allowed
from .registry import Found, Registry
from .specs import BINDS, ContainerEdits, HostMount, Node, file_type

_READ_AND_WRITE: Final = frozenset("rw")
_PERMISSIONS: Final = 0o777


class Edits(msgspec.Struct, frozen=True, kw_only=True):
    """What devices add to a container: variables, nodes and other mounts, groups of its process, and hooks."""

    environment: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    groups: tuple[int, ...] = ()
    hooks: tuple[Hook, ...] = ()
    missing: tuple[str, ...] = ()


def of_devices(wanted: Sequence[Device], registry: Registry, allowed: Allowed) -> Edits:
    """The edits of all devices of a RUN; ``missing`` are those that it goes on without.

    Raises ``UnsupportedError`` for a required device that this machine has not, ``DockerfileError`` for one that nobody
    has allowed, and ``MachineError`` for one that can't be given as it is described.
    """
    found: dict[str, Found] = {}
    missing: list[str] = []
    for device in wanted:
        devices = registry.find(allowed.resolved(device.name))
        if not devices and device.is_required:
            raise _not_here(device, registry)
        if not devices:
            missing.append(device.name)
        allowed.check(device.name, devices)
        found |= {each.name: each for each in devices}
    # What is said of a whole file counts once, whichever of its devices are asked for.
    edits = {id(each): (device, each) for device in found.values() for each in device.edits}
    made = [_edits(device, each) for device, each in edits.values()]
    return Edits(
        environment={name: value for each in made for name, value in each.environment.items()},
        mounts=tuple(mount for each in made for mount in each.mounts),
        groups=tuple(dict.fromkeys(group for each in made for group in each.groups)),
        hooks=tuple(hook for each in made for hook in each.hooks),
        missing=tuple(missing),
    )


def _edits(device: Found, edits: ContainerEdits) -> Edits:
    for name, value in (("intelRdt", edits.intel_rdt), ("netDevices", edits.net_devices)):
        if value:
            raise _problem(device, f"asks for {name}, which builds have not")
    return Edits(
        environment=dict(variable.split("=", 1) for variable in edits.env),
        mounts=(
            *(_node(device, node) for node in edits.device_nodes),
            *(_mount(device, mount) for mount in edits.mounts),
        ),
        groups=tuple(group for group in edits.additional_gids if group),
        hooks=tuple(_hooks(device, edits)),
    )


def _node(device: Found, node: Node) -> Mount:
    """A node is the machine's own, shown at another place: no container can make one that may be opened."""
    path = node.host_path or node.path
    try:
        status = os.stat(path)
    except OSError as error:
        raise _problem(device, f"needs the node {path}, which can't be had: {error.strerror}") from error
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise _problem(device, f"needs the device node {path}, which is none")
    numbers = (os.major(status.st_rdev), os.minor(status.st_rdev))
    has_numbers = bool(node.major or node.minor)
    if (has_numbers and numbers != (node.major, node.minor)) or file_type(node) not in (0, stat.S_IFMT(status.st_mode)):
        raise _problem(device, f"needs the node {path} with other numbers than it has ({numbers[0]}, {numbers[1]})")
    if node.permissions and not set(node.permissions) >= _READ_AND_WRITE:
        # Nothing guards an open node but its mode, which is none for root.
        raise _problem(device, f"lets {path} be used with “{node.permissions}” only, which can't be enforced here")
    return Mount(
        kind="device",
        target=node.path,
        source=path,
        mode=None if node.file_mode is None else node.file_mode & _PERMISSIONS,
        uid=node.uid or 0,
        gid=node.gid or 0,
    )


def _mount(device: Found, mount: HostMount) -> Mount:
    options = dict(option.partition("=")[::2] for option in mount.options)
    if mount.type == "tmpfs":
        limit = size(options["size"]) if "size" in options else 0
        return Mount(kind="tmpfs", target=mount.container_path, size=limit, is_readonly="ro" in options)
    if mount.type not in BINDS:
        raise _problem(device, f"needs a mount of the type {mount.type}, which builds have not")
    if not os.path.exists(mount.host_path):
        raise _problem(device, f"needs {mount.host_path}, which is not there")
    return Mount(
        kind="bind", target=mount.container_path, source=os.path.realpath(mount.host_path), is_readonly="ro" in options
    )


def _hooks(device: Found, edits: ContainerEdits) -> Iterator[Hook]:
    for hook in edits.hooks:
        if not os.access(hook.path, os.X_OK):
            raise _problem(device, f"needs the program {hook.path}, which can't be executed")
        yield Hook(when=hook.hook_name, path=hook.path, args=hook.args, env=hook.env, timeout=hook.timeout)


def _not_here(device: Device, registry: Registry) -> UnsupportedError:
    there = ", ".join(registry.devices) or "none"
    return UnsupportedError(
        f"RUN --device={device.name} requires a device that this machine has not described (CDI).",
        details="\n".join(registry.problems),
        hint=f"there are: {there}; without “required” the step runs without it",
    )


def _problem(device: Found, what: str) -> MachineError:
    return MachineError(f"The device {device.name} {what}.", hint=f"see {device.file}")
