"""An OCI image layout in a directory, new or added to (``type=oci,tar=false``).

A blob is written beside its place and renamed; ``index.json`` is replaced last, so the layout is whole at any time.
No link in the directory is followed to write through.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import ImageError, TransportError
from ..oci import manifest
from ..oci.manifest import Descriptor
from ..reference import Digest
from .base import Outgoing
from .destination import undone_on_failure, writing_failure
from .files import DirectoryFiles, document
from .layout import INDEX, LAYOUT, LAYOUT_BYTES, LayoutDocuments, blob_name, distinct_layers, index_document, sized
from .oci_names import names_of


def write_directory(image: Outgoing | Sequence[Outgoing], directory: str) -> None:
    """Write images into the layout at ``directory``, which is made if missing.

    Images that are there stay, but a name leads to the newest image.  Raises ``DiskFullError`` and ``TransportError``
    if the directory can't be written and ``ImageError`` if it holds something else than a layout.
    """
    images = (image,) if isinstance(image, Outgoing) else tuple(image)
    documents = LayoutDocuments.of(images)
    with undone_on_failure(directory), _errors(directory):
        os.makedirs(directory, exist_ok=True)
        existing = _existing(directory, documents.entries)
        for digest, data in documents.blobs.items():
            _put_blob(directory, digest, len(data), (data,))
        for layer in distinct_layers(images):
            _put_blob(directory, layer.blob.digest, layer.blob.size, sized(layer))
        _replace(directory, LAYOUT, (LAYOUT_BYTES,))
        _replace(directory, INDEX, (index_document([*existing, *documents.entries]),))


def _existing(directory: str, added: Sequence[Descriptor]) -> Iterator[Descriptor]:
    """The index entries that stay: those whose name, or digest where they have none, is not written now."""
    files = DirectoryFiles(directory)
    if files.size(INDEX) is None:
        if os.listdir(directory):
            raise ImageError(
                f"The directory {directory} is neither empty nor an OCI layout.", hint="name a new or empty directory"
            )
        return iter(())
    names = {name for entry in added for name in names_of(entry)}
    digests = {entry.digest for entry in added if not names_of(entry)}
    entries = manifest.decode_index(document(files, INDEX)).manifests
    return (
        entry for entry in entries
        if not names & set(names_of(entry)) and (names_of(entry) or entry.digest not in digests)
    )  # fmt: skip


def _put_blob(directory: str, digest: str, size: int, chunks: Iterable[bytes]) -> None:
    name = blob_name(digest)
    folder = os.path.join(directory, "blobs")
    for path in (folder, os.path.join(folder, Digest.parse(digest).algorithm)):
        if os.path.islink(path):
            raise TransportError(f"{path} is a link; a layout's blobs are not written through one.")
        os.makedirs(path, exist_ok=True)
    if DirectoryFiles(directory).size(name) != size:
        _replace(directory, name, chunks)


def _replace(directory: str, name: str, chunks: Iterable[bytes]) -> None:
    """Give a file its contents at once: written under a temporary name in the layout's top directory, then renamed."""
    temporary = os.path.join(directory, f".{os.path.basename(name)}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.rename(temporary, os.path.join(directory, name))
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _errors(directory: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise writing_failure(os.fsdecode(error.filename) if error.filename else directory, error) from error
