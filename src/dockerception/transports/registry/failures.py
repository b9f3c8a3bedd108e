"""Refusals of registries in words (distribution-spec, "Error Codes")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...errors import ImageError, ImageNotFoundError, TransportError
from ...http import Response, Whole
from ...oci.documents import UNREADABLE
from .credentials import Credentials

_LIMIT: Final = 1 << 16
_SHOWN: Final = 1000
_NOT_FOUND: Final = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN"})


class UnauthorizedError(TransportError):
    """A registry wants credentials, or does not take those it got."""

    code = "unauthorized"


class DeniedError(TransportError):
    """A registry knows who asks, and refuses."""

    code = "denied"


class _Item(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    detail: Any = None


class _Document(msgspec.Struct, frozen=True):
    errors: tuple[_Item, ...] = ()


def error_for(
    whole: Whole, *, subject: str, registry: str, credentials: Credentials | None = None, action: str = "give"
) -> ImageError:
    """The error for an answer that is none of those that were hoped for.

    ``subject`` begins the sentence: “The manifest …/app:1”; ``action`` says what was refused: give or take.
    """
    details = said(whole.body)
    match whole.status:
        case 401:
            return rejected(registry, credentials, details)
        case 403:
            hint = f"is the account of {credentials.username} allowed to?" if credentials else _log_in(registry)
            return DeniedError(f"{registry} refuses to {action} {_lower(subject)}.", details=details, hint=hint)
        case 404:
            return ImageNotFoundError(f"{subject} is not in the registry {registry}.", details=details)
        case 429:
            wait = whole.headers.get("retry-after", "")
            hint = f"try again in {wait} s" if wait.isdigit() else "try again later, or log in for a higher limit"
            return TransportError(f"{registry} has had too many requests from here.", details=details, hint=hint)
        case 413:
            return TransportError(f"{subject} is too large for {registry}, or for a proxy in front of it.")
        case status if is_full(whole.body) or status == 507:
            return TransportError(f"{registry} has no room for {_lower(subject)}: its disk is full.", details=details)
        case status if status >= 500:
            return TransportError(
                f"{registry} has failed to {action} {_lower(subject)} (status {status}).",
                details=details,
                hint="try again later; its log says more",
            )
    return TransportError(f"{registry} refuses {_lower(subject)} with status {whole.status}.", details=details)


def rejected(registry: str, credentials: Credentials | None, details: str = "") -> UnauthorizedError:
    """The error for a 401."""
    if credentials is None:
        return UnauthorizedError(
            f"{registry} wants credentials, and there are none, or there is no such repository.",
            details=details,
            hint=_log_in(registry),
        )
    who = f"the credentials of {credentials.username}" if credentials.username else "the token"
    return UnauthorizedError(f"{registry} does not accept {who}.", details=details, hint=_log_in(registry))


def whole(response: Response) -> Whole:
    """The answer with the begin of its body, for ``error_for``; closes it."""
    with response:
        body = b""
        try:
            while len(body) < _LIMIT and (chunk := response.read(_LIMIT - len(body))):
                body += chunk
        except TransportError:
            pass  # what was said is only for the details
    return Whole(status=response.status, headers=response.headers, url=response.url, body=body)


def said(body: bytes) -> str:
    """What a registry says about an error: one line for each item, else the begin of the text."""
    items = _items(body)
    if items:
        return "\n".join(_line(item) for item in items)[:_SHOWN]
    text = body[:_SHOWN].decode(errors="replace").strip()
    return "" if text.startswith("<") or not text.isprintable() else text


def codes(body: bytes) -> frozenset[str]:
    """The specification's codes in an error document."""
    return frozenset(item.code for item in _items(body))


def is_full(body: bytes) -> bool:
    """Whether a registry says that its disk is full: as text, or as Docker's registry does, by the number of ENOSPC."""
    if b"no space left" in body.lower() or b"disk quota exceeded" in body.lower():
        return True
    return any(_holds_enospc(item.detail) for item in _items(body))


def _holds_enospc(detail: object) -> bool:
    waiting = [detail]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            if found.get("Err") == 28:
                return True
            waiting += found.values()
    return False


def _items(body: bytes) -> tuple[_Item, ...]:
    try:
        return msgspec.json.decode(body, type=_Document).errors
    except UNREADABLE:
        return ()


def _line(item: _Item) -> str:
    detail = msgspec.json.encode(item.detail).decode() if item.detail not in (None, "", {}, []) else ""
    return " ".join(part for part in (f"{item.code}:" if item.code else "", item.message, detail) if part)


def _lower(subject: str) -> str:
    return subject[:1].lower() + subject[1:]


def _log_in(registry: str) -> str:
    return f"log in with: dockerception login {registry}"
