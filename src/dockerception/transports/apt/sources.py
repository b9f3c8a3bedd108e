"""The package sources for a spec: which of the host's, or which else, and how the image names them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ...errors import UsageError
from .host import Source, System, host_sources, read_system
from .spec import AptSpec

_CREDENTIALS: Final = re.compile(r"(?<=//)[^/@\s]+@")
_CLASSES: Final = ("stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "devel")
_DEBIAN_DOMAIN: Final = "debian.org"
_DEBIAN_HOST: Final = f"deb.{_DEBIAN_DOMAIN}"
_ROLLING: Final = ("unstable", "sid")
_POCKETS: Final = ("-updates", "-security", "/updates")
_ARCHIVE_FOLDERS: Final = {"debian", "debian-security", "ubuntu", "ubuntu-ports"}
_ARCHIVE_HOSTS: Final = ("security.debian.org", "security.ubuntu.com")
_ARCHIVE_KEYS: Final = re.compile(r"(?:.*/)?(?:debian|ubuntu)-archive-[a-z-]*keyring\.(?:gpg|pgp|asc)")
_UBUNTU_MAIN: Final = ("amd64", "i386")


def choose(spec: AptSpec, *, etc: str = "/etc") -> tuple[Source, ...]:
    """The sources for a spec, the main one first.

    By default those of the host's own base system: Debian's or Ubuntu's archive, its suite with ``-updates`` and
    ``-security``.  Third-party sources of the host are left out, as are backports and proposed updates; ``sources=all``
    takes all.  Another suite than the host's is looked for at the same mirrors.  Where the host has no such source,
    Debian's (on Ubuntu, Ubuntu's) main archive is used.  Raises ``UsageError`` when no suite is known.
    """
    system = read_system(etc)
    suite = spec.suite or system.codename
    if spec.mirror:
        if not suite:
            raise _no_suite()
        return tuple(
            _with_key(Source(uri=uri, suite=suite, components=spec.components or ("main",)), system)
            for uri in spec.mirror
        )
    there = list(host_sources(etc))
    names = {system.codename, *_CLASSES} - {""}
    found = [source for source in there if _is_base(source, names)]
    base = next((source.suite for source in found if source.suite in names), "")
    if not found and not suite:
        raise _no_suite()
    wanted = [_moved(source, base, spec.suite or base) for source in found] if base else []
    chosen = [source for source in wanted if source is not None] or _default_sources(system, suite)
    if spec.has_all_sources:
        chosen += [source for source in there if source not in found]
    if spec.components:
        chosen = [msgspec.structs.replace(source, components=spec.components) for source in chosen]
    return tuple(dict.fromkeys(sorted(chosen, key=_rank)))


def image_sources(sources: Sequence[Source], spec: AptSpec, architecture: str) -> bytes:
    """The sources.list of the image: no credentials, and (unless the spec names a mirror) the distribution's own
    archive, so that it does not tell one machine from another."""
    lines = []
    for source in sources:
        uri = _CREDENTIALS.sub("", source.uri)
        if not spec.mirror and _is_archive(source):
            uri = _official(source, architecture)
        lines.append(f"deb {uri} {source.suite} {' '.join(source.components)}".rstrip())
    return "".join(f"{line}\n" for line in dict.fromkeys(lines)).encode()


def _is_base(source: Source, names: set[str]) -> bool:
    suite = source.suite
    for pocket in _POCKETS:
        suite = suite.removesuffix(pocket)
    has_own_key = bool(source.signed_by) and not _ARCHIVE_KEYS.fullmatch(source.signed_by)
    return suite in names and "main" in source.components and _is_archive(source) and not has_own_key


def _is_archive(source: Source) -> bool:
    _, _, place = _CREDENTIALS.sub("", source.uri).partition("//")
    host, *folders = place.rstrip("/").split("/")
    return host in _ARCHIVE_HOSTS or bool(_ARCHIVE_FOLDERS & set(folders))


def _moved(source: Source, base: str, suite: str) -> Source | None:
    """The same source for another suite; None where that suite has no such pocket."""
    if not suite or suite == base:
        return source
    pocket = source.suite[len(base) :] if source.suite.startswith(base) else None
    if pocket is None or (pocket and suite in _ROLLING):
        return None
    return msgspec.structs.replace(source, suite=suite + pocket)


def _default_sources(system: System, suite: str) -> list[Source]:
    components = ("main", "universe") if system.distribution == "ubuntu" else ("main",)
    pockets = ("",) if suite in _ROLLING else ("", "-updates", "-security")
    uri = "http://archive.ubuntu.com/ubuntu" if system.distribution == "ubuntu" else f"http://{_DEBIAN_HOST}/debian"
    plain = [_with_key(Source(uri=uri, suite=suite + pocket, components=components), system) for pocket in pockets]
    return [msgspec.structs.replace(source, uri=_official(source, "amd64")) for source in plain]


def _with_key(source: Source, system: System) -> Source:
    """Name the key of the other distribution's archive; the own one's is among the keys that apt trusts anyway."""
    distribution = "ubuntu" if "ubuntu" in source.uri else "debian"
    key = f"/usr/share/keyrings/{distribution}-archive-keyring.gpg"
    if system.distribution == distribution or not _is_archive(source) or not os.path.exists(key):
        return source
    return msgspec.structs.replace(source, signed_by=key)


def _official(source: Source, architecture: str) -> str:
    if "ubuntu" in source.uri:
        if architecture not in _UBUNTU_MAIN:
            return "http://ports.ubuntu.com/ubuntu-ports"
        return "http://security.ubuntu.com/ubuntu" if source.is_security else "http://archive.ubuntu.com/ubuntu"
    return f"http://{_DEBIAN_HOST}/debian{'-security' if source.is_security else ''}"


def _rank(source: Source) -> int:
    """The suite itself goes before its pockets: apt's own order decides the rest."""
    return 1 if source.suite.endswith(_POCKETS) else 0


def _no_suite() -> UsageError:
    return UsageError("This machine's own Debian suite is not known.", hint="name one: apt://bookworm?include=…")
