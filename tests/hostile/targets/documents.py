"""JSON and TOML from elsewhere: manifests and configs of images, documents of caches, settings."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dockerception import user_config
from dockerception.engines.embedded.sharing import document
from dockerception.oci import config as image_config
from dockerception.oci import manifest
from dockerception.reference import Platform
from dockerception.transports import docker_contexts
from dockerception.transports.registry import credentials, hosts
from hostile.targets.guard import guarded, refused

HOST: Final = Platform("linux", "amd64")
_REGISTRIES: Final = ("registry.example", "docker.io")


def documents(data: bytes) -> None:
    """A manifest, an index and a config; what is understood is written and understood again."""
    refused(_manifest, data)
    refused(lambda raw: manifest.choose(manifest.decode_index(raw), HOST), data)
    refused(_config, data)


def _manifest(data: bytes) -> None:
    found = manifest.decode_manifest(data)
    assert manifest.decode_manifest(manifest.encode(found)) == found


def _config(data: bytes) -> None:
    found = image_config.decode(data)
    assert image_config.decode(image_config.encode(found)) == found
    image_config.parse_time(found.created)
    str(found.platform)


@guarded
def cache(data: bytes) -> None:
    """What a cache elsewhere says it has."""
    found = document.decode(data, origin="The cache")
    assert document.decode(document.encode(found), origin="The cache") == found


def docker_config(data: bytes) -> None:
    """Docker's settings: credentials, and the address of a context's daemon."""
    with _written(data, "config.json", "DOCKER_CONFIG", "") as path:
        for registry in _REGISTRIES:
            refused(lambda _, name=registry: _credentials(name, path), data)  # type: ignore[misc]
        refused(lambda _: docker_contexts.current_name(), data)
    name = "somewhere"
    place = f"contexts/meta/{hashlib.sha256(name.encode()).hexdigest()}"
    with _written(data, "meta.json", "DOCKER_CONFIG", place):
        refused(lambda _: docker_contexts.find(name), data)


def _credentials(registry: str, path: str) -> None:
    config = credentials.read_config(path)
    if not credentials.helper_for(registry, config):  # no program is started here
        found = credentials.find_credentials(registry, path)
        assert found is None or found.basic.isascii()


@guarded
def config(data: bytes) -> None:
    """The user's config file, and the registries' settings that follow from it."""
    with _written(data, "config.toml", "XDG_CONFIG_HOME", "dockerception"):
        found = user_config.load()
        hosts.Settings.from_environment({})
        repr(found)


@contextmanager
def _written(data: bytes, name: str, variable: str, below: str) -> Iterator[str]:
    """A file in a new directory, to which the environment leads."""
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, below), exist_ok=True)
        path = os.path.join(folder, below, name)
        with open(path, "wb") as file:
            file.write(data)
        os.environ[variable] = folder
        try:
            yield path
        finally:
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before
