"""A gathered cache on its way out: blobs first, each once and only where it is missing; the manifest last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from ....oci import manifest as manifests
from ....oci import media_types
from ....oci.manifest import Manifest
from ....parallel import Check, in_parallel
from ....progress import Notice, Reporter, StepProgress
from ....reference import Platform
from ..steps import RunningStep
from . import document as documents
from .gathering import Blob, Gathered, LostBlobError
from .options import Place
from .places import OpenPlace, open_place

_THREADS: Final = 3


def export(gathered: Gathered, place: Place, platform: Platform, report: Reporter, step: RunningStep) -> None:
    """Have a place keep a cache under its name; what had the name before is not named any more.

    Raises ``TransportError`` and ``ImageError`` as the place does; the name then leads to what it led to before.
    """
    opened = open_place(place, platform, writes=True)
    try:
        sending = _Sending(opened, gathered, report, step)
        sending.run()
        data = documents.encode(gathered.document(sending.lost))
        config = manifests.describe(data, documents.MEDIA_TYPE)
        opened.put(config, lambda: iter((data,)))
        layers = tuple(blob.descriptor for digest, blob in gathered.blobs.items() if digest not in sending.lost)
        manifest = Manifest(schema_version=2, media_type=media_types.OCI_MANIFEST, config=config, layers=layers)
        opened.put_manifest(manifests.encode(manifest), media_types.OCI_MANIFEST)
        step.is_cached = sending.sent == 0
    finally:
        opened.close()


class _Sending:
    """Sends the blobs; ``sent`` counts bytes, ``lost`` are the digests of those that were not to be had."""

    def __init__(self, place: OpenPlace, gathered: Gathered, report: Reporter, step: RunningStep) -> None:
        self._place = place
        self._blobs = list(gathered.blobs.values())
        self._report = report
        self._step = step
        self._lock = threading.Lock()
        self._done = 0
        self.sent = 0
        self.lost: set[str] = set()

    def run(self) -> None:
        in_parallel(self._send, self._blobs, threads=_THREADS)

    def _send(self, blob: Blob, check: Check) -> None:
        def chunks() -> Iterator[bytes]:
            for chunk in blob.chunks():
                check()
                yield chunk

        descriptor = blob.descriptor
        is_lost = is_sent = False
        try:
            is_sent = self._place.put(descriptor, chunks)
        except LostBlobError as error:
            is_lost = True
            self._report(Notice(text=f"The cache is kept without a layer: {error.message}", severity="warning"))
        with self._lock:
            self._done += descriptor.size
            self.sent += descriptor.size if is_sent else 0
            self.lost |= {descriptor.digest} if is_lost else set()
            done = self._done
        total = sum(each.descriptor.size for each in self._blobs)
        self._report(StepProgress(step=self._step.number, done_bytes=done, total_bytes=total))
