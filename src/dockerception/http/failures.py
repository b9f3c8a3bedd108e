"""What can go wrong between us and a server, and whether trying again may help."""

from __future__ import annotations

from ..errors import TransportError


class ConnectionFailedError(TransportError):
    """A server can't be reached, does not answer in time, or hangs up; trying again may help."""

    code = "connection"


class CutError(ConnectionFailedError):
    """The body of an answer ended early: the connection was cut, or fell silent."""

    code = "connection-cut"


class TlsError(TransportError):
    """The other side's certificate is not trusted, or it does not take ours; trying again does not help."""

    code = "tls"


class NoTlsError(TlsError):
    """The other side does not speak TLS at all."""


class UnknownHostError(TransportError):
    """A host name that can't be resolved."""

    code = "unknown-host"
