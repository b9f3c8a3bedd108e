"""The registries that one piece of work talks to: one HTTP client, a connection for each, and their repositories."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from ...http import Client, Policy
from ...reference import Reference
from .connection import Connection
from .credentials import Credentials, config_path, find_credentials
from .hosts import Endpoint, Settings
from .tokens import Scopes

Find = Callable[[str], Credentials | None]
PULL: Final = "pull"
PUSH: Final = "pull,push"


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository at one address.  ``title`` is what messages call it; ``scopes`` is what its tokens must allow."""

    connection: Connection
    path: str
    title: str
    scopes: Scopes

    def url(self, kind: str, rest: str) -> str:
        """The path of one of its resources: ``manifests``, ``blobs``."""
        return f"/v2/{self.path}/{kind}/{rest}"


class Registries:
    """Connections to registries, made when they are first needed; threads may share them.  A context manager.

    ``find(registry)`` gives the credentials for one, by default from Docker's config.
    """

    def __init__(
        self, *, settings: Settings | None = None, find: Find | None = None, policy: Policy | None = None
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self._find = find or (lambda domain: find_credentials(domain, config_path()))
        self._http = Client(tls_for=self.settings.tls, policy=policy)
        self._lock = threading.Lock()
        self._connections: dict[Endpoint, Connection] = {}

    def connection(self, endpoint: Endpoint) -> Connection:
        """The connection to an address."""
        with self._lock:
            if endpoint not in self._connections:
                self._connections[endpoint] = Connection(self._http, endpoint, lambda: self._find(endpoint.domain))
            return self._connections[endpoint]

    def sources(self, reference: Reference) -> list[Repository]:
        """Where a name can be pulled from: its mirrors, then the registry itself."""
        return [
            self._repository(endpoint, reference, (f"repository:{endpoint.path(reference.path)}:{PULL}",))
            for endpoint in self.settings.endpoints(reference.domain)
        ]

    def target(self, reference: Reference, *, mount_from: tuple[str, ...] = ()) -> Repository:
        """Where a name is pushed to.  ``mount_from`` are repositories of the same registry to take blobs over from."""
        scopes = (f"repository:{reference.path}:{PUSH}", *(f"repository:{path}:{PULL}" for path in sorted(mount_from)))
        return self._repository(self.settings.endpoint(reference.domain), reference, scopes)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _repository(self, endpoint: Endpoint, reference: Reference, scopes: Scopes) -> Repository:
        path = endpoint.path(reference.path)
        title = f"{endpoint.host}/{path}" if endpoint.is_mirror else reference.repository
        return Repository(connection=self.connection(endpoint), path=path, title=title, scopes=scopes)
