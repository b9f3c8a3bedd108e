"""Which package versions a spec means today: apt's own answer, from package lists of its own in a scratch directory.

The lists are fetched once and then serve the installation too, so what was resolved is what gets installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from ... import process
from ...errors import TransportError, UsageError
from ..verified import digest_of
from . import package_lists
from .host import Source
from .host_settings import acquire_settings
from .package_lists import Listed
from .spec import PACKAGELESS, AptSpec

VERSION: Final = 1
"""Changes when the same packages give other bytes than before."""

_INSTALLED: Final = re.compile(r"^Inst (\S+?)(?::\S+)? (?:\[\S+\] )?\((\S+) .*\[(\S+)\]\)", re.MULTILINE)
_DUMMY_MERGED: Final = (
    "Package: usr-is-merged\nStatus: install ok installed\nPriority: optional\nSection: oldlibs\n"
    "Maintainer: nobody <nobody@localhost>\nArchitecture: all\nMulti-Arch: foreign\nSource: usrmerge\nVersion: 0\n"
    "Description: stands for the links that are made before anything is installed\n\n"
)
_IMPLIED: Final = {"buildd": ("build-essential",)}
_PRIORITIES: Final = {
    "minbase": ("required",),
    "required": ("required",),
    "buildd": ("required",),
    "important": ("required", "important"),
    "standard": ("required", "important", "standard"),
}


class Package(msgspec.Struct, frozen=True, order=True):
    """One package to be installed."""

    name: str
    version: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.name}={self.version}={self.architecture}"


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What apt answered.

    ``epoch`` is the date of the main suite's Release file in seconds; ``lists`` the directory of package lists;
    ``is_merged`` whether ``/bin`` and its like have to be made links before anything is installed.
    """

    packages: tuple[Package, ...]
    epoch: int
    lists: str
    is_merged: bool

    @property
    def names(self) -> frozenset[str]:
        """The names of the packages."""
        return frozenset(package.name for package in self.packages)


def resolve(
    spec: AptSpec, sources: Sequence[Source], architecture: str, folder: str, log: Callable[[bytes], None]
) -> Resolution:
    """Fetch the package lists into ``folder`` and ask apt what it would install.

    Raises ``TransportError`` with apt's own words if the lists can't be fetched or a package is not to be had.
    """
    apt = _Apt(folder, architecture)
    apt.write(sources)
    apt.update(log)
    suite = sources[0].suite
    listed = package_lists.read(apt.lists, suite, architecture)
    is_merged = spec.variant not in PACKAGELESS and any(item.is_essential and item.wants_merged for item in listed)
    status = _DUMMY_MERGED if is_merged else ""
    first = apt.simulate(_essential(spec, listed), status=status)
    wanted = _wanted(spec, listed, is_merged=is_merged)
    second = apt.simulate(["install", *wanted], status=status + apt.stanzas(first)) if wanted else []
    newest = {package.name + package.architecture: package for package in [*first, *second]}
    return Resolution(
        packages=tuple(sorted(newest.values())),
        epoch=package_lists.release_date(apt.lists, suite),
        lists=apt.lists,
        is_merged=is_merged,
    )


def identity(spec: AptSpec, resolution: Resolution, sources_list: bytes) -> str:
    """The digest of what the image is made from: versions, how they are installed, and the sources it is told."""
    parts = {
        "version": VERSION,
        "variant": spec.variant,
        "docs": spec.keeps_docs,
        "packages": [str(package) for package in resolution.packages],
        "sources": sources_list if spec.has_package_manager else b"",
    }
    return digest_of(msgspec.json.encode(parts))


def _essential(spec: AptSpec, listed: Sequence[Listed]) -> list[str]:
    """The first of mmdebstrap's two installations, as arguments of apt-get."""
    if spec.variant in PACKAGELESS:
        return ["install", *spec.include]
    if spec.variant == "apt":
        return ["dist-upgrade"]
    return ["install", *(item.name for item in listed if item.is_essential)]


def _wanted(spec: AptSpec, listed: Sequence[Listed], *, is_merged: bool) -> list[str]:
    """The packages of the second of mmdebstrap's two installations."""
    if spec.variant in PACKAGELESS:
        return []
    priorities = _PRIORITIES.get(spec.variant, ())
    by_priority = [item.name for item in listed if item.priority in priorities and not item.is_essential]
    return [*included(spec, is_merged=is_merged), *_IMPLIED.get(spec.variant, ()), *by_priority]


