"""Whether a store is whole: every row has its bytes, every digest holds, every reference leads somewhere.

Builds may go on meanwhile: what seems wrong is looked at again, and is not reported if its row has gone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec

from ..errors import DockerceptionError
from ..oci import config as oci_config
from ..oci.entry import FILE, NO_OFFSET
from ..oci.toc import Toc
from . import layer_rows
from .layer_rows import Layer
from .ledger import Ledger
from .mounts import LOCK_SUFFIX
from .prune import FOLDERS

_CHUNK: Final = 1 << 20
_FACTS: Final = (
    ("layer", "layers", "layer"),
    ("image", "images", "config"),
    ("record", "records", "key"),
    ("name", "names", "name || ' ' || platform"),
)

Kind = Literal["damage", "rubbish"]


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a thing, in words.  ``rubbish`` costs room only, and goes with a prune."""

    thing: str
    text: str
    kind: Kind = "damage"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: how many things were looked at, how many bytes were read, and the flaws."""

    things: int
    bytes_read: int
    flaws: tuple[Flaw, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return all(flaw.kind != "damage" for flaw in self.flaws)


class Verifier:
    """Looks at everything in a store."""

    def __init__(self, root: str, ledger: Ledger) -> None:
        self._root = root
        self._ledger = ledger
        self._bytes = 0

    def verify(self) -> Verdict:
        """Look at everything, reading every byte of blobs and contexts once.  Trees are looked for, but not read."""
        things = {row[0] for row in self._ledger.rows("SELECT id FROM things")}
        of_files = [*self._blobs(things), *self._contexts(things), *self._layers(), *self._configs()]
        flaws = [*self._database(), *self._rows(), *filter(self._is_still_there, of_files), *self._rubbish()]
        return Verdict(things=len(things), bytes_read=self._bytes, flaws=tuple(flaws))

    def _is_still_there(self, flaw: Flaw) -> bool:
        return bool(self._ledger.rows("SELECT 1 FROM things WHERE id = ?", (flaw.thing,)))

    def _database(self) -> Iterator[Flaw]:
        for (text,) in self._ledger.rows("PRAGMA integrity_check"):
            if text != "ok":
                yield Flaw(thing="", text=f"the database is damaged: {text}")

    def _rows(self) -> Iterator[Flaw]:
        """Whether rows fit each other: one statement each, so that it sees one moment."""
        there = "(SELECT id FROM things)"
        for source, target in self._ledger.rows(f"SELECT source, target FROM refs WHERE target NOT IN {there}"):
            yield Flaw(thing=source, text=f"it needs {target}, which is not there")
        for (source,) in self._ledger.rows(f"SELECT DISTINCT source FROM refs WHERE source NOT IN {there}"):
            yield Flaw(thing=source, text="it needs others, but is not there")
        for kind, table, key in _FACTS:
            known = f"SELECT '{kind}:' || {key} AS id FROM {table}"
            for (thing,) in self._ledger.rows(f"SELECT id FROM things WHERE id GLOB '{kind}:*' EXCEPT {known}"):
                yield Flaw(thing=thing, text="nothing is known of it")
            for (thing,) in self._ledger.rows(f"SELECT id FROM ({known}) WHERE id NOT IN {there}"):
                yield Flaw(thing=thing, text="it is known, but not there")

    def _blobs(self, things: Iterable[str]) -> Iterator[Flaw]:
        for thing in sorted(things):
            if thing.startswith("blob:"):
                digest = thing.removeprefix("blob:")
                found = self._digest(self._path("blobs/sha256", digest))
                if not found:
                    yield Flaw(thing=thing, text="its file is missing")
                elif found != digest:
                    yield Flaw(thing=thing, text=f"its bytes have the digest {found}")

    def _contexts(self, things: Iterable[str]) -> Iterator[Flaw]:
        for thing in sorted(things):
            if thing.startswith("context:"):
                text = self._of_context(thing.removeprefix("context:"))
                if text:
                    yield Flaw(thing=thing, text=text)

    def _of_context(self, digest: str) -> str:
        toc = self._toc(digest)
        if toc is None:
            return "its list of files can't be read"
        try:
            with open(self._path("contexts", digest), "rb") as spool:
                for entry in toc:
                    if entry.kind == FILE and entry.offset != NO_OFFSET and entry.digest:
                        spool.seek(entry.offset)
                        if self._hash(spool.read, entry.size) != entry.digest:
                            return f"its file “{entry.path}” is damaged"
        except OSError:
            return "its file is missing"
        return ""

    def _layers(self) -> Iterator[Flaw]:
        for row in self._ledger.rows(layer_rows.ALL):
            layer = layer_rows.read(row)
            for text in self._of_layer(layer):
                yield Flaw(thing=f"layer:{layer.layer}", text=text)

    def _of_layer(self, layer: Layer) -> Iterator[str]:
        if layer.has_tree and not os.path.isdir(self._path("trees", layer.layer)):
            yield "its tree is missing"
        if layer.has_blob and not os.path.exists(self._path("blobs/sha256", layer.diff_id)):
            yield f"its tar {layer.diff_id} is missing"
        if layer.original is not None and not os.path.exists(self._path("blobs/sha256", layer.original.digest)):
            yield f"its packed tar {layer.original.digest} is missing"
        if layer.toc and self._toc(layer.toc) is None:
            yield "its list of files can't be read"

    def _configs(self) -> Iterator[Flaw]:
        for config, layers in self._ledger.rows("SELECT config, layers FROM images"):
            try:
                with open(self._path("blobs/sha256", config), "rb") as file:
                    diff_ids = oci_config.decode(file.read()).rootfs.diff_ids
            except (OSError, DockerceptionError):
                yield Flaw(thing=f"image:{config}", text="its config can't be read")
                continue
            if len(diff_ids) != len(msgspec.json.decode(layers)):
                yield Flaw(thing=f"image:{config}", text="its config has another number of layers")

    def _rubbish(self) -> Iterator[Flaw]:
        # Inside a transaction, for files come into their places inside those that write their rows.
        with self._ledger.writing() as transaction:
            for folder, prefix in FOLDERS:
                for name in sorted(os.listdir(os.path.join(self._root, folder))):
                    if not transaction.has(prefix + name.removesuffix(LOCK_SUFFIX)):
                        path = os.path.join(self._root, folder, name)
                        yield Flaw(thing=path, text="nothing knows of it", kind="rubbish")

    def _path(self, folder: str, name: str) -> str:
        return os.path.join(self._root, folder, name.removeprefix("sha256:"))

    def _toc(self, digest: str) -> Toc | None:
        try:
            with open(self._path("blobs/sha256", digest), "rb") as file:
                return Toc.decode(file.read())
        except (OSError, DockerceptionError):
            return None

    def _digest(self, path: str) -> str:
        """The digest of a file; nothing where there is none."""
        try:
            with open(path, "rb", buffering=0) as file:
                return f"sha256:{self._hash(file.read, os.fstat(file.fileno()).st_size).hex()}"
        except OSError:
            return ""

    def _hash(self, read: Callable[[int], bytes], size: int) -> bytes:
        digest = hashlib.sha256()
        while size and (chunk := read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
            self._bytes += len(chunk)
        return digest.digest()
