"""Does what builds, users and prunes do, argv[3] times in random order, in a store that others use the same way.

argv: the store, a seed, the number of operations.  Whatever was found or added must stay whole while the store that it
was found through is open.  Ends with a traceback if it does not; else prints how many operations of each kind it did.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter

from dockerception.errors import ImageNotFoundError
from dockerception.oci.toc import Toc
from dockerception.reference import Reference
from dockerception.store.images import StoredImage
from dockerception.store.layers import Layer
from dockerception.store.records import Record
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from unit.store.things import add_blob_layer, config, finished_tree, toc

_POOL = 12


class Worker:
    """One process's work, and what it has found since its store was opened."""

    def __init__(self, root: str, seed: str) -> None:
        self._root = root
        self._random = random.Random(seed)
        self._store = Store(root)
        self._layers: dict[str, Layer] = {}
        self._contexts: dict[str, Toc] = {}
        self._images: dict[str, StoredImage] = {}
        self.done: Counter[str] = Counter()

    def work(self, count: int) -> None:
        """Do some operations, then check everything once more."""
        operations = [
            *[self.build] * 8, *[self.look_up_image] * 4, *[self.emit] * 4, *[self.list_images] * 1,
            *[self.remove_image] * 2, *[self.prune] * 2, *[self.check] * 1, *[self.reopen] * 1,
        ]  # fmt: skip
        for _ in range(count):
            operation = self._random.choice(operations)
            operation()
            self.done[operation.__name__] += 1
        self.check()
        self._store.close()

    def build(self) -> None:
        """A step from the cache, or made and remembered; then all its faces, and an image."""
        number = self._random.randrange(_POOL)
        key = f"{number:064x}"
        value = self._store.records.get(key)
        layer = self._store.layers.find(value.decode()) if value else None
        if layer is None:
            layer = self._store.layers.add_tree(finished_tree(self._store, f"{number}"))
            self._store.records.put([Record(key, layer.layer.encode(), (f"layer:{layer.layer}",))])
        if self._random.random() < 0.5:
            layer = self._store.layers.set_toc(layer, toc("file"))
            diff_id = str(self._store.blobs.put([f"tar {number}".encode()]))
            layer = self._store.layers.set_blob(layer, diff_id, toc("file", offset=512))
        base = add_blob_layer(self._store, f"base {number % 3}")
        name = Reference.parse(f"app-{self._random.randrange(4)}")
        image = self._store.images.add(config(number), [base.layer, layer.layer], [name])
        self._layers |= {layer.layer: layer, base.layer: base}
        self._images[image.image] = image

    def look_up_image(self) -> None:
        """An image by its name; and another name for it."""
        found = self._store.images.find(f"app-{self._random.randrange(4)}")
        if found is None:
            return
        self._images[found.image] = found
        for each in found.layers:
            self._layers.setdefault(each, self._store.layers.get(each))
        try:
            self._store.images.name(found, Reference.parse(f"app-{self._random.randrange(4)}"))
        except ImageNotFoundError:
            pass  # somebody has removed it since

    def emit(self) -> None:
        """A context from the cache, or spooled and remembered."""
        number = self._random.randrange(_POOL)
        key = f"{number + _POOL:064x}"
        value = self._store.records.get(key)
        listed = self._store.contexts.find(value.decode()) if value else None
        if value is None or listed is None:
            spool = self._store.contexts.new_spool()
            with open(spool, "wb") as file:
                file.write(f"{number}".encode() * 1000)
            listed = toc("Dockerfile", f"{number}")
            value = self._store.contexts.keep(listed, spool).encode()
            self._store.records.put([Record(key, value, (f"context:{value.decode()}",))])
        self._contexts[value.decode()] = listed

    def list_images(self) -> None:
        """All images; what is listed is whole."""
        for listed in self._store.images.all():
            assert self._store.layers.find_all(listed.image.layers)

    def remove_image(self) -> None:
        """A name, or an image with its names."""
        reference = Reference.parse(f"app-{self._random.randrange(4)}")
        found = self._store.images.find_name(reference)
        try:
            if found is not None and self._random.random() < 0.5:
                self._store.images.remove(found.image)
            else:
                self._store.images.remove_name(reference)
        except ImageNotFoundError:
            pass

    def prune(self) -> None:
        """Delete what nobody uses."""
        self._store.pruner.prune(everything=self._random.random() < 0.5, remove=remove_tree)

    def reopen(self) -> None:
        """End the lease and take another."""
        self.check()
        self._store.close()
        self._layers, self._contexts, self._images = {}, {}, {}
        self._store = Store(self._root)

    def check(self) -> None:
        """Everything that was found is still there, byte for byte."""
        for image in self._images.values():
            assert self._store.blobs.read(image.image) == image.config_bytes
        for layer in self._layers.values():
            now = self._store.layers.get(layer.layer)
            assert now.has_tree >= layer.has_tree
            assert now.has_blob >= layer.has_blob
            if now.has_tree:
                assert os.listdir(self._store.layers.tree_path(layer.layer)) == ["file"]
            if layer.toc:
                assert len(self._store.layers.toc(layer)) == 1
        for digest, listed in self._contexts.items():
            found = self._store.contexts.find(digest)
            assert found is not None
            assert found.encode() == listed.encode()
            assert os.stat(self._store.contexts.spool_path(digest)).st_size >= 1000


def main(root: str, seed: str, count: str) -> None:
    worker = Worker(root, seed)
    worker.work(int(count))
    print(dict(worker.done))


main(*sys.argv[1:])
