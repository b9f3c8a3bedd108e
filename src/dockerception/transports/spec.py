"""Where an image comes from, as a user writes it: ``apt://…``, ``docker://NAME``, ``oci-layout://DIR`` and so on.

Each transport's module is imported when it is used.  Plain directories, ``docker-image://`` names and URLs are others'
business.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ..errors import UsageError
from ..reference import Digest, Platform, Reference

if TYPE_CHECKING:
    from .base import SourceImage
    from .file_image import FileImage

Kind = Literal["apt", "oci-layout", "oci-archive", "docker-archive", "docker-daemon", "docker", "rootfs"]

_SCHEMES: Final[dict[str, Kind]] = {
    "apt://": "apt",
    "oci-layout:": "oci-layout",
    "oci-archive:": "oci-archive",
    "docker-archive:": "docker-archive",
    "docker-daemon:": "docker-daemon",
    "docker://": "docker",
    "rootfs:": "rootfs",
}


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed source.

    ``text`` is as the user wrote it.  ``path`` is a file or a directory; for a daemon it is empty.  ``name`` is the
    image's name, id or tag inside the place, empty for the only one.
    """

    text: str
    kind: Kind
    path: str = ""
    name: str = ""
    digest: str = ""


def is_source(text: str) -> bool:
    """Whether this is a source that ``parse`` knows."""
    return text.startswith(tuple(_SCHEMES))


def parse(text: str) -> SourceSpec:
    """Read a source; raises ``UsageError`` that lists the schemes there are, or says what is wrong with this one.

    A path may hold colons: what names an existing file is the path, the rest is the image's name.
    """
    kind = next((kind for scheme, kind in _SCHEMES.items() if text.startswith(scheme)), None)
    if kind is None:
        known = ", ".join(_SCHEMES)
        raise UsageError(f"“{text}” does not say what kind of image source it is.", hint=f"there are: {known}")
    if kind == "apt":
        from . import apt

        apt.parse(text)
        return SourceSpec(text=text, kind=kind)
    rest = text.partition(":")[2]
    rest = rest.removeprefix("//")
    if not rest:
        raise UsageError(f"“{text}” names nothing.", hint=f"write it as {kind}:PATH")
    if kind == "docker":
        Reference.parse(rest)
        return SourceSpec(text=text, kind=kind, name=rest)
    if kind == "docker-daemon":
        return SourceSpec(text=text, kind=kind, name=rest)
    if kind == "rootfs":
        return SourceSpec(text=text, kind=kind, path=rest)
    digest = ""
    if "@" in rest and not os.path.exists(rest):
        rest, _, digest = rest.rpartition("@")
        Digest.parse(digest)
    path, name = _split(rest)
    return SourceSpec(text=text, kind=kind, path=path, name=name, digest=digest)


def open_source(spec: SourceSpec, *, platform: Platform, scratch: str, log: Callable[[bytes], None]) -> SourceImage:
    """Open a source for reading; ``close`` what is returned.

    ``scratch`` is a directory for temporary files, some of them as big as the image; ``log`` gets the lines that tools
    print, from a thread of its own.  Raises the errors of the transport.
    """
    match spec.kind:
        case "apt":
            from . import apt

            return apt.open_image(apt.parse(spec.text), platform=platform, scratch=scratch, log=log)
        case "oci-layout" | "oci-archive":
            from . import oci_layout

            return oci_layout.open_image(
                spec.path, tag=spec.name, digest=spec.digest, platform=platform, scratch=scratch
            )
        case "docker-archive":
            from . import docker_archive

            return docker_archive.open_image(spec.path, name=spec.name or None, platform=platform, scratch=scratch)
        case "docker-daemon":
            import tempfile

            from . import docker_daemon

            spool = os.path.join(tempfile.mkdtemp(prefix="daemon-", dir=scratch), "image.tar")
            return docker_daemon.open_image(spec.name, platform=platform, spool=spool)
        case "docker":
            from .registry.pull import open_image

            return open_image(Reference.parse(spec.name), platform=platform)
        case "rootfs":
            from . import rootfs

            return rootfs.open_image(spec.path, platform=platform)


def open_archive(path: str, *, scratch: str) -> tuple[FileImage, ...]:
    """All images of an archive of either kind, or of an OCI layout's directory, with their names (``load``).

    Closing one closes the archive for all.  Raises ``ImageError`` for anything else.
    """
    from . import docker_archive, oci_layout

    if os.path.isdir(path):
        return oci_layout.open_images(path, scratch=scratch)
    try:
        return docker_archive.open_images(path, scratch=scratch)
    except docker_archive.NoManifestError:
        return oci_layout.open_images(path, scratch=scratch)


def _split(text: str) -> tuple[str, str]:
    """Path and name: the longest part in front of a colon that exists, else what is in front of the first colon."""
    position = len(text)
    while position > 0:
        if os.path.exists(text[:position]):
            return text[:position], text[position + 1 :]
        position = text.rfind(":", 0, position)
    path, _, name = text.partition(":")
    return path, name
