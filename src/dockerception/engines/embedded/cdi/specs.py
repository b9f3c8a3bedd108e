"""A file of the Container Device Interface (CDI specification 1.1): devices of one kind, in JSON or YAML."""

from __future__ import annotations

import os
import re
import stat
from typing import Any, Final

import msgspec

from ....dockerfile.instructions.devices import is_device
from ....errors import MachineError

_MAX_BYTES: Final = 1 << 20
_VERSION: Final = re.compile(r"v?[01]\.\d+(?:\.\d+)?(?:[-+].*)?")
_YAML: Final = (".yaml", ".yml")
SUFFIXES: Final = (".json", *_YAML)
BINDS: Final = ("", "none", "bind")
"""The types of mounts that show a path of the machine."""

HOOKS: Final = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_NODES: Final = {"": 0, "c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK}


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A device node that a container sees at ``path``: the machine's at ``host_path``, else at ``path``."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class HostMount(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A path of the machine that a container sees, or a file system of another ``type``."""

    host_path: str
    container_path: str
    type: str = ""
    options: tuple[str, ...] = ()


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A program of the machine that the OCI runtime calls; ``timeout`` is in seconds."""

    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class ContainerEdits(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a container needs for a device.  The last two are of things that builds have not."""

    env: tuple[str, ...] = ()
    device_nodes: tuple[Node, ...] = ()
    mounts: tuple[HostMount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    additional_gids: tuple[int, ...] = ()
    intel_rdt: Any = None
    net_devices: Any = None


class SpecDevice(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One device of a file."""

    name: str
    annotations: dict[str, str] = {}
    container_edits: ContainerEdits = ContainerEdits()


class Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A whole file; its own edits go with any of its devices."""

    cdi_version: str
    kind: str
    annotations: dict[str, str] = {}
    devices: tuple[SpecDevice, ...]
    container_edits: ContainerEdits = ContainerEdits()


def read(path: str) -> Spec:
    """Read a file.  Raises ``MachineError`` that says what is wrong with it.

    What is in it is done with the rights of whoever builds, so it must belong to root or to that user, and nobody else
    may be able to write it.
    """
    data = _trusted_bytes(path)
    try:
        spec = _decode(data, path)
        _check(spec)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MachineError(f"{path} is no specification of devices: {error}.") from error
    return spec


def _trusted_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                raise MachineError(f"{path} is no specification of devices: it is no file of at most 1 MiB.")
            if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
                raise MachineError(
                    f"{path} is not heeded: others than root and this user may write it.",
                    hint=f"chown root {path}; chmod go-w {path}",
                )
            return file.read()
    except OSError as error:
        raise MachineError(f"{path} can't be read: {error.strerror}.") from error


def _decode(data: bytes, path: str) -> Spec:
    if not path.endswith(_YAML):
        return msgspec.json.decode(data, type=Spec)
    from msgspec import yaml  # loads PyYAML

    try:
        return yaml.decode(data, type=Spec)
    except msgspec.DecodeError as error:
        raise ValueError(" ".join(str(error).split())) from error  # PyYAML's words are on several lines


def _check(spec: Spec) -> None:
    if not _VERSION.fullmatch(spec.cdi_version):
        raise ValueError(f"its cdiVersion is “{spec.cdi_version}”, and versions 0.x and 1.x are known")
    if not is_device(spec.kind) or "=" in spec.kind:
        raise ValueError(f"its kind is “{spec.kind}”, not vendor.com/class")
    if not spec.devices:
        raise ValueError("it has no devices")
    for device in spec.devices:
        if device.name == "*" or not is_device(f"{spec.kind}={device.name}"):
            raise ValueError(f"“{device.name}” is no name of a device")
        _check_edits(device.container_edits)
    _check_edits(spec.container_edits)


def _check_edits(edits: ContainerEdits) -> None:
    for variable in edits.env:
        if not variable.partition("=")[0] or "=" not in variable:
            raise ValueError(f"“{variable}” is no variable")
    paths = [path for node in edits.device_nodes for path in (node.path, node.host_path or "/")]
    paths += [mount.container_path for mount in edits.mounts]
    paths += [mount.host_path for mount in edits.mounts if mount.type in BINDS]
    paths += [hook.path for hook in edits.hooks]
    for path in paths:
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"“{path}” is no absolute path")
    for node in edits.device_nodes:
        if node.type not in _NODES:
            raise ValueError(f"“{node.type}” is no type of a device node (b, c)")
        if set(node.permissions) - set("rwm"):
            raise ValueError(f"“{node.permissions}” are no permissions of a device node (r, w, m)")
    for hook in edits.hooks:
        if hook.hook_name not in HOOKS:
            raise ValueError(f"“{hook.hook_name}” is no hook ({', '.join(HOOKS)})")


def file_type(node: Node) -> int:
    """The file type (``S_IFCHR``, ``S_IFBLK``) that a specification says of a node, 0 where it says none."""
    return _NODES[node.type]
