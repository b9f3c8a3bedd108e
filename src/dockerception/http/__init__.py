"""The one HTTP client: pooled, with timeouts, bounded retries, proxies, and redirects that keep credentials at home.

It knows nothing of registries: statuses come back as they are, once a repetition can't mend them.
"""

from __future__ import annotations

from .client import Client
from .failures import ConnectionFailedError, CutError, NoTlsError, TlsError, UnknownHostError
from .messages import Request, Response, Whole, shown
from .retry import Policy
from .tls import Tls

__all__ = [
    "Client",
    "ConnectionFailedError",
    "CutError",
    "NoTlsError",
    "Policy",
    "Request",
    "Response",
    "Tls",
    "TlsError",
    "UnknownHostError",
    "Whole",
    "shown",
]
