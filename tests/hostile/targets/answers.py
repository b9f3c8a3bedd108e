"""What registries and web servers answer: challenges, tokens, refusals, headers, manifests."""

from __future__ import annotations

from typing import Any, cast

from dockerception.http import Request, Whole
from dockerception.http.messages import joined, origin_of, shown
from dockerception.http.retry import Policy
from dockerception.remotes.download import Validators
from dockerception.transports.registry import challenge as challenges
from dockerception.transports.registry import failures, manifests
from dockerception.transports.registry.credentials import Credentials
from dockerception.transports.registry.session import Repository
from dockerception.transports.registry.tokens import Authenticator
from hostile.targets.guard import guarded, refused

_REGISTRY = "registry.example"


@guarded
def challenge(data: bytes) -> None:
    """The header ``WWW-Authenticate``, as far as what is asked of its realm."""
    _authenticate(data.decode("latin-1"), b'{"token":"t"}')


@guarded
def token(data: bytes) -> None:
    """A challenge in the first line, and below it what the token service answers."""
    header, _, body = data.partition(b"\n")
    answered = _authenticate(header.decode("latin-1"), body)
    assert not answered or (answered.isascii() and answered.isprintable())


def _authenticate(header: str, body: bytes) -> str:
    service = cast(Any, _Service(body))
    known = Credentials(username="u", password="p")
    authenticator = Authenticator(service, lambda: known, registry=_REGISTRY)
    authenticator.want_identity_token()
    return authenticator.answer(challenges.parse(header), ("repository:a:pull",), refused="")


class _Service:
    """A token service in place of a network: it answers what it has been given, to requests that can be sent."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def fetch(self, request: Request, *, limit: int) -> Whole:
        origin_of(request.url)
        shown(request.url)
        assert request.authorization.isascii()
        return Whole(status=200, headers={}, url=request.url, body=self._body[:limit])


@guarded
def headers(data: bytes) -> None:
    """Headers that say where and when: redirects, times, waits."""
    text = data.decode("latin-1")
    refused(lambda _: origin_of(joined("https://registry.example/v2/", text)), data)
    shown(text)
    assert Validators("", text).mtime >= 0
    Policy().delay(1, {"retry-after": text})


def answer(data: bytes) -> None:
    """A manifest, or a refusal: status, type and digest in the first line, the document below."""
    line, _, body = data.partition(b"\n")
    status, kind, digest = [*line.decode("latin-1").split(" "), "", "", ""][:3]
    whole = Whole(
        status=int(status) if status.isascii() and status.isdigit() and len(status) < 4 else 200,
        headers={"content-type": kind, "docker-content-digest": digest},
        url="https://registry.example/v2/a/manifests/1",
        body=body,
    )
    repository = Repository(connection=cast(Any, _Connection(whole)), path="a", title="registry.example/a", scopes=())
    assert refused(lambda _: manifests.get(repository, "1"), data) or whole.status == 200
    failures.codes(body)


class _Connection:
    """A connection on which every answer is the same."""

    name = _REGISTRY

    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    def fetch(self, *_: object, **options: object) -> Whole:
        return self._whole

    def error(self, whole: Whole, subject: str) -> Exception:
        return failures.error_for(whole, subject=subject, registry=_REGISTRY)
