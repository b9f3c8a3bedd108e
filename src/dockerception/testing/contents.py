"""What a test registry holds: blobs, manifests, tags and uploads, in memory."""

from __future__ import annotations

import hashlib
import secrets
import threading

import msgspec


class Manifest(msgspec.Struct, frozen=True):
    """A manifest or an index as it was pushed."""

    media_type: str
    data: bytes


class Contents:
    """One registry's contents; threads share it.  A repository is known by its path."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[str, dict[str, Manifest]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, bytearray] = {}

    def blob(self, repository: str, digest: str) -> bytes | None:
        """A repository's blob."""
        with self.lock:
            return self.blobs.get(repository, {}).get(digest)

    def add_blob(self, repository: str, data: bytes) -> str:
        """Put a blob into a repository; returns its digest."""
        digest = digest_of(data)
        with self.lock:
            self.blobs.setdefault(repository, {})[digest] = data
        return digest

    def manifest(self, repository: str, name: str) -> Manifest | None:
        """The manifest that a tag or a digest leads to."""
        with self.lock:
            digest = self.tags.get(repository, {}).get(name, name)
            return self.manifests.get(repository, {}).get(digest)

    def add_manifest(self, repository: str, name: str, manifest: Manifest) -> str:
        """Put a manifest into a repository, under a tag too unless the name is a digest; returns its digest."""
        digest = digest_of(manifest.data)
        with self.lock:
            self.manifests.setdefault(repository, {})[digest] = manifest
            if ":" not in name:
                self.tags.setdefault(repository, {})[name] = digest
        return digest

    def lacks(self, repository: str, manifest: Manifest) -> list[str]:
        """The digests that a manifest names and that the repository does not have."""
        document = msgspec.json.decode(manifest.data, type=dict[str, msgspec.Raw])
        named: list[str] = []
        for field in ("config", "layers", "manifests"):
            if field in document:
                value = msgspec.json.decode(document[field])
                named += [item["digest"] for item in (value if isinstance(value, list) else [value])]
        with self.lock:
            there = {*self.blobs.get(repository, {}), *self.manifests.get(repository, {})}
        return [digest for digest in named if digest not in there]

    def begin_upload(self) -> str:
        """Begin an upload; returns its name."""
        name = secrets.token_hex(8)
        with self.lock:
            self.uploads[name] = bytearray()
        return name


def digest_of(data: bytes) -> str:
    """The SHA-256 digest of these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
