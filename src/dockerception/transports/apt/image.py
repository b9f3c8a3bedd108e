"""Packages as a ``SourceImage``: nothing is fetched before somebody asks for what only the archive knows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import TransportError
from ...oci.chunks import reader_of
from ...reference import Platform
from ..base import Read, SourceLayer
from ..plain_config import plain_config
from . import resolve, setup, sources, strap
from .resolve import Resolution
from .rewrite import Rules
from .spec import BUSYBOX, AptSpec, debian_architecture, platform_of

_SHELLS = (("bash", "/bin/bash"), ("dash", "/bin/sh"), ("busybox-static", "/bin/sh"))


class AptImage:
    """One layer of packages.

    ``identity`` fetches the package lists (seconds) and is the digest of the resolved versions: while it stays the
    same, there is nothing new to build.  ``read_layer`` installs exactly what the identity was taken from.
    """

    layers = (SourceLayer(),)

    def __init__(self, spec: AptSpec, platform: Platform, scratch: str, log: strap.Log) -> None:
        strap.check_machine()
        self._spec = spec
        self._architecture = debian_architecture(spec, platform)
        self._sources = sources.choose(spec)
        self._sources_list = sources.image_sources(self._sources, spec, self._architecture)
        self._log = log
        self._folder = _make_folder(scratch)
        self._resolved: Resolution | None = None

    @property
    def identity(self) -> str:
        """The digest of the package versions; raises ``TransportError`` if they can't be found out."""
        return resolve.identity(self._spec, self._resolution, self._sources_list)

    @property
    def packages(self) -> tuple[str, ...]:
        """What is installed, sorted, as ``name=version=architecture``."""
        return tuple(str(package) for package in self._resolution.packages)

    @property
    def config_bytes(self) -> bytes:
        """A config with a shell as its command, where there is one."""
        names = self._resolution.names
        what = " ".join([self._sources[0].suite, self._spec.variant, *self._spec.include])
        command = next(((path,) for name, path in _SHELLS if name in names), ())
        if self._spec.variant == BUSYBOX:
            command = ("sh",)
        return plain_config(
            platform_of(self._architecture),
            origin=f"packages: {what}",
            created=self._resolution.epoch,
            command=command,
        )

    @contextmanager
    def read_layer(self, index: int) -> Iterator[Read]:
        """The tar, made while it is read.  Leaving early ends the installation."""
        chunks = strap.layer(
            self._spec,
            self._resolution,
            self._architecture,
            self._sources[0].suite,
            self._rules(),
            self._folder,
            self._log,
        )
        try:
            yield reader_of(chunks)
        finally:
            chunks.close()

    def close(self) -> None:
        """Remove the package lists."""
        import shutil

        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _resolution(self) -> Resolution:
        if self._resolved is None:
            self._resolved = resolve.resolve(self._spec, self._sources, self._architecture, self._folder, self._log)
        return self._resolved

    def _rules(self) -> Rules:
        epoch = self._resolution.epoch
        extras = setup.busybox_extras(epoch) if self._spec.variant == BUSYBOX else {}
        if self._spec.has_package_manager:
            path = "etc/apt/sources.list"
            extras[path] = setup.file_extra(path, self._sources_list, epoch)
        return Rules(
            epoch=epoch,
            extras=extras,
            keeps_docs=self._spec.keeps_docs,
            has_package_manager=self._spec.has_package_manager,
        )


def open_image(spec: AptSpec, *, platform: Platform, scratch: str, log: strap.Log) -> AptImage:
    """The image of a spec; ``log`` gets what apt and mmdebstrap print, in whole lines, from a thread of its own.

    ``scratch`` is a directory on a disk with room: as root the installation happens below it.  Raises ``MachineError``
    where mmdebstrap can't work, ``UsageError`` for a spec that means nothing here.
    """
    return AptImage(spec, platform, scratch, log)


def _make_folder(scratch: str) -> str:
    try:
        return tempfile.mkdtemp(prefix="apt-", dir=scratch)
    except OSError as error:
        raise TransportError(f"{os.path.abspath(scratch)} can't be written: {error.strerror}.") from error
