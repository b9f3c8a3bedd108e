"""The file tree that a stack of layers makes (OCI image-spec, layer.md), as plain data."""

from __future__ import annotations

import hashlib
import tarfile
from typing import IO

import msgspec

_OPAQUE = ".wh..wh..opq"
_WHITEOUT = ".wh."
_XATTR = "SCHILY.xattr."
_KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


class Node(msgspec.Struct, frozen=True, eq=False):
    """One inode: two paths with the same ``Node`` are hard links of each other.

    ``content`` is the SHA-256 of a file, the target of a link, ``major:minor`` of a device and empty otherwise.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    content: str
    xattrs: dict[str, str]


Tree = dict[str, Node]
"""Paths without a leading slash; the root directory is the empty path and may be missing."""


class BrokenLayerError(Exception):
    """A layer that no tree can be made of."""


def apply_layer(tree: Tree, layer: IO[bytes]) -> None:
    """Change ``tree`` as the layer says.  Whiteouts hide what lower layers have, whatever their place in the tar."""
    with tarfile.open(fileobj=layer, mode="r:") as archive:
        members = [(_clean(member.name), member) for member in archive]
        for path, _ in members:
            _apply_whiteout(tree, path)
        for path, member in members:
            if not _name(path).startswith(_WHITEOUT):
                _add(tree, path, member, archive)


def hard_links(tree: Tree) -> dict[str, tuple[str, ...]]:
    """For each path that has them, all the paths of its file, sorted."""
    paths: dict[int, list[str]] = {}
    for path, node in tree.items():
        paths.setdefault(id(node), []).append(path)
    return {path: tuple(sorted(group)) for group in paths.values() if len(group) > 1 for path in group}


def sha256_of(file: IO[bytes]) -> str:
    """The hex SHA-256 of all that is left to read."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _apply_whiteout(tree: Tree, path: str) -> None:
    parent, name = _parent(path), _name(path)
    if name == _OPAQUE:
        _remove_below(tree, parent)
    elif name.startswith(_WHITEOUT):
        hidden = f"{parent}/{name[len(_WHITEOUT) :]}".lstrip("/")
        tree.pop(hidden, None)
        _remove_below(tree, hidden)


def _add(tree: Tree, path: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    _add_parents(tree, path)
    if path in tree and tree[path].kind == "directory" and not member.isdir():
        _remove_below(tree, path)
    if member.islnk():
        target = _clean(member.linkname)
        if target not in tree:
            raise BrokenLayerError(f"{path} is a hard link to {target}, which does not exist")
        tree[path] = tree[target]
    else:
        tree[path] = _node(member, archive)


def _add_parents(tree: Tree, path: str) -> None:
    """Directories that no layer mentions are root's, with mode 0755; any other parent must be a directory."""
    parent = _parent(path)
    if not parent:
        return
    node = tree.get(parent)
    if node is None:
        _add_parents(tree, parent)
        tree[parent] = Node("directory", 0o755, 0, 0, "", {})
    elif node.kind != "directory":
        raise BrokenLayerError(f"{path} lies below {parent}, which is a {node.kind}")


def _node(member: tarfile.TarInfo, archive: tarfile.TarFile) -> Node:
    kind = _KINDS.get(member.type, "file" if member.isreg() else f"type {member.type!r}")
    xattrs = {key.removeprefix(_XATTR): value for key, value in member.pax_headers.items() if key.startswith(_XATTR)}
    return Node(kind, member.mode & 0o7777, member.uid, member.gid, _content(member, archive), xattrs)


def _content(member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    if member.isreg():
        file = archive.extractfile(member)
        if file is None:
            raise BrokenLayerError(f"{member.name} can't be read")
        with file:
            return sha256_of(file)
    if member.issym():
        return member.linkname
    return f"{member.devmajor}:{member.devminor}" if member.isdev() and not member.isfifo() else ""


def _remove_below(tree: Tree, folder: str) -> None:
    prefix = f"{folder}/" if folder else ""
    for path in [path for path in tree if path.startswith(prefix) and path != ""]:
        del tree[path]


def _clean(name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BrokenLayerError(f"{name} leaves the tree")
    return "/".join(parts)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