def included(spec: AptSpec, *, is_merged: bool) -> list[str]:
    """What mmdebstrap is told to include: the spec's packages, and the real one in place of the dummy."""
    return [*spec.include, *(["usr-is-merged"] if is_merged else [])]


class _Apt:
    """apt with lists, caches, settings and a status file of its own; from the host it has how to reach the sources."""

    def __init__(self, folder: str, architecture: str) -> None:
        self._folder = folder
        self._architecture = architecture
        self.lists = os.path.join(folder, "lists")
        self._config = os.path.join(folder, "apt.conf")
        self._environment = {
            **os.environ,
            "APT_CONFIG": self._config,
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
        }

    def write(self, sources: Iterable[Source]) -> None:
        """Write the configuration and the list of sources."""
        for name in ("lists/partial", "cache/archives/partial", "empty"):
            os.makedirs(os.path.join(self._folder, name), exist_ok=True)
        settings = {
            "APT::Architecture": self._architecture,
            "APT::Architectures::": self._architecture,
            "APT::Install-Recommends": "false",
            # The scratch directory is closed to everybody else, so also to the user that apt would change to.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Dir::State": self._path("."),
            "Dir::State::lists": self.lists,
            "Dir::State::status": self._path("status"),
            "Dir::Cache": self._path("cache"),
            "Dir::Log": self._path("."),
            "Dir::Etc::main": self._path("empty/none"),
            "Dir::Etc::parts": self._path("empty"),
            "Dir::Etc::sourcelist": self._path("sources.list"),
            "Dir::Etc::sourceparts": self._path("empty"),
            "Dir::Etc::preferences": self._path("empty/none"),
            "Dir::Etc::preferencesparts": self._path("empty"),
        }
        text = acquire_settings() + "".join(f'{key} "{value}";\n' for key, value in settings.items())
        self._write("apt.conf", text)
        self._write("sources.list", sources_text(sources))
        self._write("status", "")

    def update(self, log: Callable[[bytes], None]) -> None:
        """Fetch the lists; ``log`` gets what apt prints."""
        done = self._run(["update", "--error-on=any"], "The package lists can't be fetched.")
        log(done)

    def simulate(self, arguments: Sequence[str], *, status: str) -> list[Package]:
        """What ``apt-get ARGUMENTS`` would install over the packages of a dpkg status."""
        self._write("status", status)
        printed = self._run(["--simulate", "--yes", *arguments], "The packages can't be installed together.").decode()
        return [Package(*match.groups()) for match in _INSTALLED.finditer(printed)]

    def stanzas(self, packages: Iterable[Package]) -> str:
        """A dpkg status in which these packages are installed."""
        names = [f"{package.name}={package.version}" for package in packages]
        if not names:
            return ""
        command = [process.require("apt-cache", "apt", "for apt:// bases"), "show", *names]
        shown = process.run(command, environment=self._environment).stdout.decode(errors="replace")
        return "".join(
            f"{item.strip()}\nStatus: install ok installed\n\n" for item in shown.split("\n\n") if item.strip()
        )

    def _run(self, arguments: Sequence[str], problem: str) -> bytes:
        command = [process.require("apt-get", "apt", "for apt:// bases"), *arguments]
        done = process.run(command, environment=self._environment, check=False)
        if done.returncode != 0:
            raise TransportError(problem, details=_complaints(done.stderr or done.stdout), hint=_hint(done.stderr))
        return done.stdout

    def _path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._folder, name))

    def _write(self, name: str, text: str) -> None:
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)


def sources_text(sources: Iterable[Source]) -> str:
    """The sources.list for apt.  Raises ``UsageError`` for a source whose key is not a file."""
    for source in sources:
        if " " in source.signed_by:
            raise UsageError(
                f"The source {source.suite} in {source.signed_by} can't be used for apt:// bases.",
                hint="put the key into a file and name it there with Signed-By",
            )
    return "".join(f"{source.line}\n" for source in sources)


def visible(text: str) -> str:
    """What apt prints, without the credentials of its addresses."""
    return re.sub(r"(?<=//)[^/@\s]+@", "", text)


def _complaints(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(("E:", "W:", "Err:"))]
    return visible("\n".join((told or lines)[-12:]))


def _hint(output: bytes) -> str:
    if b"Unable to locate package" in output or b"has no installation candidate" in output:
        return "check the names in “include”, and that the suite and its components have them"
    if b"NO_PUBKEY" in output or b"not signed" in output:
        return "the archive's key is missing here: install the package debian-archive-keyring or ubuntu-keyring"
    return "check the network, a proxy (http_proxy), and the mirror; another one is named with mirror=URL"
