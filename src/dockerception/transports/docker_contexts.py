"""Docker's contexts: which daemon ``docker context use`` has chosen, and how it is reached.

They are read from the client's folder (``DOCKER_CONFIG``, else ``~/.docker``): ``contexts/meta/<digest of the name>/``
has a context's endpoint, ``contexts/tls/<digest of the name>/docker/`` its certificates.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import msgspec

from ..errors import TransportError
from ..oci.documents import UNREADABLE

DEFAULT = "default"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon of a context.  ``ca``, ``certificate`` and ``key`` are paths, empty where there is no such file."""

    host: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    skips_verification: bool = False


def current_name() -> str:
    """The context in use: ``DOCKER_CONTEXT``, else ``currentContext`` of ``config.json``, else ``default``.

    ``DOCKER_HOST`` makes it ``default``, whatever the others say.
    """
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT
    chosen = os.environ.get("DOCKER_CONTEXT", "")
    return chosen or str(_document(os.path.join(_folder(), "config.json")).get("currentContext") or DEFAULT)


def find(name: str) -> Endpoint:
    """The endpoint of a context other than ``default``.  Raises ``TransportError`` where there is none."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    contexts = os.path.join(_folder(), "contexts")
    document = _document(os.path.join(contexts, "meta", digest, "meta.json"))
    try:
        docker = document["Endpoints"]["docker"]
        host = str(docker["Host"])
    except (KeyError, TypeError) as error:
        raise TransportError(
            f"There is no Docker context “{name}” with the address of a daemon.",
            hint="“docker context ls” shows those there are",
        ) from error
    folder = os.path.join(contexts, "tls", digest, "docker")
    return Endpoint(
        host=host,
        ca=_existing(folder, "ca.pem"),
        certificate=_existing(folder, "cert.pem"),
        key=_existing(folder, "key.pem"),
        skips_verification=bool(docker.get("SkipTLSVerify")),
    )


def _folder() -> str:
    return os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")


def _existing(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    return path if os.path.exists(path) else ""


def _document(path: str) -> dict[str, Any]:
    """A JSON object; an empty one where there is no file."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, *UNREADABLE) as error:
        raise TransportError(f"Docker's file {path} can't be read: {error}.") from error
