"""Images and the names that lead to them.

An image is its config's bytes (a blob; their digest is the image's id) and the layers under it.  A name has one image
a platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..errors import ImageNotFoundError, StoreError, UsageError
from ..oci import config as oci_config
from ..oci.config import ImageConfig
from ..reference import Platform, Reference
from .blobs import Blobs
from .layers import Layers
from .ledger import Ledger, Transaction

_MIN_PREFIX: Final = 4
_FACTS: Final = "SELECT layers, platform, created FROM images JOIN things ON id = 'image:' || config WHERE config = ?"


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the store.

    ``image`` is its id, the config's digest; ``layers`` are short ids, bottom first, one for each diff_id of the
    config; ``created`` is when it came here, in seconds since the epoch.
    """

    image: str
    config_bytes: bytes
    layers: tuple[str, ...]
    platform: str
    created: float = 0.0

    @property
    def config(self) -> ImageConfig:
        """The decoded config."""
        return oci_config.decode(self.config_bytes)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list of images; ``names`` are canonical, none for an image that only its id leads to."""

    image: StoredImage
    names: tuple[str, ...]


class Images:
    """Images by id and by name.  What is returned or added is held until the lease ends, with all that is below it."""

    def __init__(self, ledger: Ledger, blobs: Blobs, layers: Layers) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._layers = layers

    def add(self, config_bytes: bytes, layers: Sequence[str], names: Sequence[Reference] = ()) -> StoredImage:
        """Record an image and give it names, in one transaction.  A name that another image had moves to this one.

        Idempotent; layers that differ from those of last time (with the same diff_ids) replace them.  Raises
        ``StoreError`` if a layer is gone: whoever adds an image holds its layers.
        """
        platform = str(oci_config.decode(config_bytes).platform)
        image = str(self._blobs.put(config_bytes))
        below = [f"blob:{image}", *(f"layer:{layer}" for layer in layers)]
        with self._ledger.writing() as transaction:
            if not all(map(transaction.has, below)):
                raise StoreError(f"Layers of the image {image} are gone from the store.", hint="build or load it again")
            facts = (image, platform, msgspec.json.encode(layers).decode())
            if facts != transaction.connection.execute("SELECT * FROM images WHERE config = ?", (image,)).fetchone():
                transaction.connection.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?)", facts)
                transaction.put(f"image:{image}", keeps=below)
            transaction.hold(f"image:{image}")
            for reference in names:
                _give_name(transaction, image, platform, reference)
            created = transaction.connection.execute(_FACTS, (image,)).fetchone()[2]
        return StoredImage(
            image=image, config_bytes=config_bytes, layers=tuple(layers), platform=platform, created=created
        )

    def name(self, image: StoredImage, reference: Reference) -> None:
        """Give an image one more name.  Raises ``ImageNotFoundError`` if it has been removed meanwhile."""
        with self._ledger.writing() as transaction:
            if not transaction.has(f"image:{image.image}"):
                raise _removed(image)
            _give_name(transaction, image.image, image.platform, reference)

    def name_all(self, images: Sequence[StoredImage], references: Sequence[Reference]) -> None:
        """Give images of different platforms the same names, in one transaction; of what a name led to before, on any
        platform, nothing is left.  Raises ``ImageNotFoundError`` if one has been removed meanwhile."""
        kept = [image.platform for image in images]
        others = f"name = ? AND platform NOT IN ({','.join('?' * len(kept))})"
        with self._ledger.writing() as transaction:
            for image in images:
                if not transaction.has(f"image:{image.image}"):
                    raise _removed(image)
            for reference in references:
                _take_names(transaction, others, str(reference), *kept)
                for image in images:
                    _give_name(transaction, image.image, image.platform, reference)

    def find_id(self, image: str) -> StoredImage | None:
        """The image with this id, if all of it is here."""
        row = self._ledger.find(f"image:{image}", _FACTS, (image,))
        if row is None:
            return None
        layers = msgspec.json.decode(row[0], type=tuple[str, ...])
        if not self._layers.find_all(layers):
            return None
        try:
            config_bytes = self._blobs.read(image)
        except StoreError:
            return None  # a config that is gone or damaged: the image is built or loaded again
        return StoredImage(image=image, config_bytes=config_bytes, layers=layers, platform=row[1], created=row[2])

    def find_name(self, reference: Reference, platform: Platform | None = None) -> StoredImage | None:
        """The image of this name for a platform (the host's by default, else the only one there is)."""
        rows: dict[str, str] = dict(
            self._ledger.rows("SELECT platform, config FROM names WHERE name = ?", (str(reference),))
        )
        image = rows.get(str(platform or Platform.host()))
        if image is None and platform is None and len(rows) == 1:
            image = next(iter(rows.values()))
        return self.find_id(image) if image else None

    def find_all(self, reference: Reference) -> list[StoredImage]:
        """The images that a name has, one a platform, in the order of their platforms."""
        rows = self._ledger.rows("SELECT config FROM names WHERE name = ? ORDER BY platform", (str(reference),))
        return [image for image in map(self.find_id, [row[0] for row in rows]) if image is not None]

    def find(self, text: str, platform: Platform | None = None) -> StoredImage | None:
        """The image that a person means: a name, an id, or the beginning of an id (four digits or more).

        Raises ``UsageError`` if several ids begin so.
        """
        try:
            found = self.find_name(Reference.parse(text), platform)
        except UsageError:
            found = None
        return found or self._find_prefix(text)

    def get(self, text: str, platform: Platform | None = None) -> StoredImage:
        """``find``, or an ``ImageNotFoundError``."""
        found = self.find(text, platform)
        if found is None:
            raise ImageNotFoundError(
                f"There is no image “{text}” in the store.", hint="“dockerception images” lists what there is"
            )
        return found

    def _find_prefix(self, text: str) -> StoredImage | None:
        prefix = text.removeprefix("sha256:").lower()
        if len(prefix) < _MIN_PREFIX or not all(digit in "0123456789abcdef" for digit in prefix):
            return None
        rows = self._ledger.rows("SELECT config FROM images WHERE config GLOB ?", (f"sha256:{prefix}*",))
        if len(rows) > 1:
            raise UsageError(f"“{text}” is the beginning of {len(rows)} image ids.", hint="give more of its digits")
        return self.find_id(rows[0][0]) if rows else None

    def names_of(self, image: str) -> list[str]:
        """The canonical names that lead to an image."""
        return [row[0] for row in self._ledger.rows("SELECT name FROM names WHERE config = ? ORDER BY name", (image,))]

    def remove_name(self, reference: Reference) -> list[str]:
        """Take a name away, for all platforms, and forget images that have no other; returns the ids of these.

        Raises ``ImageNotFoundError`` if there is none of that name.
        """
        with self._ledger.writing() as transaction:
            taken = _take_names(transaction, "name = ?", str(reference))
            query = "SELECT 1 FROM names WHERE config = ?"
            nameless = [image for image in taken if transaction.connection.execute(query, (image,)).fetchone() is None]
            for image in nameless:
                transaction.forget(f"image:{image}")
        if not taken:
            raise ImageNotFoundError(
                f"There is no image named “{reference.familiar}” in the store.",
                hint="“dockerception images” lists what there is",
            )
        return nameless

    def remove(self, image: str) -> None:
        """Forget an image, its names and the cache records that led to it; ``prune`` gives back what only it used.

        Idempotent.  A build that uses the image goes on.
        """
        with self._ledger.writing() as transaction:
            _take_names(transaction, "config = ?", image)
            transaction.forget(f"image:{image}")

    def all(self) -> list[Listed]:
        """Every image of the store that is complete, newest first."""
        rows = self._ledger.rows(
            "SELECT config FROM images JOIN things ON id = 'image:' || config ORDER BY created DESC, config"
        )
        ids = [row[0] for row in rows]
        self._ledger.hold_all(f"image:{image}" for image in ids)
        found = ((image, self.find_id(image)) for image in ids)
        return [Listed(image=stored, names=tuple(self.names_of(image))) for image, stored in found if stored]


def _give_name(transaction: Transaction, image: str, platform: str, reference: Reference) -> None:
    name = str(reference)
    thing = f"name:{name} {platform}"
    if transaction.keeps(thing) != {f"image:{image}"}:
        transaction.connection.execute("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", (name, platform, image))
        transaction.put(thing, keeps=[f"image:{image}"])


def _removed(image: StoredImage) -> ImageNotFoundError:
    return ImageNotFoundError(f"The image {image.image} has been removed from the store.")


def _take_names(transaction: Transaction, condition: str, *values: str) -> list[str]:
    """Remove the names that meet a condition; returns the ids of the images that had them."""
    rows = transaction.connection.execute(
        f"DELETE FROM names WHERE {condition} RETURNING name, platform, config", values
    ).fetchall()
    for name, platform, _ in rows:
        transaction.forget(f"name:{name} {platform}")
    return [config for _, _, config in rows]
