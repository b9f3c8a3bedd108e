"""``RUN --mount``: its options, and what each type of mount takes (Dockerfile reference, "RUN --mount")."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import msgspec

from ...errors import DockerfileError
from ..text import did_you_mean
from .values import Mount

_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING = ("shared", "private", "locked")
_ALIASES = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "ro": "readonly",
    "rw": "readwrite",
}
_KEYS = ("type", "from", "source", "target", "readonly", "readwrite", "id", "sharing", "required", "mode", "uid", "gid")
_KEYS_OF_ONE_TYPE = {"size": ("tmpfs",), "env": ("secret",), "sharing": ("cache",), "required": ("secret", "ssh")}
_WITH_OWNER = ("cache", "secret", "ssh")
_TRUTHS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_LARGEST_ID = 2**32 - 1


def read_mount(text: str) -> Mount:
    """The mount of ``text``, comma separated options.  Raises ``DockerfileError``.

    An option whose value holds a ``$`` is not looked at yet: it is read when ``expand_mount`` has put the value in.
    """
    if not text:
        raise DockerfileError("RUN --mount is empty.", hint="write its options: --mount=type=cache,target=/root/.cache")
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise DockerfileError(
            f"RUN --mount={text} can't be read: {error}.", hint='double a quote inside of quotes: ""'
        ) from error
    return _mount(tuple(rows[0]) if rows else ())


def expand_mount(mount: Mount, expander: Callable[[str], str]) -> Mount:
    """The mount with ``expander`` applied to the value of every option but ``from``."""
    expanded: list[str] = []
    for option in mount.options:
        key, equals, value = option.partition("=")
        expanded.append(option if not equals or key.lower() == "from" else f"{key}={expander(value)}")
    return _mount(tuple(expanded), is_expanded=True)


def write_mount(mount: Mount) -> str:
    """The options as one comma separated text that ``read_mount`` takes."""
    return ",".join(
        '"' + option.replace('"', '""') + '"' if any(char in option for char in '",\r\n') else option
        for option in mount.options
    )


def _mount(options: tuple[str, ...], *, is_expanded: bool = False) -> Mount:
    given: dict[str, str | bool] = {}
    is_read_only: bool | None = None
    is_open = False
    for option in options:
        key, value = _option(option)
        if key == "from" and "$" in str(value):
            raise DockerfileError(
                "RUN --mount from= can't hold a variable.",
                hint="name the image in a stage of its own, FROM … AS name, and use from=name",
            )
        if not is_expanded and "$" in str(value):
            is_open = True
            continue
        if key in ("readonly", "readwrite"):
            is_read_only = _truth(key, value) == (key == "readonly")
        else:
            given[key] = value
    if is_open and "type" not in given:
        return Mount(options=options, from_=str(given.get("from", "")))
    kind = _one_of("type", str(given.get("type", "bind")), _TYPES)
    _check(kind, given, is_open=is_open)
    mount = Mount(
        type=kind,
        id=str(given.get("id", "")),
        target=str(given.get("target", "")),
        source=str(given.get("source", "")),
        from_=str(given.get("from", "")),
        env=str(given.get("env", "")),
        is_read_only=kind not in ("cache", "tmpfs") if is_read_only is None else is_read_only,
        options=options,
    )
    return _with_numbers(mount, given)


def _with_numbers(mount: Mount, given: dict[str, str | bool]) -> Mount:
    """``mount`` with the options whose text has a form of its own."""
    number = {key: str(given[key]) for key in ("mode", "uid", "gid", "size") if key in given}
    return msgspec.structs.replace(
        mount,
        sharing=_one_of("sharing", str(given["sharing"]), _SHARING) if "sharing" in given else "",
        is_required=_truth("required", given["required"]) if "required" in given else False,
        mode=_number("mode", number["mode"], 8) if "mode" in number else None,
        uid=_number("uid", number["uid"], 10) if "uid" in number else None,
        gid=_number("gid", number["gid"], 10) if "gid" in number else None,
        size=_size(number["size"]) if "size" in number else None,
    )


def _option(option: str) -> tuple[str, str | bool]:
    key, equals, value = option.partition("=")
    name = _ALIASES.get(key.lower(), key.lower())
    if name not in (*_KEYS, *_KEYS_OF_ONE_TYPE):
        known = (*_KEYS, *_KEYS_OF_ONE_TYPE, *_ALIASES)
        raise DockerfileError(f"RUN --mount has no option “{key}”.", hint=did_you_mean(key, known, "see RUN --mount"))
    if not equals and name not in ("readonly", "readwrite", "required"):
        raise DockerfileError(f"RUN --mount option “{option}” has no value.", hint=f"write {key}=VALUE")
    return name, value if equals else True


def _check(kind: str, given: dict[str, str | bool], *, is_open: bool) -> None:
    for key in given:
        if kind not in _KEYS_OF_ONE_TYPE.get(key, (kind,)):
            raise DockerfileError(
                f"RUN --mount=type={kind} has no option “{key}”.",
                hint=f"only {' and '.join(_KEYS_OF_ONE_TYPE[key])} mounts do",
            )
        if key in ("mode", "uid", "gid") and kind not in _WITH_OWNER:
            raise DockerfileError(
                f"RUN --mount=type={kind} has no option “{key}”.", hint=f"only {', '.join(_WITH_OWNER)} mounts do"
            )
    if kind == "secret":
        _check_secret(given, is_open=is_open)
    target = str(given.get("target", ""))
    if target.startswith("/") and not target.strip("/"):
        raise DockerfileError("RUN --mount can't have / as its target.", hint="mount on a directory below it")


def _check_secret(given: dict[str, str | bool], *, is_open: bool) -> None:
    if given.get("from"):
        raise DockerfileError(
            "RUN --mount=type=secret has no option “from”.", hint="secrets come from the command line, by id"
        )
    if given.get("source") and given.get("id"):
        raise DockerfileError("RUN --mount=type=secret has both source and id.", hint="keep id")
    if not is_open and not any(given.get(key) for key in ("id", "source", "target")):
        raise DockerfileError("RUN --mount=type=secret names no secret.", hint="add id=NAME")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    if value.lower() not in known:
        raise DockerfileError(
            f"RUN --mount {key} is “{value}”.",
            hint=did_you_mean(value.lower(), known, f"it is one of {', '.join(known)}"),
        )
    return value.lower()


def _truth(key: str, value: str | bool) -> bool:
    if isinstance(value, bool):
        return value
    if value not in _TRUTHS:
        raise DockerfileError(f"RUN --mount {key} is “{value}”.", hint="it is either true or false")
    return _TRUTHS[value]


def _number(key: str, value: str, base: int) -> int:
    digits = "[0-7]{1,11}" if base == 8 else "[0-9]{1,10}"
    if not re.fullmatch(digits, value) or int(value, base) > _LARGEST_ID:
        raise DockerfileError(
            f"RUN --mount {key} is “{value}”.", hint="it is an octal number" if base == 8 else "it is a decimal number"
        )
    return int(value, base)


def _size(value: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]{1,15}))? ?([kmgtp]?)(?:i?b)?", value.lower())
    if not match:
        raise DockerfileError(f"RUN --mount size is “{value}”.", hint="it is a number of bytes, such as 64m or 1g")
    shift = _UNITS[match[3]]
    fraction = match[2] or "0"
    return (int(match[1]) << shift) + (int(fraction) << shift) // int("1" + "0" * len(fraction))
