"""Whom we trust and who we are: the TLS settings for one host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import TransportError

if TYPE_CHECKING:
    import ssl


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS settings.

    ``ca_files`` are trusted besides the system's authorities; ``certificates`` are pairs of certificate and key files
    to authenticate with (PEM).  Without ``is_verified`` any certificate is taken.
    """

    ca_files: tuple[str, ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()
    is_verified: bool = True

    def context(self) -> ssl.SSLContext:
        """These settings as Python's library takes them.  Raises ``TransportError`` that names a file it can't read."""
        import ssl

        context = ssl.create_default_context()
        if not self.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for path in self.ca_files:
            try:
                context.load_verify_locations(cafile=path)
            except OSError as error:  # ssl.SSLError is one
                raise _unusable("CA certificate", path, error) from error
        for certificate, key in self.certificates:
            try:
                context.load_cert_chain(certificate, key)
            except OSError as error:
                raise _unusable("client certificate", certificate, error) from error
        return context


def _unusable(what: str, path: str, error: OSError) -> TransportError:
    return TransportError(
        f"The {what} {path} can't be used: {error.strerror or error}.", hint="it must be a file in PEM format"
    )
