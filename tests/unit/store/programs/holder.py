"""Opens the store at argv[1], finds the blob argv[2], writes a file into its scratch directory, and waits."""

from __future__ import annotations

import sys

from dockerception.store.store import Store

store = Store(sys.argv[1])
found = store.blobs.has(sys.argv[2])
path = store.temporary()
with open(path, "w", encoding="utf-8") as file:
    file.write("unfinished")
print(found, path, flush=True)
sys.stdin.read()
store.close()
