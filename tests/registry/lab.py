"""A store, an image or two in it, and ways to a registry whose retries do not take long."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from dockerception.engines.embedded.engine import EmbeddedEngine
from dockerception.engines.embedded.importing import import_image
from dockerception.engines.embedded.pulling import Pulled, pull
from dockerception.engines.embedded.pushing import push_images
from dockerception.engines.embedded.steps import Steps
from dockerception.engines.outputs import read_packing
from dockerception.http import Policy
from dockerception.progress import Event, silent
from dockerception.reference import Platform, Reference
from dockerception.store.images import StoredImage
from dockerception.store.store import Store
from dockerception.transports import docker_archive
from dockerception.transports.registry.push import Pushed
from dockerception.transports.registry.session import Registries
from support.tools import need
from unit.transports.images import config_of, outgoing, sha256, written


class Lab:
    """One store.  ``waits`` are the seconds that retries would have waited; ``events`` is progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(str(folder / "store"))
        self.waits: list[float] = []
        self.events: list[Event] = []
        self.policy = Policy(sleep=self.waits.append)

    def add(self, *layers: bytes, name: str = "app") -> StoredImage:
        """An image with these layers (tars), as if it had been loaded from an archive."""
        path = self.folder / "image.tar"
        path.write_bytes(written(docker_archive.write, outgoing(*layers, names=(name,))))
        with closing(docker_archive.open_image(str(path), platform=Platform.host())) as source:
            return import_image(self.store, source, names=(Reference.parse(name),), report=silent)

    def push(self, image: StoredImage, name: str, **attributes: str) -> Pushed:
        """Push an image under a name; attributes as of an output, ``_`` for ``-``."""
        given = [(key.replace("_", "-"), value) for key, value in attributes.items()]
        with (
            closing(EmbeddedEngine(self.store)) as engine,
            Steps(self.events.append).step("push") as step,
            Registries(policy=self.policy) as registries,
        ):
            return push_images(
                self.store,
                engine.faces,
                [image],
                Reference.parse(name),
                read_packing(given),
                report=self.events.append,
                step=step,
                registries=registries,
            )

    def pull(self, name: str, platform: Platform | None = None) -> Pulled:
        """Pull a name into the store."""
        with Steps(self.events.append).step("pull") as step, Registries(policy=self.policy) as registries:
            return pull(
                self.store,
                Reference.parse(name),
                platform=platform or Platform.host(),
                report=self.events.append,
                step=step,
                registries=registries,
            )

    def names(self) -> list[str]:
        """All names in the store."""
        return [name for listed in self.store.images.all() for name in listed.names]

    def leftovers(self) -> list[str]:
        """What is unfinished in the store."""
        return [path.name for path in Path(self.store.scratch).iterdir()] if Path(self.store.scratch).is_dir() else []


def skopeo(*arguments: str) -> str:
    """Run skopeo, certificates unchecked; returns its stdout."""
    done = subprocess.run([need("skopeo"), *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    """What skopeo says of an image in a registry."""
    found: dict[str, Any] = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
    return found


def raw_manifest(name: str) -> bytes:
    """A manifest's exact bytes, fetched by skopeo."""
    return skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}").encode()


class Layout:
    """A layout in a directory that skopeo copies into a registry: one image, or an index of several."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Add a blob; returns its descriptor."""
        digest = sha256(data)
        (self.folder / "blobs/sha256" / digest[7:]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def image(self, *layers: bytes, architecture: str = "amd64", compress: bool = True) -> dict[str, Any]:
        """Add an image; returns its descriptor with the platform."""
        kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if compress else "")
        config = config_of(*layers, architecture=architecture)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.put(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [self.put(gzip.compress(tar, mtime=0) if compress else tar, kind) for tar in layers],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return self.put(_json(manifest), str(manifest["mediaType"]), platform=platform)

    def index(self, *manifests: Mapping[str, Any]) -> dict[str, Any]:
        """Add an index; returns its descriptor."""
        kind = "application/vnd.oci.image.index.v1+json"
        return self.put(_json({"schemaVersion": 2, "mediaType": kind, "manifests": list(manifests)}), kind)

    def copy(self, descriptor: Mapping[str, Any], name: str) -> None:
        """Have skopeo copy what a descriptor names, all platforms of it."""
        entry = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": "x"}}
        index = {"schemaVersion": 2, "manifests": [entry]}
        (self.folder / "index.json").write_bytes(_json(index))
        skopeo("copy", "--quiet", "--all", "--dest-tls-verify=false", f"oci:{self.folder}:x", f"docker://{name}")


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
