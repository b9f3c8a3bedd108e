"""Images of the store: to list, describe, name and remove them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from ..errors import ImageNotFoundError, UsageError
from ..oci import config as oci_config
from ..oci.config import History
from ..reference import Platform, Reference
from ..store.images import StoredImage
from ..store.store import Store

_NONE = "<none>"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a list.  ``names`` are familiar ones; ``created`` is the config's time in seconds, 0 if it has none;
    ``size`` is the sum of the files of all layers in bytes."""

    image: str
    names: tuple[str, ...]
    created: int
    size: int
    platform: str


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an image's history; ``layer`` is the diff_id, empty for a step that changed only the config."""

    created: str
    created_by: str
    comment: str
    layer: str
    size: int


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal took away: familiar names, and the ids of images that nothing leads to any more."""

    untagged: tuple[str, ...]
    deleted: tuple[str, ...]


def get(store: Store, text: str, platform: Platform | None = None) -> StoredImage:
    """The image that a person means by a name, an id or its beginning.

    Raises ``ImageNotFoundError``; its hint says so where another user's store could have the image.
    """
    found = store.images.find(text, platform)
    if found is None:
        hint = "“dockerception images” lists what there is"
        elsewhere = other_store()
        raise ImageNotFoundError(
            f"There is no image “{text}” in the store {store.root}.", hint=f"{hint}; {elsewhere}" if elsewhere else hint
        )
    return found


def get_all(store: Store, text: str, platform: Platform | None = None) -> list[StoredImage]:
    """The images that a person means by a name, one a platform, or one by its id; with ``platform`` only that one.

    Raises as ``get``.
    """
    if platform is None:
        try:
            found = store.images.find_all(Reference.parse(text))
        except UsageError:
            found = []
        if found:
            return found
    return [get(store, text, platform)]


def other_store() -> str:
    """A clause about a store that this user may have meant instead of the own one; empty where there is none."""
    if os.environ.get("DOCKERCEPTION_HOME"):
        return ""
    if os.geteuid() != 0:
        return "what was built with sudo is in root's own store"
    caller = os.environ.get("SUDO_USER", "")
    if not caller:
        return ""
    path = os.path.join(os.path.expanduser(f"~{caller}"), ".local", "share", "dockerception")
    return f"{caller}'s store is {path}" if os.path.exists(os.path.join(path, "store.db")) else ""


def list_images(store: Store, patterns: Sequence[str] = ()) -> list[Summary]:
    """The images, newest first.  ``patterns`` (``repository[:tag]`` with ``*`` and ``?``) keep names that match."""
    found = []
    for listed in store.images.all():
        names = tuple(Reference.parse(name).familiar for name in listed.names)
        if patterns:
            names = tuple(name for name in names if any(_matches(name, pattern) for pattern in patterns))
            if not names:
                continue
        found.append(_summary(store, listed.image, names))
    return found


def split_name(name: str) -> tuple[str, str]:
    """Repository and tag of a familiar name, ``<none>`` for what it lacks."""
    if not name:
        return _NONE, _NONE
    repository, colon, tag = name.partition("@")[0].rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name.partition("@")[0], _NONE)


def describe(store: Store, stored: StoredImage) -> dict[str, Any]:
    """The image as ``docker image inspect`` shows it; ``Config`` is the document's own, unabridged."""
    document: dict[str, Any] = msgspec.json.decode(stored.config_bytes)
    steps = document.get("history") or []
    names = [Reference.parse(name) for name in store.images.names_of(stored.image)]
    described = {
        "Id": stored.image,
        "RepoTags": [name.familiar for name in names if not name.digest],
        "RepoDigests": [name.familiar for name in names if name.digest],
        "Comment": steps[-1].get("comment", "") if steps else "",
        "Created": document.get("created", ""),
        "Author": document.get("author", ""),
        "Config": document.get("config", {}),
        "Architecture": document.get("architecture", ""),
        "Variant": document.get("variant", ""),
        "Os": document.get("os", ""),
        "Size": size_of(store, stored),
        "RootFS": {"Type": "layers", "Layers": list(stored.config.rootfs.diff_ids)},
    }
    return {key: value for key, value in described.items() if value or key not in ("Variant", "Author")}


def history(store: Store, stored: StoredImage) -> list[HistoryLine]:
    """The steps of an image, the last one first.  Layers that the config's history does not mention come last."""
    layers = list(zip(stored.config.rootfs.diff_ids, stored.layers, strict=True))
    lines = []
    for step in stored.config.history:
        layer = None if step.empty_layer or not layers else layers.pop(0)
        lines.append(_history_line(store, step, layer))
    unknown = [_history_line(store, History(), layer) for layer in layers]
    return [*reversed(lines), *unknown]


def tag(store: Store, text: str, name: str) -> list[StoredImage]:
    """Give the image ``text``, for all of its platforms, the name ``name`` too.  What had the name loses it."""
    reference = Reference.to_give(name)
    stored = get_all(store, text)
    store.images.name_all(stored, [reference])
    return stored


def remove(store: Store, text: str, *, force: bool = False) -> Removal:
    """Remove a name, for all platforms, and with an image's last name the image; or an image by its id, which with
    several names takes ``force``.  The room comes back with ``prune``.

    Raises ``ImageNotFoundError``, and ``UsageError`` for several names without ``force``.
    """
    stored = get_all(store, text)
    names = [Reference.parse(name) for name in store.images.names_of(stored[0].image)]
    wanted = _as_name(text, names)
    if wanted is not None:
        return Removal(untagged=(wanted.familiar,), deleted=tuple(store.images.remove_name(wanted)))
    familiar = tuple(name.familiar for name in names)
    if len(names) > 1 and not force:
        raise UsageError(
            f"The image {text} has {len(names)} names: {', '.join(familiar)}.",
            hint="remove them one by one, or all with --force",
        )
    store.images.remove(stored[0].image)
    return Removal(untagged=familiar, deleted=(stored[0].image,))


def size_of(store: Store, stored: StoredImage) -> int:
    """The sum of the sizes of all files in all layers, in bytes."""
    return sum(store.layers.get(layer).size for layer in stored.layers)


def _summary(store: Store, stored: StoredImage, names: tuple[str, ...]) -> Summary:
    return Summary(
        image=stored.image,
        names=names,
        created=oci_config.parse_time(stored.config.created),
        size=size_of(store, stored),
        platform=stored.platform,
    )


def _matches(name: str, pattern: str) -> bool:
    repository, tag_ = split_name(name)
    wanted, colon, wanted_tag = pattern.rpartition(":")
    if not colon or "/" in wanted_tag:
        return fnmatchcase(repository, pattern)
    return fnmatchcase(repository, wanted) and fnmatchcase(tag_, wanted_tag)


def _as_name(text: str, names: Sequence[Reference]) -> Reference | None:
    try:
        reference = Reference.parse(text)
    except UsageError:
        return None
    return reference if reference in names else None


def _history_line(store: Store, step: History, layer: tuple[str, str] | None) -> HistoryLine:
    return HistoryLine(
        created=step.created,
        created_by=step.created_by,
        comment=step.comment,
        layer=layer[0] if layer else "",
        size=store.layers.get(layer[1]).size if layer else 0,
    )
