"""Claims ``thing`` in the store argv[1] and keeps it until it is killed."""

from __future__ import annotations

import sys

from dockerception.store.claims import Claims

with Claims(sys.argv[1]).claim("thing"):
    print("claimed", flush=True)
    sys.stdin.read()
