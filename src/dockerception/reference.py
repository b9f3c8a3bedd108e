"""Names of images, digests and platforms: parsed once at the edge into frozen values.

The grammar is that of the distribution project's ``reference`` package: ``[domain/]path[:tag][@digest]``, where the
first component is a domain only if it has a dot, a colon or is ``localhost``.
"""

from __future__ import annotations

import os
import re

import msgspec

from .errors import UsageError

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_OFFICIAL_PREFIX = "library/"
_MAX_NAME_LENGTH = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_DOMAIN = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Digest(msgspec.Struct, frozen=True, order=True):
    """A content digest (image-spec descriptor.md, "Digests").  ``str()`` gives ``algorithm:hex``."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:…``; raises ``UsageError`` for anything else."""
        if not _DIGEST.fullmatch(text):
            raise UsageError(f"“{text}” is not a digest.", hint="write it as sha256: and 64 lower-case hex digits")
        algorithm, _, value = text.partition(":")
        return cls(algorithm, value)

    @classmethod
    def sha256(cls, raw: bytes) -> Digest:
        """The digest whose 32 raw bytes are given (what ``hashlib``'s ``digest()`` returns)."""
        return cls("sha256", raw.hex())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Reference(msgspec.Struct, frozen=True, order=True):
    """A fully qualified image name.  ``str()`` is canonical, ``familiar`` is what a person types."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as Docker does (defaults: ``docker.io``, ``library/``, ``latest``).

        Raises ``UsageError`` that names the offending part; 64 hex digits are no name, but the beginning of an id.
        """
        if _IDENTIFIER.fullmatch(text):
            raise _bad_name(text, "64 hexadecimal digits mean an image id")
        rest, _, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if "@" in text else None
        name, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            name, tag = rest, ""
        elif not _TAG.fullmatch(tag):
            raise _bad_name(text, f"“{tag}” is not a tag")
        if not name:
            raise _bad_name(text, "it has no name")
        domain, path = _split_domain(name)
        if not _PATH.fullmatch(path):
            reason = "names are lower case" if path != path.lower() else f"“{path}” is not a repository path"
            raise _bad_name(text, reason)
        if not _DOMAIN.fullmatch(domain):
            raise _bad_name(text, f"“{domain}” is not a registry")
        if len(domain) + 1 + len(path) > _MAX_NAME_LENGTH:
            raise _bad_name(text, f"it has more than {_MAX_NAME_LENGTH} characters")
        return cls(domain, path, tag if tag or digest else DEFAULT_TAG, digest)

    @classmethod
    def to_give(cls, text: str) -> Reference:
        """Read the name that an image is to get.  Raises ``UsageError`` as ``parse``, and for names that none can get:
        those with a digest, and ``scratch``, which in a Dockerfile means no image at all."""
        reference = cls.parse(text)
        if reference.digest is not None:
            raise UsageError(f"“{text}” has a digest, which an image gets by what is in it.", hint="write NAME[:TAG]")
        if (reference.domain, reference.path) == (DEFAULT_DOMAIN, f"{_OFFICIAL_PREFIX}scratch"):
            raise UsageError(
                f"No image can be called “{text}”: “FROM scratch” means an empty one.", hint="choose another name"
            )
        return reference

    @property
    def familiar(self) -> str:
        """The short form: ``docker.io/library/app:latest`` is ``app:latest``."""
        short = self.path.removeprefix(_OFFICIAL_PREFIX)
        for name in (short, self.path):
            if _split_domain(name) == (self.domain, self.path):
                return name + self._suffix()
        return str(self)

    @property
    def repository(self) -> str:
        """Domain and path without tag and digest."""
        return f"{self.domain}/{self.path}"

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}{self._suffix()}"


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = first, rest
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _OFFICIAL_PREFIX + path
    return domain, path


def _bad_name(text: str, reason: str) -> UsageError:
    return UsageError(
        f"“{text}” is not an image name: {reason}.", hint="write it as [registry/]name[:tag][@digest], in lower case"
    )


_MACHINES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
    "mips64": ("mips64", ""),
}
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386"}
_IMPLIED_VARIANTS = {"arm": "v7", "armhf": "v7", "armel": "v6"}
_PLAIN_VARIANTS = {("arm64", "v8"), ("amd64", "v1")}
_VARIANT = re.compile(r"[a-z0-9_.-]*")
_SYSTEMS = {"linux", "windows", "darwin", "freebsd"}
_ARCHITECTURES = {arch for arch, _ in _MACHINES.values()} | {"mips64le", "wasm"}


class Platform(msgspec.Struct, frozen=True, order=True):
    """Operating system, architecture and variant (image-spec image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/arch[/variant]`` or a bare ``arch``; raises ``UsageError``."""
        parts = text.lower().split("/")
        if len(parts) == 1 and parts[0] in _SYSTEMS:
            parts = [parts[0], Platform.host().architecture]
        elif len(parts) == 1:
            parts = ["linux", parts[0]]
        system, name, variant = (*parts, "")[:3]
        architecture = _ALIASES.get(name, name)
        is_known = system in _SYSTEMS and architecture in _ARCHITECTURES
        if len(parts) > 3 or not is_known or not _VARIANT.fullmatch(variant):
            raise UsageError(
                f"“{text}” is not a platform.", hint="write it as os/architecture[/variant], such as linux/amd64"
            )
        return cls(system, architecture, _normal_variant(name, architecture, variant))

    @classmethod
    def parse_all(cls, text: str) -> tuple[Platform, ...]:
        """Read platforms that commas separate, each once, ``local`` being this machine's; raises ``UsageError``."""
        words = [word.strip() for word in text.split(",") if word.strip()]
        return tuple(dict.fromkeys(cls.host() if word == "local" else cls.parse(word) for word in words))

    @classmethod
    def of(cls, system: str, architecture: str, variant: str = "") -> Platform:
        """The platform that a document names, which may say what an architecture has anyway; equal ones are equal."""
        return cls(system, architecture, _normal_variant(architecture, architecture, variant))

    @classmethod
    def host(cls) -> Platform:
        """The platform that RUN executes on here: Linux on this machine's architecture."""
        machine = os.uname().machine
        architecture, variant = _MACHINES.get(machine, (machine, ""))
        return cls("linux", architecture, variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def _normal_variant(name: str, architecture: str, variant: str) -> str:
    """The variant as containerd normalises it: what an architecture has anyway is left out."""
    if variant.isdecimal():
        variant = f"v{variant}"
    if not variant:
        return _IMPLIED_VARIANTS.get(name, "")
    return "" if (architecture, variant) in _PLAIN_VARIANTS else variant
