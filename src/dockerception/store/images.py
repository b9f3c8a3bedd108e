"""Images and the names that lead to them.

An image is its config's bytes (a blob; their digest is the image's id) and the layers under it.  A name has one image
a platform.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import msgspec

from ..errors import ImageNotFoundError, UsageError
from ..oci import config as oci_config
from ..oci.config import ImageConfig
from ..reference import Platform, Reference
from .blobs import Blobs
from .database import Database, forget, put_thing, touch
from .layers import Layers
from .lease import Lease

_MIN_PREFIX = 4


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
    """Images by id and by name.  What is returned or added is held until the lease ends."""

    def __init__(self, database: Database, lease: Lease, blobs: Blobs, layers: Layers) -> None:
        self._database = database
        self._lease = lease
        self._blobs = blobs
        self._layers = layers

    def add(self, config_bytes: bytes, layers: Sequence[str], names: Sequence[Reference] = ()) -> StoredImage:
        """Record an image and give it names, in one transaction.  A name that another image had moves to this one."""
        platform = str(oci_config.decode(config_bytes).platform)
        image = str(self._blobs.put(config_bytes))
        keeps = [f"blob:{image}", *(f"layer:{layer}" for layer in layers)]
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?)", (image, platform, json.dumps(list(layers)))
            )
            # The layers may be other ones than last time, with the same diff_ids.
            connection.execute("DELETE FROM refs WHERE source = ?", (f"image:{image}",))
            put_thing(connection, f"image:{image}", keeps=keeps)
            self._lease.hold(connection, f"image:{image}")
            for reference in names:
                name = str(reference)
                connection.execute("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", (name, platform, image))
                connection.execute("DELETE FROM refs WHERE source = ?", (f"name:{name} {platform}",))
                put_thing(connection, f"name:{name} {platform}", keeps=[f"image:{image}"])
        return StoredImage(image=image, config_bytes=config_bytes, layers=tuple(layers), platform=platform)

    def name(self, image: StoredImage, reference: Reference) -> None:
        """Give an image one more name."""
        self.add(image.config_bytes, image.layers, [reference])

    def find_id(self, image: str) -> StoredImage | None:
        """The image with this id, if all of it is here."""
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT layers, platform, created FROM images JOIN things ON id = 'image:' || config WHERE config = ?",
                (image,),
            ).fetchone()
            if row is None:
                return None
            self._lease.hold(connection, f"image:{image}")
            touch(connection, f"image:{image}")
        layers = tuple(json.loads(row[0]))
        if not os.path.exists(self._blobs.path(image)) or not self._layers.find_all(layers):
            return None
        return StoredImage(
            image=image, config_bytes=self._blobs.read(image), layers=layers, platform=row[1], created=row[2]
        )

    def find_name(self, reference: Reference, platform: Platform | None = None) -> StoredImage | None:
        """The image of this name for a platform (the host's by default, else the only one there is)."""
        with self._database.reading() as connection:
            rows = dict(
                connection.execute("SELECT platform, config FROM names WHERE name = ?", (str(reference),)).fetchall()
            )
        image = rows.get(str(platform or Platform.host()))
        if image is None and platform is None and len(rows) == 1:
            image = next(iter(rows.values()))
        return self.find_id(image) if image else None

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
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT config FROM images WHERE config LIKE ?", (f"sha256:{prefix}%",)
            ).fetchall()
        if len(rows) > 1:
            raise UsageError(f"“{text}” is the beginning of {len(rows)} image ids.", hint="give more of its digits")
        return self.find_id(rows[0][0]) if rows else None

    def names_of(self, image: str) -> list[str]:
        """The canonical names that lead to an image."""
        with self._database.reading() as connection:
            return [
                row[0] for row in connection.execute("SELECT name FROM names WHERE config = ? ORDER BY name", (image,))
            ]

    def remove_name(self, reference: Reference) -> list[str]:
        """Take a name away, for all platforms; returns the ids of the images that had it.

        Raises ``ImageNotFoundError`` if there is none of that name.
        """
        name = str(reference)
        with self._database.writing() as connection:
            rows = connection.execute("DELETE FROM names WHERE name = ? RETURNING platform, config", (name,)).fetchall()
            for platform, _ in rows:
                forget(connection, f"name:{name} {platform}")
        if not rows:
            raise ImageNotFoundError(f"There is no image named “{reference.familiar}” in the store.")
        return [config for _, config in rows]

    def remove(self, image: str) -> None:
        """Forget an image and its names; ``prune`` gives back what only it used."""
        with self._database.writing() as connection:
            rows = connection.execute(
                "DELETE FROM names WHERE config = ? RETURNING name, platform", (image,)
            ).fetchall()
            for name, platform in rows:
                forget(connection, f"name:{name} {platform}")
            connection.execute("DELETE FROM images WHERE config = ?", (image,))
            forget(connection, f"image:{image}")

    def all(self) -> list[Listed]:
        """Every image of the store, newest first."""
        with self._database.reading() as connection:
            ids = [
                row[0]
                for row in connection.execute(
                    "SELECT config FROM images JOIN things ON id = 'image:' || config ORDER BY created DESC, config"
                )
            ]
        found = ((image, self.find_id(image)) for image in ids)
        return [Listed(image=stored, names=tuple(self.names_of(image))) for image, stored in found if stored]
