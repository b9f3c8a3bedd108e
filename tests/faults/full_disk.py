"""Uses a store on a disk of one megabyte, argv[1], and prints what happened, a line each: ``what: error or ok``.

To be run where that directory is a file system of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from dockerception.errors import DockerceptionError
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.store.records import Record
from dockerception.store.store import Store

_MEGABYTE = 1 << 20
_KEY = "1" * 64


def _report(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except DockerceptionError as error:
        kind = type(error).__name__ if error.hint else f"{type(error).__name__} without a hint"
        print(f"{what}: {kind}", flush=True)
    else:
        print(f"{what}: ok", flush=True)


def _fill(path: str) -> None:
    try:
        with open(path, "wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass
    except OSError:
        pass


def _add_things(store: Store) -> None:
    blob = str(store.blobs.put(b"small"))
    layer = store.layers.add_blob(diff_id=blob, toc=Toc.of([Entry(path="a", kind="file")]))
    store.records.put([Record(_KEY, b"value", (f"layer:{layer.layer}",))])


def _use(disk: str) -> None:
    root, filler = f"{disk}/store", f"{disk}/filler"
    with Store(root) as store:
        _add_things(store)
    with Store(root) as store:
        _report("a big blob", lambda: store.blobs.put(iter([bytes(_MEGABYTE // 4)] * 8)))
        print(f"unfinished files: {len(os.listdir(store.scratch))}")
        _report("a small blob after it", lambda: store.blobs.put(b"fits"))
        _fill(filler)
        _report("a blob on a full disk", lambda: store.blobs.put(os.urandom(20_000)))
        _report("a record on a full disk", lambda: store.records.put([Record("2" * 64, bytes(100_000))]))
        _report("a name that is read", lambda: store.images.find("nothing"))
    print("closed: ok")
    _report("opening on a full disk", lambda: Store(root).close())
    _report("making a store on a full disk", lambda: Store(f"{disk}/another"))
    os.unlink(filler)
    with Store(root) as store:
        _report("a blob when there is room again", lambda: store.blobs.put(b"fits again"))
        print(f"what was there before: {store.records.get(_KEY)!r}")
    print(f"left: {os.listdir(f'{root}/tmp') + os.listdir(f'{root}/leases')}")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    _report("opening on a read-only disk", lambda: Store(root).records.put([Record("3" * 64, b"")]))
    _report("making a store on a read-only disk", lambda: Store(f"{disk}/another"))


_use(sys.argv[1])
