"""How a registry is reached: its address, mirrors in front of it, its certificates, and whether plain http will do.

``DOCKERCEPTION_INSECURE_REGISTRIES`` lists hosts (``host``, ``host:port``, CIDR blocks) whose certificates are not
checked, and which may speak http.  ``DOCKERCEPTION_REGISTRY_MIRRORS`` lists ``registry=mirror`` pairs.  Items are
separated by commas or blanks.  The user's config file says the same, a table a registry; the variables add to what is
insecure, and replace the mirrors of the registries that they name.  docs/reference/registries.md is the reference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ... import user_config
from ...errors import TransportError, UsageError
from ...http import Tls
from ...http.messages import origin_of
from ...http.proxy import is_loopback, is_within
from ...reference import DEFAULT_DOMAIN
from ...user_config import UserConfig

_HUB_HOST: Final = "registry-1.docker.io"
INSECURE_VARIABLE: Final = "DOCKERCEPTION_INSECURE_REGISTRIES"
MIRRORS_VARIABLE: Final = "DOCKERCEPTION_REGISTRY_MIRRORS"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A registry's address.

    ``domain`` is what its credentials are kept under; ``host`` may have a port; ``prefix`` goes before repository
    paths.  ``may_be_http`` allows plain http where https is not spoken.
    """

    domain: str
    host: str
    prefix: str = ""
    may_be_http: bool = False
    is_mirror: bool = False

    def path(self, repository: str) -> str:
        """A repository's path at this address."""
        return f"{self.prefix}/{repository}" if self.prefix else repository


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has set about registries.  ``certificate_folders`` have a folder for each host, strongest first."""

    insecure: tuple[str, ...] = ()
    mirrors: tuple[tuple[str, str], ...] = ()
    authorities: Mapping[str, tuple[str, ...]] = {}
    certificate_folders: tuple[str, ...] = ()

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        config: UserConfig | None = None,
        *,
        insecure: Sequence[str] = (),
    ) -> Settings:
        """Read both variables and the config file; raises ``UsageError`` that names the item that is wrong.

        ``insecure`` are more hosts whose certificates are not checked.
        """
        environment = os.environ if environment is None else environment
        config = config or user_config.load()
        folder = environment.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
        configured = [host for host, registry in config.registries.items() if registry.insecure]
        mirrors = [_mirror(item) for item in _items(environment.get(MIRRORS_VARIABLE, ""))]
        return cls(
            insecure=(*configured, *insecure, *_items(environment.get(INSECURE_VARIABLE, ""))),
            mirrors=(*mirrors, *_configured_mirrors(config, {registry for registry, _ in mirrors})),
            authorities={host.lower(): registry.ca for host, registry in config.registries.items() if registry.ca},
            certificate_folders=(os.path.join(folder, "certs.d"), "/etc/docker/certs.d"),
        )

    def endpoint(self, domain: str) -> Endpoint:
        """The registry itself."""
        host = _HUB_HOST if domain == DEFAULT_DOMAIN else domain
        return Endpoint(domain=domain, host=host, may_be_http=self._may_be_http(host))

    def endpoints(self, domain: str) -> list[Endpoint]:
        """Where to pull from: the mirrors in their order, then the registry itself."""
        mirrors = [self._mirror(address) for name, address in self.mirrors if name == domain]
        return [*mirrors, self.endpoint(domain)]

    def tls(self, host: str) -> Tls:
        """The TLS settings for ``host[:port]``, from Docker's ``certs.d`` layout: ``*.crt`` are authorities, ``*.cert``
        with ``*.key`` are ours.  Raises ``TransportError`` for a certificate without a key."""
        host = host.lower()
        folder = self._folder(host)
        names = sorted(os.listdir(folder)) if folder else []
        return Tls(
            ca_files=(
                *(os.path.join(folder, name) for name in names if name.endswith(".crt")),
                *self.authorities.get(host, ()),
            ),
            certificates=tuple(_pair(folder, name, names) for name in names if name.endswith(".cert")),
            is_verified=not self._is_insecure(host),
        )

    def _folder(self, host: str) -> str:
        candidates = [os.path.join(folder, host) for folder in self.certificate_folders]
        return next((each for each in candidates if os.path.isdir(each) and os.access(each, os.R_OK | os.X_OK)), "")

    def _may_be_http(self, host: str) -> bool:
        return self._is_insecure(host.lower()) or is_loopback(_name(host))

    def _is_insecure(self, host: str) -> bool:
        name = _name(host)
        return any(item.lower() in (host, name) or is_within(name, item) for item in self.insecure)

    def _mirror(self, address: str) -> Endpoint:
        parts = urlsplit(address)
        return Endpoint(
            domain=parts.netloc,
            host=parts.netloc,
            prefix=parts.path.strip("/"),
            may_be_http=parts.scheme == "http" or self._may_be_http(parts.netloc),
            is_mirror=True,
        )


def _items(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _mirror(item: str) -> tuple[str, str]:
    registry, equals, address = item.partition("=")
    if not equals or not registry or not address:
        raise UsageError(
            f"“{item}” in {MIRRORS_VARIABLE} is not a mirror.", hint="write REGISTRY=MIRROR, e.g. docker.io=mirror:5000"
        )
    return registry, _address(address, MIRRORS_VARIABLE)


def _configured_mirrors(config: UserConfig, replaced: Set[str]) -> Iterator[tuple[str, str]]:
    for registry, found in config.registries.items():
        if registry not in replaced:
            yield from ((registry, _address(mirror, config.path)) for mirror in found.mirrors)


def _address(text: str, origin: str) -> str:
    """A mirror's address as a URL; ``origin`` is where it is written."""
    address = text if "://" in text else f"https://{text}"
    try:
        scheme, host, _ = origin_of(address)
        if scheme in ("http", "https") and host:
            return address
    except TransportError:
        pass
    raise UsageError(f"“{text}” in {origin} is not an address of a mirror.", hint="write host[:port]")


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or host


def _pair(folder: str, name: str, names: list[str]) -> tuple[str, str]:
    key = f"{name.removesuffix('.cert')}.key"
    if key not in names:
        raise TransportError(
            f"The client certificate {os.path.join(folder, name)} has no key beside it.", hint=f"add {key}"
        )
    return os.path.join(folder, name), os.path.join(folder, key)
