"""Seccomp profiles as the kernel's own programs, made by libseccomp once and kept in the store.

A runtime makes its program anew for each container, which takes longer than all else that crun does; crun also takes
a finished one (annotation ``run.oci.seccomp_bpf_data``).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from contextlib import suppress
from typing import Any, Final

import msgspec

_LIBRARY: Final = "libseccomp.so.2"
_UNKNOWN: Final = -1
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_OPERATORS: Final = {"SCMP_CMP_NE": 1, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
_EXISTS: Final = 17


def program(profile: bytes, root: str) -> bytes:
    """The program for a profile (as JSON), from the store at ``root`` or made and put there.

    Empty where libseccomp is missing or refuses: the runtime then makes it from the profile, which is as safe.
    """
    if profile == b"null":
        return b""
    path = f"{root}/seccomp-{hashlib.sha256(profile).hexdigest()[:16]}"
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        pass
    try:
        made = _compile(msgspec.json.decode(profile))
    except OSError:
        return b""
    _keep(made, path)
    return made


def _keep(made: bytes, path: str) -> None:
    """Put a program into the store; where that fails it is made again next time."""
    partial = f"{path}.{os.urandom(8).hex()}"
    try:
        with open(partial, "xb") as file:
            file.write(made)
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            os.unlink(partial)


class _Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp`` of seccomp.h."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def _compile(profile: dict[str, Any]) -> bytes:
    library = ctypes.CDLL(_LIBRARY)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_ERRNO | profile["defaultErrnoRet"]))
    if not context:
        raise OSError("libseccomp could not start")
    try:
        for name in profile["architectures"]:
            token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
            _check(library.seccomp_arch_add(context, token))
        for rule in profile["syscalls"]:
            _add(library, context, rule)
        with open(os.memfd_create("seccomp"), "w+b") as file:
            _check(library.seccomp_export_bpf(context, file.fileno()))
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(context)


def _add(library: ctypes.CDLL, context: ctypes.c_void_p, rule: dict[str, Any]) -> None:
    action = _ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else _ERRNO | rule["errnoRet"]
    comparisons = [
        _Comparison(each["index"], _OPERATORS[each["op"]], each["value"], each.get("valueTwo", 0))
        for each in rule.get("args", ())
    ]
    array = (_Comparison * len(comparisons))(*comparisons)
    for name in rule["names"]:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != _UNKNOWN:  # else newer than this library, as runtimes see it too
            _check(library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array))


def _check(result: int) -> None:
    if result not in (0, -_EXISTS):
        raise OSError(-result, os.strerror(-result))
