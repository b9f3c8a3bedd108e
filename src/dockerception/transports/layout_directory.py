"""An OCI image layout in a directory, new or added to (``type=oci,tar=false``).

A blob is written beside its place and renamed; ``index.json`` is replaced last, so the layout is whole at any time.
No link in the directory is followed to write through.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from ..errors import ImageError, TransportError
from ..oci import manifest
from ..oci.manifest import Descriptor
from ..reference import Digest
from .base import Outgoing
from .destination import undone_on_failure, writing_failure
from .files import DirectoryFiles, document
from .layout import INDEX, LAYOUT, LAYOUT_BYTES, LayoutDocuments, blob_name, distinct_layers, index_document, sized
from .oci_names import names_of

_UNFINISHED: Final = ".tmp"


def write_directory(
    image: Outgoing | Sequence[Outgoing], directory: str, *, documents: LayoutDocuments | None = None
) -> None:
    """Write images into the layout at ``directory``, which is made if missing.

    ``documents`` are theirs, where these are not the usual ones.  Images that are there stay, but a name leads to the
    newest image.  Raises ``DiskFullError`` and ``TransportError`` if the directory can't be written and ``ImageError``
    if it holds something else than a layout.
    """
    images = (image,) if isinstance(image, Outgoing) else tuple(image)
    documents = documents or LayoutDocuments.of(images)
    with undone_on_failure(directory), _errors(directory), _added(directory, documents.entries):
        for digest, data in documents.blobs.items():
            _put_blob(directory, digest, len(data), (data,))
        for layer in distinct_layers(images):
            _put_blob(directory, layer.blob.digest, layer.blob.size, sized(layer))


def put_blob(directory: str, blob: Descriptor, chunks: Callable[[], Iterable[bytes]]) -> bool:
    """Have a blob in the layout at ``directory``, which is made if missing; returns whether it was not there before.

    The bytes are not checked.  Raises as ``write_directory``; a layout is one only after ``put_entries``.
    """
    with _errors(directory):
        _begin(directory)
        return _put_blob(directory, blob.digest, blob.size, chunks())


def put_entries(directory: str, entries: Sequence[Descriptor]) -> None:
    """Have the layout at ``directory`` name manifests that are blobs of it.  Raises as ``write_directory``."""
    with _errors(directory), _added(directory, entries):
        pass


@contextmanager
def _added(directory: str, entries: Sequence[Descriptor]) -> Iterator[None]:
    """Have entries in the index when the block has written what they name.  Others who do that wait for each other."""
    _begin(directory)
    yield
    with _alone(directory):
        existing = list(_existing(directory, entries))
        _replace(directory, LAYOUT, (LAYOUT_BYTES,))
        _replace(directory, INDEX, (index_document([*existing, *entries]),))


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks: the last writer's index counts
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _begin(directory: str) -> None:
    """Have the directory.  Raises ``ImageError`` where it holds something else than a layout, or a begun one."""
    os.makedirs(directory, exist_ok=True)
    if DirectoryFiles(directory).size(INDEX) is not None:
        return
    if any(name not in ("blobs", LAYOUT) and not name.endswith(_UNFINISHED) for name in os.listdir(directory)):
        raise ImageError(
            f"The directory {directory} is neither empty nor an OCI layout.", hint="name a new or empty directory"
        )


def _existing(directory: str, added: Sequence[Descriptor]) -> Iterator[Descriptor]:
    """The index entries that stay: those whose name, or digest where they have none, is not written now."""
    files = DirectoryFiles(directory)
    if files.size(INDEX) is None:
        return iter(())
    names = {name for entry in added for name in names_of(entry)}
    digests = {entry.digest for entry in added if not names_of(entry)}
    entries = manifest.decode_index(document(files, INDEX)).manifests
    return (
        entry for entry in entries
        if not names & set(names_of(entry)) and (names_of(entry) or entry.digest not in digests)
    )  # fmt: skip


def _put_blob(directory: str, digest: str, size: int, chunks: Iterable[bytes]) -> bool:
    name = blob_name(digest)
    folder = os.path.join(directory, "blobs")
    for path in (folder, os.path.join(folder, Digest.parse(digest).algorithm)):
        if os.path.islink(path):
            raise TransportError(f"{path} is a link; a layout's blobs are not written through one.")
        os.makedirs(path, exist_ok=True)
    is_missing = DirectoryFiles(directory).size(name) != size
    if is_missing:
        _replace(directory, name, chunks)
    return is_missing


def _replace(directory: str, name: str, chunks: Iterable[bytes]) -> None:
    """Give a file its contents at once: written under a temporary name in the layout's top directory, then renamed."""
    # Other processes, whose ids may be those of another machine or container, may write the same blob.
    temporary = os.path.join(directory, f".{os.path.basename(name)}.{os.urandom(4).hex()}{_UNFINISHED}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.rename(temporary, os.path.join(directory, name))
    except BaseException:
        with suppress(OSError):  # an error here would hide why the block ended
            os.unlink(temporary)
        raise


@contextmanager
def _errors(directory: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise writing_failure(os.fsdecode(error.filename) if error.filename else directory, error) from error
