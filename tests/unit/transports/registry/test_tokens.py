"""Answers to challenges, by a client that only notes what it is asked to send."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from dockerception.errors import TransportError
from dockerception.http import Client, Request, Whole
from dockerception.transports.registry.challenge import Challenge
from dockerception.transports.registry.credentials import Credentials
from dockerception.transports.registry.tokens import Authenticator

ME = Credentials(username="me", password="secret")
PULL = ("repository:a:pull",)
PUSH = ("repository:a:pull,push",)


class Noting(Client):
    """Answers with tokens ``t1``, ``t2`` and so on."""

    def __init__(self, *, expires_in: float | None = None) -> None:
        super().__init__(environment={})
        self.asked: list[Request] = []
        self._expires_in = expires_in

    def fetch(self, request: Request, *, limit: int) -> Whole:
        self.asked.append(request)
        body = msgspec.json.encode({"token": f"t{len(self.asked)}", "expires_in": self._expires_in})
        return Whole(status=200, headers={}, url=request.url, body=body)


def challenges(realm: str = "https://auth.example/token?a=b") -> Sequence[Challenge]:
    return [Challenge("bearer", {"realm": realm, "service": "the registry"})]


def authenticator(
    client: Client, credentials: Credentials | None = None, now: Sequence[float] = (0.0,)
) -> Authenticator:
    return Authenticator(client, lambda: credentials, registry="reg", clock=lambda: now[0])


def test_nothing_is_sent_before_it_is_asked_for() -> None:
    assert authenticator(Noting(), ME).current(PULL) == ""


def test_a_token_is_asked_for_by_get_with_what_is_known() -> None:
    client = Noting()
    assert authenticator(client, ME).answer(challenges(), PULL, refused="") == "Bearer t1"
    request = client.asked[0]
    assert request.method == "GET"
    assert request.url == ("https://auth.example/token?a=b&service=the+registry&scope=repository%3Aa%3Apull&account=me")
    assert request.authorization == ME.basic


def test_anonymous_ones_have_no_credentials() -> None:
    client = Noting()
    authenticator(client).answer(challenges(), PULL, refused="")
    assert client.asked[0].authorization == ""
    assert "account" not in client.asked[0].url


def test_tokens_are_kept_for_their_scopes() -> None:
    client = Noting()
    auth = authenticator(client)
    auth.answer(challenges(), PULL, refused="")
    assert auth.current(PULL) == "Bearer t1"
    assert auth.current(PUSH) == ""
    # Another thread was refused before there was a token: it gets the new one.
    assert auth.answer(challenges(), PULL, refused="") == "Bearer t1"
    assert auth.answer(challenges(), PUSH, refused="") == "Bearer t2"
    assert len(client.asked) == 2


def test_a_refused_token_is_renewed() -> None:
    auth = authenticator(Noting())
    auth.answer(challenges(), PULL, refused="")
    assert auth.answer(challenges(), PULL, refused="Bearer t1") == "Bearer t2"
    assert auth.current(PULL) == "Bearer t2"


@pytest.mark.parametrize(("expires_in", "seconds"), [(None, 60), (5, 60), (300, 300)])
def test_tokens_are_not_used_to_their_very_end(expires_in: float | None, seconds: float) -> None:
    now = [0.0]
    auth = authenticator(Noting(expires_in=expires_in), now=now)
    auth.answer(challenges(), PULL, refused="")
    now[0] = seconds - 6
    assert auth.current(PULL) == "Bearer t1"
    now[0] = seconds - 4
    assert auth.current(PULL) == ""


def test_basic() -> None:
    auth = authenticator(Noting(), ME)
    wanted = [Challenge("basic", {"realm": "x"})]
    assert auth.answer(wanted, PULL, refused="") == ME.basic
    assert auth.current(PUSH) == ME.basic
    assert auth.answer(wanted, PULL, refused=ME.basic) == ""
    assert authenticator(Noting()).answer(wanted, PULL, refused="") == ""


def test_a_registry_token_is_used_as_it_is() -> None:
    client = Noting()
    auth = authenticator(client, Credentials(registry_token="ready"))
    assert auth.answer(challenges(), PULL, refused="") == "Bearer ready"
    assert auth.answer(challenges(), PULL, refused="Bearer ready") == ""
    assert client.asked == []


def test_other_schemes_are_passed_over() -> None:
    wanted = [Challenge("negotiate", {}), Challenge("bearer", {}), *challenges()]
    assert authenticator(Noting()).answer(wanted, PULL, refused="") == "Bearer t1"
    assert authenticator(Noting()).answer(wanted[:2], PULL, refused="") == ""


def test_credentials_are_not_sent_in_the_clear() -> None:
    client = Noting()
    with pytest.raises(TransportError, match="not encrypted"):
        authenticator(client, ME).answer(challenges("http://auth.example/token"), PULL, refused="")
    assert client.asked == []
    assert authenticator(client).answer(challenges("http://auth.example/token"), PULL, refused="") == "Bearer t1"
    with pytest.raises(TransportError, match="no http URL"):
        authenticator(client).answer(challenges("file:///etc/passwd"), PULL, refused="")
