"""Downloads argv[1] with a patience of one second, and prints how much has come."""

from __future__ import annotations

import sys

from dockerception.http.client import Client
from dockerception.http.messages import Request

with Client(timeout=1.0, environment={}) as client, client.send(Request(method="GET", url=sys.argv[1])) as response:
    size = 0
    while chunk := response.read(1000):
        size += len(chunk)
        print(size, flush=True)
