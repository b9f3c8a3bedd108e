"""Manifests and indexes of a repository (distribution-spec, "Pulling manifests" and "Pushing Manifests")."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from ...errors import ImageError, TransportError
from ...http import Whole
from ...oci import media_types
from ...oci.documents import UNREADABLE
from ...reference import Digest
from ..verified import check_document
from .session import Repository

_LIMIT: Final = 4 << 20  # the specification's own bound for what a registry must take
_ACCEPTED: Final = (
    media_types.OCI_INDEX,
    media_types.DOCKER_LIST,
    media_types.OCI_MANIFEST,
    media_types.DOCKER_MANIFEST,
)
_SCHEMA_1: Final = ("application/vnd.docker.distribution.manifest.v1",)


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest or an index: its exact bytes, what they are, and their digest."""

    data: bytes
    media_type: str
    digest: str


def get(repository: Repository, name: str) -> Fetched:
    """The manifest or index that a tag, or a digest, leads to; its bytes checked against both digests, if there are.

    Raises ``ImageNotFoundError`` if there is none, ``ImageError`` for one that is damaged or of a kind that can't be
    used, and what the registry refuses with.
    """
    subject = f"The manifest {_title(repository, name)}"
    headers = {"accept": ", ".join(_ACCEPTED)}
    whole = repository.connection.fetch(
        "GET", repository.url("manifests", name), scopes=repository.scopes, headers=headers, limit=_LIMIT
    )
    if whole.status != 200:
        raise repository.connection.error(whole, subject)
    if whole.is_truncated:
        raise ImageError(f"{subject} has more than {_LIMIT >> 20} MiB.")
    media_type = _media_type(whole, subject)
    _check(whole, name, subject)
    return Fetched(data=whole.body, media_type=media_type, digest=f"sha256:{hashlib.sha256(whole.body).hexdigest()}")


def find(repository: Repository, name: str) -> str:
    """The digest that a tag leads to, without its manifest; empty if there is none or the registry does not say."""
    headers = {"accept": ", ".join(_ACCEPTED)}
    with repository.connection.send(
        "HEAD", repository.url("manifests", name), scopes=repository.scopes, headers=headers
    ) as response:
        return response.headers.get("docker-content-digest", "") if response.status == 200 else ""


def put(repository: Repository, name: str, data: bytes, media_type: str) -> str:
    """Push a manifest or an index under a tag or its digest; returns the digest.  All that it names must be there."""
    response = repository.connection.send(
        "PUT",
        repository.url("manifests", name),
        scopes=repository.scopes,
        headers={"content-type": media_type},
        body=data,
    )
    subject = f"The manifest {_title(repository, name)}"
    if response.status not in (200, 201, 202):
        raise repository.connection.error(response, subject, action="take")
    response.close()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    stated = response.headers.get("docker-content-digest", digest)
    if stated.startswith("sha256:") and stated != digest:
        raise TransportError(f"{subject} has arrived damaged: the registry has {stated}, but {digest} was sent.")
    return digest


def _title(repository: Repository, name: str) -> str:
    return f"{repository.title}{'@' if ':' in name else ':'}{name}"


def _media_type(whole: Whole, subject: str) -> str:
    """What the document is: as the header says, else as it says itself."""
    stated = whole.headers.get("content-type", "").partition(";")[0].strip()
    try:
        document = msgspec.json.decode(whole.body, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(document["schemaVersion"], type=int) if "schemaVersion" in document else 0
        own = msgspec.json.decode(document["mediaType"], type=str) if "mediaType" in document else ""
    except UNREADABLE as error:
        raise ImageError(f"{subject} is not a valid document: {error}.", hint="push the image again") from error
    if stated.startswith(_SCHEMA_1) or version == 1:
        raise ImageError(
            f"{subject} is of Docker's schema 1, which was given up in 2017 because it can't be verified.",
            hint="pull and push it again with Docker 1.10 to 27, or copy it with: skopeo copy --format v2s2",
        )
    known = media_types.INDEXES | media_types.MANIFESTS
    found = next((each for each in (stated, own) if each in known), "")
    if found:
        return found
    if version == 2 and not own and stated in ("application/json", "text/plain", ""):
        return media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
    raise ImageError(f"{subject} is of the unknown type {own or stated or 'none'}.", hint="it may be no image at all")


def _check(whole: Whole, name: str, subject: str) -> None:
    stated = whole.headers.get("docker-content-digest", "")
    wanted = [name] if ":" in name else []
    for text in [*wanted, *([stated] if stated else [])]:
        check_document(whole.body, Digest.parse(text), origin=subject)
