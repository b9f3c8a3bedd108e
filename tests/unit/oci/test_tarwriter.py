"""The canonical tar writer: the standard library and our own reader find in it what was put in."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.oci import tarwriter
from dockerception.oci.entry import Entry, Kind
from unit.oci.archives import entries

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
_KINDS: list[Kind] = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"]
_parts = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.sampled_from("\udc80"),
    min_size=1,
    max_size=120,
).filter(lambda part: part not in (".", "..") and not part.startswith(".wh."))
_paths = st.lists(_parts, min_size=1, max_size=4).map("/".join)
_xattr_names = st.text("abc.é=%3D", min_size=1).map("user.{}".format)


@st.composite
def _entries(draw: st.DrawFn) -> tuple[Entry, bytes]:
    kind = draw(st.sampled_from(_KINDS))
    contents = draw(st.binary(max_size=1100)) if kind == "file" else b""
    entry = Entry(
        path=draw(_paths),
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        size=len(contents),
        mtime=draw(st.integers(-(2**40), 2**40)),
        link=draw(_paths) if kind in ("symlink", "hardlink") else "",
        xattrs=tuple(sorted(draw(st.dictionaries(_xattr_names, st.binary(max_size=50), max_size=2)).items())),
        device=draw(st.tuples(st.integers(0, 4095), st.integers(0, 2**20))) if kind in ("char", "block") else (0, 0),
    )
    return entry, contents


def _write(items: list[tuple[Entry, bytes]]) -> bytes:
    contents = {id(entry): data for entry, data in items}
    return b"".join(tarwriter.write([entry for entry, _ in items], lambda entry: [contents[id(entry)]]))


@settings(max_examples=200)
@given(st.lists(_entries(), max_size=4))
def test_the_standard_library_reads_it(items: list[tuple[Entry, bytes]]) -> None:
    data = _write(items)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        members = archive.getmembers()
        assert len(members) == len(items)
        for info, (entry, contents) in zip(members, items, strict=True):
            assert (info.name, info.type, info.linkname) == (entry.path, _TYPES[entry.kind], entry.link)
            assert (info.mode, info.uid, info.gid, info.mtime) == (entry.mode, entry.uid, entry.gid, entry.mtime)
            assert (info.uname, info.gname) == ("", "")
            if entry.kind == "file":
                file = archive.extractfile(info)
                assert file is not None
                assert file.read() == contents
            if entry.kind in ("char", "block"):
                assert (info.devmajor, info.devminor) == entry.device


@settings(max_examples=200)
@given(st.lists(_entries(), max_size=4))
def test_our_reader_reads_it(items: list[tuple[Entry, bytes]]) -> None:
    read = entries(_write(items))
    assert [_without_offset(entry) for entry, _ in read] == [_without_offset(entry) for entry, _ in items]
    assert [contents for _, contents in read] == [contents for _, contents in items]


def _without_offset(entry: Entry) -> tuple[object, ...]:
    return tuple(getattr(entry, field) for field in Entry.__struct_fields__ if field != "offset")


def test_a_whiteout_and_an_opaque_directory() -> None:
    opaque = Entry(path="d", kind="directory", mode=0o755, is_opaque=True)
    data = _write([(opaque, b""), (Entry(path="d/x", kind="whiteout"), b"")])
    assert [(entry.path, entry.kind, entry.size) for entry, _ in entries(data)] == [
        ("d", "directory", 0),
        ("d/.wh..wh..opq", "file", 0),
        ("d/.wh.x", "file", 0),
    ]


def test_the_root_has_a_name() -> None:
    with tarfile.open(fileobj=io.BytesIO(_write([(Entry(path="", kind="directory", mode=0o755), b"")]))) as archive:
        assert [info.name for info in archive] == ["."]


def test_a_plain_entry_takes_one_header_and_a_large_file_tells_its_size() -> None:
    assert len(tarwriter.header(Entry(path="a" * 100 + "/" + "b" * 100, kind="file"))) == 512
    large = tarwriter.header(Entry(path="large", kind="file", size=1 << 40))
    assert b"size=1099511627776\n" in large


def test_the_bytes_do_not_change() -> None:
    """Equal tocs must give equal layers everywhere: this header may only change together with the version."""
    app = Entry(path="bin/app", kind="file", mode=0o755, uid=1, gid=2, size=3, mtime=1_700_000_000)
    block = tarwriter.header(app)
    expected = (
        b"bin/app".ljust(100, b"\0") + b"0000755\0" + b"0000001\0" + b"0000002\0" + b"00000000003\0" + b"14524770400\0"
        b"010521\0 0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\x000000000\0" + bytes(167)
    )
    assert (tarwriter.FORMAT_VERSION, block) == (1, expected)
