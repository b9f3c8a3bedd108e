"""GNU tar as the oracle: archives of random trees are read as it extracts them, and what we write it extracts as it is.

Where GNU tar itself can't extract an archive (a name too long for its format has been left out, and with it the target
of a hard link) there is nothing to compare with; such an archive is only read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockerception.context import tarstream
from dockerception.context.tar_context import TarContext
from dockerception.errors import StreamError
from dockerception.oci import tarwriter
from dockerception.oci.entry import HARDLINK, Entry
from dockerception.transports.canonical import LinkOrder
from hostile.trees import Node, NodeKind, look, make, trees
from support import reliability
from support.tools import need, need_root

FORMATS: Final = {
    "gnu": (), "gnu, sparse": ("--sparse",), "oldgnu": (), "ustar": (), "v7": (),
    "posix": ("--xattrs", "--xattrs-include=*"),
    "posix, sparse 0.0": ("--sparse", "--sparse-version=0.0"),
    "posix, sparse 0.1": ("--sparse", "--sparse-version=0.1"),
    "posix, sparse 1.0": ("--sparse", "--sparse-version=1.0", "--xattrs", "--xattrs-include=*"),
    "posix, times in records": ("--pax-option=globexthdr.comment=x,exthdr.mtime:=1234567890.987654321",),
}  # fmt: skip
COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "none": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd.compress,
}  # fmt: skip
CHANGES: Final = ("nothing", "append", "update", "concatenate", "delete")
_SETTINGS: Final = settings(max_examples=10 * reliability.SCALE, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("form", FORMATS)
@_SETTINGS
@given(trees(), st.sampled_from(sorted(COMPRESSIONS)), st.lists(st.integers(0, 1 << 16), max_size=2))
def test_read_as_gnu_tar_extracts_it(form: str, tree: dict[bytes, Node], compression: str, cuts: list[int]) -> None:
    need_root()
    with _folder() as folder:
        archive = _archived(folder, tree, form)
        _compare(folder, archive, _packed(archive.read_bytes(), compression, cuts), f"GNU tar, {form}")


@pytest.mark.parametrize("change", CHANGES[1:])
@_SETTINGS
@given(trees(), trees(), st.sampled_from(["gnu", "posix"]))
def test_read_after_gnu_tar_has_changed_it(
    change: str, tree: dict[bytes, Node], other: dict[bytes, Node], form: str
) -> None:
    need_root()
    # GNU tar leaves the attributes of a directory that it extracts a second time.
    tree, other = (
        {path: msgspec.structs.replace(node, xattrs=()) for path, node in each.items()} for each in (tree, other)
    )
    with _folder() as folder:
        archive = _archived(folder, tree, form)
        _change(folder, archive, tree, other, change, form)
        _compare(folder, archive, archive.read_bytes(), f"GNU tar, then {change}", are_links_compared=False)


@_SETTINGS
@given(trees())
def test_gnu_tar_extracts_what_we_write(tree: dict[bytes, Node]) -> None:
    need_root()
    with _folder() as folder:
        archive = _archived(folder, tree, "posix")
        context = _received(folder, archive.read_bytes())
        written = folder / "written.tar"
        links = LinkOrder(context.find, context.read)
        written.write_bytes(b"".join(tarwriter.write(links.entries(context.toc), links.contents)))
        listed = _tar("-t", "--quoting-style=literal", "-f", written, "--null")
        assert (listed.returncode, listed.stderr) == (0, b"")
        assert _extracted(folder, written) == _extracted(folder, archive)
    reliability.count("archives", "our writer, extracted by GNU tar", archives=1, entries=len(context.toc))


def _without_attributes(tree: dict[bytes, Node]) -> dict[bytes, Node]:
    return {path: msgspec.structs.replace(node, xattrs=()) for path, node in tree.items()}


def _compare(folder: Path, archive: Path, packed: bytes, row: str, *, are_links_compared: bool = True) -> None:
    expected = _extracted(folder, archive)
    if expected is None:
        try:
            _received(folder, packed)
        except StreamError:
            reliability.count("archives", row, refused=1)
        return
    context = _received(folder, packed)
    got = {os.fsencode(entry.path): _node(entry, context) for entry in context.walk("")}
    if not are_links_compared:
        expected, got = ({path: _alone(node) for path, node in found.items()} for found in (expected, got))
    else:
        got = _with_first_names(got)
    assert got == expected
    reliability.count("archives", row, archives=1, entries=len(got))


def _received(folder: Path, data: bytes) -> TarContext:
    descriptor, path = tempfile.mkstemp(dir=folder)
    try:
        received = tarstream.receive(io.BytesIO(data).read, spool=descriptor, origin="The archive", source="archive")
    finally:
        os.close(descriptor)
    return TarContext(received.toc, path, origin="the archive", keeps_owners=True)


def _node(entry: Entry, context: TarContext) -> Node:
    is_file = entry.kind in ("file", HARDLINK)
    kind: NodeKind = "file" if is_file else entry.kind  # type: ignore[assignment]
    return Node(
        kind=kind,
        mode=entry.mode if kind != "symlink" else 0o777,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        contents=b"".join(context.read(entry)) if is_file else b"",
        link=os.fsencode(entry.link) if kind == "symlink" else b"",
        device=entry.device,
        xattrs=tuple((name, value) for name, value in entry.xattrs if name.startswith("user.")),
        same_as=os.fsencode(entry.link) if entry.kind == HARDLINK else b"",
    )


def _with_first_names(found: dict[bytes, Node]) -> dict[bytes, Node]:
    """With the first name in order of each file, as ``look`` has it, in place of the one that the archive links to."""
    roots = {path: _root(found, path) for path in sorted(found)}
    firsts: dict[bytes, bytes] = {}
    for path, root in roots.items():
        firsts.setdefault(root, path)
    return {
        path: msgspec.structs.replace(node, same_as=b"" if firsts[roots[path]] == path else firsts[roots[path]])
        for path, node in found.items()
    }


def _root(found: dict[bytes, Node], path: bytes) -> bytes:
    while found[path].same_as:
        path = found[path].same_as
    return path


def _alone(node: Node) -> Node:
    return msgspec.structs.replace(node, same_as=b"")


def _archived(folder: Path, tree: dict[bytes, Node], form: str) -> Path:
    source, archive = folder / "source", folder / "made.tar"
    source.mkdir()
    make(bytes(source), tree)
    _tar("-c", f"--format={form.partition(',')[0]}", *FORMATS[form], "-f", archive, "-C", source, ".")
    return archive


def _change(
    folder: Path, archive: Path, tree: dict[bytes, Node], other: dict[bytes, Node], change: str, form: str
) -> None:
    source = folder / "source"
    if change == "concatenate":
        second = folder / "second" / "below"
        second.mkdir(parents=True)
        make(bytes(second), other)
        _tar("-c", f"--format={form}", "-f", folder / "more.tar", "-C", folder / "second", "below")
        _tar("-A", "-f", archive, folder / "more.tar")
        return
    if change == "delete":
        names = _tar("-t", "--quoting-style=literal", "-f", archive).stdout.splitlines()
        _tar("--delete", "--no-wildcards", "-f", archive, os.fsdecode(names[-1]))
        return
    for path, node in tree.items():
        if node.kind == "file":
            place = bytes(source) + b"/" + path
            os.unlink(place)
            with open(place, "wb") as file:
                file.write(b"changed " + path)
    _tar("-r" if change == "append" else "-u", f"--format={form}", "-f", archive, "-C", source, ".")


def _extracted(folder: Path, archive: Path) -> dict[bytes, Node] | None:
    """What GNU tar makes of an archive; None where it can't."""
    target = Path(tempfile.mkdtemp(dir=folder))
    options = [
        "-x",
        "-p",
        "--delay-directory-restore",
        "--same-owner",
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
    ]
    done = _tar(*options, "-f", archive, "-C", target)
    return look(bytes(target)) if done.returncode == 0 else None


def _packed(data: bytes, compression: str, cuts: list[int]) -> bytes:
    """The archive, compressed in pieces."""
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return b"".join(map(COMPRESSIONS[compression], pieces))


def _tar(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [need("tar"), *map(os.fsdecode, map(str, arguments))]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)
