"""Files that lead out: links in layers below which entries lie, and a context that changes while it is copied."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from dockerception.context.directory import DirectoryContext
from dockerception.errors import DockerceptionError
from dockerception.oci.entry import FILE
from dockerception.sandbox.client import Sandbox
from support.tools import need_root

SECRET = b"canary-of-the-machine"


def link_out(outside: Path) -> list[tuple[str, bytes, str, bytes]]:
    """Name, type, link target and contents of entries that want to write or read outside."""
    return [
        ("out", tarfile.SYMTYPE, str(outside), b""),
        ("out/new", tarfile.REGTYPE, "", b"new"),
        ("out/canary", tarfile.REGTYPE, "", b"changed"),
        ("up", tarfile.SYMTYPE, "../../../../../../../../.." + str(outside), b""),
        ("up/new", tarfile.REGTYPE, "", b"new"),
        ("a", tarfile.SYMTYPE, "b", b""),
        ("b", tarfile.SYMTYPE, str(outside), b""),
        ("a/deep/new", tarfile.REGTYPE, "", b"new"),
        ("self", tarfile.SYMTYPE, "/proc/self/root" + str(outside), b""),
        ("self/new", tarfile.REGTYPE, "", b"new"),
        ("out/.wh.canary", tarfile.REGTYPE, "", b""),
        ("taken", tarfile.LNKTYPE, str(outside / "canary").lstrip("/"), b""),
        ("taken2", tarfile.LNKTYPE, "out/canary", b""),
        ("dir", tarfile.DIRTYPE, "", b""),
        ("dir", tarfile.SYMTYPE, str(outside), b""),
        ("dir/new", tarfile.REGTYPE, "", b"new"),
    ]


def test_no_entry_of_a_layer_lands_outside(tmp_path: Path) -> None:
    need_root()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_bytes(SECRET)
    store = tmp_path / "store"
    (store / "tmp").mkdir(parents=True)
    (store / "trees").mkdir()
    entries = link_out(outside)
    # One layer with all of it ends at the first entry that is refused, so each also comes alone, after the links.
    links = [each for each in entries if each[1] == tarfile.SYMTYPE]
    layers = [entries, *([*links, each] for each in entries if each[1] != tarfile.SYMTYPE)]
    refused = 0
    with Sandbox(str(store), isolation="auto") as sandbox:
        for number, layer in enumerate(layers):
            tree = store / "trees" / str(number)
            try:
                sandbox.unpack(str(tree), [_tar(layer)])
            except DockerceptionError:
                refused += 1
            taken = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
            assert all(SECRET not in path.read_bytes() for path in taken)
    assert refused < len(layers)  # links within the layer's own root are followed, as every tool does
    assert os.listdir(outside) == ["canary"]
    assert (outside / "canary").read_bytes() == SECRET
    assert (outside / "canary").stat().st_nlink == 1


def _tar(entries: list[tuple[str, bytes, str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, target, contents in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, target, len(contents), 0o755
            archive.addfile(info, io.BytesIO(contents))
    return buffer.getvalue()


@pytest.mark.parametrize("what", ["directory", "file"])
def test_a_context_that_is_swapped_for_a_link_gives_nothing_from_outside(tmp_path: Path, what: str) -> None:
    outside, context = tmp_path / "outside", tmp_path / "context"
    for folder in (outside, context / "d", context / "other"):
        folder.mkdir(parents=True)
    for number in range(50):
        (outside / f"f{number}").write_bytes(SECRET)
        (context / "d" / f"f{number}").write_bytes(b"x" * len(SECRET))
    (context / "other/kept").write_bytes(b"kept")
    swapped = context / ("d" if what == "directory" else "d/f7")
    target = outside if what == "directory" else outside / "f7"
    aside = tmp_path / "aside"
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            os.rename(swapped, aside)
            os.symlink(target, swapped)
            os.unlink(swapped)
            os.rename(aside, swapped)

    thread = threading.Thread(target=swap)
    thread.start()
    read = 0
    try:
        for _ in range(60):
            listed = DirectoryContext(str(context))
            for entry in listed.walk(""):
                try:
                    contents = b"".join(map(bytes, listed.read(entry))) if entry.kind == FILE else b""
                except DockerceptionError:
                    continue  # it has changed since it was listed
                assert SECRET not in contents
                read += bool(contents)
    finally:
        is_over.set()
        thread.join()
    assert read >= 60  # the swap did not keep it from all


def test_a_tree_that_is_swapped_for_a_link_while_it_is_unpacked_gives_nothing_outside(tmp_path: Path) -> None:
    need_root()
    outside, store = tmp_path / "outside", tmp_path / "store"
    for folder in (outside, store / "tmp", store / "trees"):
        folder.mkdir(parents=True)
    (outside / "f0").write_bytes(SECRET)
    names = [("d", tarfile.DIRTYPE, "", b""), *((f"d/f{n}", tarfile.REGTYPE, "", b"new") for n in range(3000))]
    current = [store / "trees/0"]
    is_over = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not is_over.is_set():
            swapped = current[0] / "d"
            try:
                os.rename(swapped, aside := tmp_path / current[0].name)
                os.symlink(outside, swapped)
                swaps += 1
                os.unlink(swapped)
                os.rename(aside, swapped)
            except OSError:
                pass  # the unpacker has not made it yet, or has made it anew

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with Sandbox(str(store), isolation="auto") as sandbox:
            for number in range(8):
                current[0] = store / f"trees/{number}"
                with suppress(DockerceptionError):
                    sandbox.unpack(str(current[0]), [_tar(names)])
    finally:
        is_over.set()
        thread.join()
    assert swaps > 20, "the swaps came too late"
    assert os.listdir(outside) == ["f0"]
    assert (outside / "f0").read_bytes() == SECRET
