"""Images to registries and back, and being logged in there: ``docker pull``, ``push``, ``login`` and ``logout``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..engines.embedded.engine import EmbeddedEngine
from ..engines.embedded.pulling import Pulled
from ..engines.embedded.pulling import pull as pull_image
from ..engines.embedded.pushing import push_images
from ..engines.embedded.steps import Steps
from ..engines.outputs import read_packing
from ..errors import UsageError
from ..progress import Reporter, silent
from ..reference import DEFAULT_DOMAIN, Platform, Reference
from ..store.store import Store
from . import images

if TYPE_CHECKING:
    from ..transports.registry.push import Pushed


def pull(store: Store, name: str, *, platform: Platform | None = None, report: Reporter = silent) -> Pulled:
    """Bring an image from its registry into the store, whether or not one of this name is here.

    Raises ``ImageNotFoundError``, ``ImageError`` and ``TransportError``; then the name leads to what it led to before.
    """
    reference = Reference.parse(name)
    with Steps(report).step(f"pull {reference}") as step:
        return pull_image(store, reference, platform=platform or Platform.host(), report=report, step=step)


def push(
    store: Store,
    name: str,
    *,
    source: str = "",
    platform: Platform | None = None,
    attributes: Sequence[tuple[str, str]] = (),
    report: Reporter = silent,
) -> Pushed:
    """Push an image of the store to the registry that ``name`` says, for all platforms that it has or for ``platform``.

    ``source`` is another name or an id of the image, where it is not ``name``.  ``attributes`` are those of
    ``-o type=registry`` that say how to pack it.  Raises ``ImageNotFoundError`` and ``TransportError``.
    """
    reference = Reference.parse(name)
    if reference.digest is not None:
        raise UsageError(f"“{name}” has a digest, which an image gets by being pushed.", hint="give a name and a tag")
    packing = read_packing(attributes)
    stored = images.get_all(store, source or name, platform)
    from ..transports.registry.session import Registries

    with (
        closing(EmbeddedEngine(store, report=report)) as engine,
        Registries() as registries,
        Steps(report).step(f"push {reference}") as step,
    ):
        return push_images(
            store, engine.faces, stored, reference, packing, report=report, step=step, registries=registries
        )


def login(server: str, username: str, password: str) -> str:
    """Try credentials at a registry and keep them as Docker does; returns where: a helper, or the path of a file.

    A token service may give an identity token; that is kept then, and the password is not.
    Raises ``UnauthorizedError`` if the registry does not take them; then nothing is kept.
    """
    from ..transports.registry.credentials import Credentials, config_path
    from ..transports.registry.login import remember
    from ..transports.registry.session import Registries

    if not username or not password:
        raise UsageError("A login needs a user and a password.", hint="give --username, and --password-stdin")
    domain = registry_of(server)
    credentials = Credentials(username=username, password=password)
    with Registries(find=lambda name: credentials) as registries:
        connection = registries.connection(registries.settings.endpoint(domain))
        connection.auth.want_identity_token()
        answer = connection.ping()
        if answer.status != 200:
            raise connection.error(answer, f"The login of {username}", action="take")
        token = connection.auth.identity_token
    kept = Credentials(username=username, identity_token=token) if token else credentials
    return remember(domain, kept, config_path())


def logout(server: str) -> bool:
    """Forget the credentials for a registry; returns whether there were any."""
    from ..transports.registry.credentials import config_path
    from ..transports.registry.login import forget

    return forget(registry_of(server), config_path())


def registry_of(server: str) -> str:
    """The registry that a person means: nothing is docker.io, and a URL is its host."""
    host = urlsplit(server).netloc if "://" in server else server.partition("/")[0]
    if not server or host in ("index.docker.io", "registry-1.docker.io"):
        return DEFAULT_DOMAIN
    # What is no registry in front of a name is none by itself either.
    reference = Reference.parse(f"{host}/name")
    if reference.domain != host:
        raise UsageError(f"“{server}” is not a registry.", hint="write host[:port], such as ghcr.io or registry:5000")
    return host
