"""``apt://SUITE?include=…``: which packages, from where, for what machine."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ...errors import UsageError
from ...reference import Platform

SCHEME: Final = "apt://"
BUSYBOX: Final = "busybox"

_VARIANTS: Final = (
    "minbase", "essential", "apt", "required", "important", "standard", "buildd", "custom", "extract", BUSYBOX,
)  # fmt: skip
PACKAGELESS: Final = ("custom", "extract", BUSYBOX)
"""The variants that install nothing but what is named."""
_KEYS: Final = ("include", "variant", "components", "mirror", "architecture", "docs", "sources")
_SUITE: Final = re.compile(r"[a-z0-9][a-z0-9+./-]*")
_COMPONENT: Final = re.compile(r"[a-z0-9][a-z0-9+./-]*")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+|/[a-z0-9-]+)?")
_MIRROR: Final = re.compile(r"(?:https?|file|copy|mirror\+https?|mirror\+file|mirror)://?[^\s\"\[\]]+")
_DEBIAN: Final = {
    ("amd64", ""): "amd64", ("arm64", ""): "arm64", ("arm", "v7"): "armhf", ("arm", "v6"): "armel", ("386", ""): "i386",
    ("ppc64le", ""): "ppc64el", ("s390x", ""): "s390x", ("riscv64", ""): "riscv64", ("loong64", ""): "loong64",
    ("mips64le", ""): "mips64el",
}  # fmt: skip


class AptSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to install.

    ``suite`` is empty for the host's own.  ``include`` is sorted.  ``mirror`` replaces the host's sources.
    ``architecture`` is Debian's name, empty for the platform's.  ``has_all_sources`` takes the host's third-party
    sources too.
    """

    suite: str = ""
    include: tuple[str, ...] = ()
    variant: str = "minbase"
    components: tuple[str, ...] = ()
    mirror: tuple[str, ...] = ()
    architecture: str = ""
    keeps_docs: bool = True
    has_all_sources: bool = False

    @property
    def has_package_manager(self) -> bool:
        """Whether dpkg's and apt's files belong into the image."""
        return self.variant not in PACKAGELESS or any(name in ("apt", "dpkg") for name in self.include)


def parse(text: str) -> AptSpec:
    """Read ``apt://[SUITE][?key=value&…]``.  Raises ``UsageError`` that names the offending part.

    ``include``, ``components`` and ``mirror`` may be repeated or hold several values with commas between.  A ``+`` in a
    value is a plus sign (``g++``); ``%`` escapes are decoded.
    """
    from urllib.parse import unquote

    rest = text.removeprefix(SCHEME)
    suite, _, query = rest.partition("?")
    suite = unquote(suite).strip("/")
    if suite and not _SUITE.fullmatch(suite):
        raise _bad(text, f"“{suite}” is not the name of a suite")
    values: dict[str, list[str]] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if key not in _KEYS or not equals:
            raise _unknown_key(text, key)
        values.setdefault(key, []).extend(item for item in unquote(value).replace(" ", ",").split(",") if item)
    spec = AptSpec(
        suite=suite,
        include=tuple(sorted(set(_checked(text, values.get("include", []), _PACKAGE, "the name of a package")))),
        variant=_one_of(text, "variant", values, _VARIANTS, "minbase"),
        components=tuple(_checked(text, values.get("components", []), _COMPONENT, "a component")),
        mirror=tuple(_checked(text, values.get("mirror", []), _MIRROR, "the address of a mirror")),
        architecture=_one_of(text, "architecture", values, tuple(_DEBIAN.values()), ""),
        keeps_docs=_one_of(text, "docs", values, ("true", "false"), "") != "false",
        has_all_sources=_one_of(text, "sources", values, ("base", "all"), "base") == "all",
    )
    if spec.variant in ("custom", "extract") and not spec.include:
        raise _bad(text, f"the variant {spec.variant} installs nothing but what “include” names")
    if spec.variant == BUSYBOX:
        docs = "docs" in values and spec.keeps_docs
        include = tuple(sorted({*spec.include, "busybox-static"}))
        return msgspec.structs.replace(spec, include=include, keeps_docs=docs)
    return spec


def debian_architecture(spec: AptSpec, platform: Platform) -> str:
    """Debian's name for the machine; raises ``UsageError`` for a platform that Debian has no packages for."""
    if spec.architecture:
        return spec.architecture
    found = _DEBIAN.get((platform.architecture, platform.variant)) or _DEBIAN.get((platform.architecture, ""))
    if platform.os != "linux" or found is None:
        raise UsageError(f"Debian has no packages for {platform}.")
    return found


def platform_of(architecture: str) -> Platform:
    """The platform of a Debian architecture that ``debian_architecture`` returned."""
    for (name, variant), debian in _DEBIAN.items():
        if debian == architecture:
            return Platform("linux", name, variant)
    return Platform("linux", architecture)


def _checked(text: str, values: list[str], pattern: re.Pattern[str], what: str) -> list[str]:
    for value in values:
        if not pattern.fullmatch(value):
            raise _bad(text, f"“{value}” is not {what}")
    return values


def _one_of(text: str, key: str, values: dict[str, list[str]], known: tuple[str, ...], default: str) -> str:
    given = values.get(key, [])
    if not given:
        return default
    if len(given) > 1 or given[0] not in known:
        hint = _suggest(given[0], known) or f"“{key}” is one of: {', '.join(known)}"
        raise _bad(text, f"“{','.join(given)}” is not a value of “{key}”", hint=hint)
    return given[0]


def _unknown_key(text: str, key: str) -> UsageError:
    hint = _suggest(key, _KEYS) or f"what may stand behind the “?”: {', '.join(_KEYS)}"
    if key in _KEYS:
        hint = f"write it as {key}=VALUE"
    return _bad(text, f"“{key}” is not known", hint=hint)


def _suggest(given: str, known: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(given, known, n=1)
    return f"did you mean “{close[0]}”?" if close else ""


def _bad(text: str, reason: str, *, hint: str = "write it as apt://SUITE?include=PACKAGE,PACKAGE") -> UsageError:
    return UsageError(f"“{_without_credentials(text)}” can't be used: {reason}.", hint=hint)


def _without_credentials(text: str) -> str:
    return re.sub(r"(//)[^/@\s]+@", r"\1", text)
