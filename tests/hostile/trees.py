"""Random file trees: a strategy for them, how they are made on the disk, and how they are looked at there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from hypothesis import strategies as st

NodeKind = Literal["file", "directory", "symlink", "fifo", "char", "block"]
_KINDS: Final[dict[int, NodeKind]] = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char", stat.S_IFBLK: "block",
}  # fmt: skip


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What a path is: everything that an archive says of it.  ``same_as`` is the first path, in order, of the same
    file, empty where it has one name; ``device`` and ``link`` are empty where there is none."""

    kind: NodeKind
    mode: int
    uid: int
    gid: int
    mtime: int
    contents: bytes = b""
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    same_as: bytes = b""


_LETTERS: Final = st.sampled_from(b"abAB .-_*?[\\\n\t'\"\x01\x7f\xff\xc3\xa9\xed\xb2\x80".decode("latin-1"))
_texts = st.one_of(
    st.text(_LETTERS, min_size=1, max_size=12),
    st.integers(90, 255).map(lambda length: "n" * length),
    st.sampled_from(["@", "-rf", "PaxHeaders", "GNUSparseFile.0", ".wh"]),
)
_names = _texts.map(lambda text: text.encode("latin-1")).filter(lambda name: name not in (b".", b".."))
_sparse = st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=900)), max_size=6)
_ids = st.one_of(st.integers(0, 70_000), st.sampled_from([0o7777777, 0o10000000, 2**31 - 1, 2**32 - 2]))
_times = st.one_of(st.integers(0, 2**31), st.sampled_from([-1, -(2**31), 2**33, 0o77777777777 >> 1]))


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """One node without its place."""
    kind = draw(st.sampled_from(["file", "file", "file", "directory", "directory", "symlink", "fifo", "char", "block"]))
    contents = b""
    if kind == "file":
        contents = draw(st.one_of(st.binary(max_size=1500), _sparse.map(_with_holes)))
    return Node(
        kind=kind,  # type: ignore[arg-type]
        mode=draw(st.integers(0, 0o7777)) if kind != "symlink" else 0o777,
        uid=draw(_ids),
        gid=draw(_ids),
        mtime=draw(_times),
        contents=contents,
        link=b"/".join(draw(st.lists(_names, min_size=1, max_size=3))) if kind == "symlink" else b"",
        device=draw(st.tuples(st.integers(0, 4095), st.integers(0, 2**20 - 1)))
        if kind in ("char", "block")
        else (0, 0),
        xattrs=tuple(sorted(draw(_xattrs).items())) if kind in ("file", "directory") else (),
    )


_xattrs = st.dictionaries(
    st.sampled_from(["user.a", "user.b=c%3D%", "user.é"]), st.binary(min_size=1, max_size=40), max_size=2
)


def _with_holes(regions: list[tuple[int, bytes]]) -> bytes:
    """Data with holes of so many KiB in front of each piece."""
    return b"".join(bytes(gap << 10) + data for gap, data in regions)


@st.composite
def trees(draw: st.DrawFn) -> dict[bytes, Node]:
    """Paths and what they are, parents first; some files have several names."""
    found: dict[bytes, Node] = {}
    directories = [b""]
    for _ in range(draw(st.integers(1, 8))):
        above = draw(st.sampled_from(directories))
        path = above + b"/" * bool(above) + draw(_names)
        if path in found or len(path) > 900:
            continue
        files = [other for other, node in found.items() if node.kind == "file"]
        if files and draw(st.integers(0, 3)) == 0:
            first = draw(st.sampled_from(files))
            found[path] = msgspec.structs.replace(found[first], same_as=found[first].same_as or first)
            continue
        found[path] = draw(nodes())
        if found[path].kind == "directory":
            directories.append(path)
    return found


def make(folder: bytes, tree: Mapping[bytes, Node]) -> None:
    """Make a tree in an empty directory (as root)."""
    for path, node in tree.items():
        place = folder + b"/" + path
        if node.same_as:
            os.link(folder + b"/" + node.same_as, place)
            continue
        _make_one(place, node)
        os.chown(place, node.uid, node.gid, follow_symlinks=False)
        for name, value in node.xattrs:
            os.setxattr(place, name, value)
        if node.kind != "symlink":
            os.chmod(place, node.mode)
    for path, node in reversed(list(tree.items())):
        os.utime(folder + b"/" + path, (node.mtime, node.mtime), follow_symlinks=False)


def _make_one(place: bytes, node: Node) -> None:
    match node.kind:
        case "file":
            with open(place, "wb") as file:
                for at in range(0, len(node.contents), 1024):
                    piece = node.contents[at : at + 1024]
                    file.seek(at + (0 if piece.strip(b"\0") else len(piece)))
                    file.write(piece.strip(b"\0") and piece)
                file.truncate(len(node.contents))
        case "directory":
            os.mkdir(place)
        case "symlink":
            os.symlink(node.link, place)
        case "fifo":
            os.mkfifo(place)
        case "char" | "block":
            kind = stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK
            os.mknod(place, kind, os.makedev(*node.device))


def look(folder: bytes) -> dict[bytes, Node]:
    """What a directory has, below itself."""
    found: dict[bytes, Node] = {}
    first_names: dict[tuple[int, int], bytes] = {}
    for above, directories, files in os.walk(folder):
        for name in (*directories, *files):
            place = above + b"/" + name
            found[place[len(folder) + 1 :]] = _look_at(place)
    for path in sorted(found):
        status = os.lstat(folder + b"/" + path)
        first = first_names.setdefault((status.st_dev, status.st_ino), path)
        if first != path and found[path].kind == "file":
            found[path] = msgspec.structs.replace(found[path], same_as=first)
    return found


def _look_at(place: bytes) -> Node:
    status = os.lstat(place)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    has_attributes = kind in ("file", "directory")
    contents = b""
    if kind == "file":
        with open(place, "rb") as file:
            contents = file.read()
    names = [name for name in os.listxattr(place) if name.startswith("user.")] if has_attributes else []
    return Node(
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns // 1_000_000_000,
        contents=contents,
        link=os.readlink(place) if kind == "symlink" else b"",
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in ("char", "block") else (0, 0),
        xattrs=tuple(sorted((name, os.getxattr(place, name)) for name in names)),
    )
