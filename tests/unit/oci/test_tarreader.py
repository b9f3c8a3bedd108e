"""The tar reader against the standard library's writer, and against archives that no honest program writes."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.errors import StreamError
from dockerception.oci.stream_limits import Limits
from dockerception.oci.tarreader import TarReader
from dockerception.oci.unexpected import UnexpectedBytesError
from unit.oci import archives
from unit.oci.archives import END, entries, header, made_by_tarfile, member, outcome, pax, record

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}

_parts = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.sampled_from("\udc80\udcff"), min_size=1
).filter(lambda part: part not in (".", ".."))
_paths = st.lists(_parts, min_size=1, max_size=6).map("/".join)


@st.composite
def _members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(_paths))
    info.type = draw(st.sampled_from(sorted(_KINDS)))
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**32 - 1))
    info.mtime = draw(st.integers(0, 2**40))
    contents = b""
    if info.type == tarfile.REGTYPE:
        contents = draw(st.binary(max_size=2000))
    elif info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = draw(_paths)
    elif info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = draw(st.integers(0, 2000)), draw(st.integers(0, 2**20))
    return info, contents


@settings(max_examples=150)
@given(
    st.lists(_members(), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 3000),
)
def test_reads_what_the_standard_library_writes(
    members: list[tuple[tarfile.TarInfo, bytes]], tar_format: int, step: int
) -> None:
    data = made_by_tarfile(members, tar_format)
    read = entries(data, step=step)
    assert len(read) == len(members)
    for (entry, contents), (info, written) in zip(read, members, strict=True):
        assert entry.path == "/".join(part for part in info.name.split("/") if part)
        assert entry.kind == _KINDS[info.type]
        assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (info.mode, info.uid, info.gid, info.mtime)
        assert entry.link == info.linkname
        assert (entry.size, contents) == (len(written), written)
        if entry.kind in ("char", "block"):
            assert entry.device == (info.devmajor, info.devminor)


@settings(max_examples=300)
@given(st.lists(_members(), min_size=1, max_size=3), st.data())
def test_a_damaged_archive_is_an_error_or_still_an_archive(
    members: list[tuple[tarfile.TarInfo, bytes]], data: st.DataObject
) -> None:
    archive = bytearray(made_by_tarfile(members, tarfile.PAX_FORMAT))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(archive)).startswith(("The archive ", "sound"))


@settings(max_examples=100)
@given(st.lists(_members(), min_size=1, max_size=3), st.data())
def test_every_cut_is_noticed(members: list[tuple[tarfile.TarInfo, bytes]], data: st.DataObject) -> None:
    archive = made_by_tarfile(members, tarfile.PAX_FORMAT).rstrip(b"\0")
    end = len(archive) + -len(archive) % 512 + 1024
    cut = data.draw(st.integers(0, end - 1))
    with pytest.raises(StreamError, match="is truncated"):
        entries((archive + bytes(2000))[:cut])


_field8, _field12 = st.binary(min_size=8, max_size=8), st.binary(min_size=12, max_size=12)


@settings(max_examples=300)
@given(
    name=st.binary(max_size=100),
    mode=_field8,
    uid=_field8,
    size_field=_field12 | st.just(b"00000000000\0"),
    mtime=_field12,
    typeflag=st.sampled_from([bytes((byte,)) for byte in b"01234567xgLKSV\0"]) | st.binary(min_size=1, max_size=1),
    link=st.binary(max_size=100),
    devices=st.binary(min_size=16, max_size=16),
    prefix=st.binary(max_size=167),
    body=st.binary(max_size=600),
)
def test_any_header_is_an_entry_or_an_error(body: bytes, **fields: bytes) -> None:
    """Whatever stands in a block whose checksum is right, nothing but ``StreamError`` comes out."""
    data = header(**fields) + body + bytes(-len(body) % 512) + header(b"next") + END  # type: ignore[arg-type]
    assert outcome(data).startswith(("The archive ", "sound"))


def test_an_offset_points_at_the_contents() -> None:
    data = member(b"a", b"first") + member(b"b", b"second" * 200) + END
    for entry, contents in entries(data):
        assert data[entry.offset : entry.offset + entry.size] == contents


def test_contents_that_nobody_asks_for_are_skipped() -> None:
    data = member(b"a", b"x" * 1000) + member(b"b", b"y") + END
    reader = TarReader(archives.read_function(data, 100), origin="The archive")
    assert [entry.path for entry in reader] == ["a", "b"]
    assert reader.position == len(data)


@pytest.mark.parametrize(
    ("name", "path"),
    [(b"./a//b/./c", "a/b/c"), (b"/etc/x", "etc/x"), (b"a/../b", "b"), (b"./", ""), (b"a/b/../../c", "c")],
)
def test_names_are_made_relative(name: bytes, path: str) -> None:
    typeflag = b"5" if not path else b"0"
    assert entries(header(name, typeflag=typeflag) + END)[0][0].path == path


@pytest.mark.parametrize("name", [b"..", b"../x", b"a/../../x", b"/../x"])
def test_a_name_that_leads_out_is_an_error(name: bytes) -> None:
    with pytest.raises(StreamError, match=r"at byte 512, its name .* leads out of the archive"):
        entries(header(b"first") + header(name) + END)


def test_a_symlink_that_leads_out_is_data() -> None:
    assert entries(header(b"l", typeflag=b"2", link=b"../../etc/passwd") + END)[0][0].link == "../../etc/passwd"


def test_a_v7_directory_is_marked_by_its_slash() -> None:
    block = header(b"dir/", typeflag=b"\0", magic=b"", devices=bytes(16))
    assert entries(block + END)[0][0].kind == "directory"


def test_prefix_of_ustar_and_of_star() -> None:
    assert entries(header(b"n", prefix=b"a/b") + END)[0][0].path == "a/b/n"
    star = bytearray(header(b"n", prefix=b"a/b".ljust(131, b"\0") + b"00000000000\x0000000000000\0"))
    star[508:512] = b"tar\0"
    star[148:156] = b"%06o\0 " % (sum(star) - sum(star[148:156]) + 256)
    assert entries(bytes(star) + END)[0][0].path == "a/b/n"


def test_a_hard_link_may_repeat_the_size_without_contents() -> None:
    data = member(b"a", b"x" * 600) + header(b"b", size=600, typeflag=b"1", link=b"./a") + member(b"c", b"z") + END
    assert [(entry.path, entry.kind, entry.link, text) for entry, text in entries(data)] == [
        ("a", "file", "", b"x" * 600),
        ("b", "hardlink", "a", b""),
        ("c", "file", "", b"z"),
    ]


def test_device_fields_of_files_may_hold_anything() -> None:
    assert entries(header(devices=b"garbage!garbage!") + END)[0][0].device == (0, 0)


def test_checksums_may_be_signed() -> None:
    assert entries(header("ä".encode(), signed=True) + END)[0][0].path == "ä"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644\0junk", 0o644),
        (bytes(8), 0),
        (b"00000644", 0o644),
        (b"\x80\0\0\0\0\0\x01\xa4", 0o644),
    ],
)
def test_number_fields(field: bytes, value: int) -> None:
    assert entries(header(mode=field) + END)[0][0].mode == value


def test_times_before_1970_are_base_256() -> None:
    assert entries(header(mtime=(-5).to_bytes(12, "big", signed=True)) + END)[0][0].mtime == -5


def test_pax_records_win_and_globals_last() -> None:
    data = (
        pax(record(b"mtime", b"7") + record(b"comment", b"git"), b"g")
        + header(b"a")
        + pax(record(b"path", "é/long".encode()) + record(b"mtime", b"-1.5") + record(b"uid", b"3000000000"))
        + header(b"short")
        + pax(record(b"mtime", b""))
        + header(b"c", mtime=b"00000000011\0")
        + END
    )
    read = [entry for entry, _ in entries(data)]
    assert [(entry.path, entry.mtime, entry.uid) for entry in read] == [
        ("a", 7, 0),
        ("é/long", -2, 3000000000),
        ("c", 9, 0),
    ]


def test_xattrs_are_kept_and_sorted() -> None:
    data = (
        pax(record(b"SCHILY.xattr.user.b", b"\0\n=") + record(b"SCHILY.xattr.security.capability", b"\1"))
        + header()
        + END
    )
    assert entries(data)[0][0].xattrs == (("security.capability", b"\1"), ("user.b", b"\0\n="))


@pytest.mark.parametrize("name", [b"user.overlay.opaque", b"trusted.overlay.redirect"])
def test_attributes_of_overlays_are_an_error(name: bytes) -> None:
    with pytest.raises(StreamError, match="only an overlay file system may set"):
        entries(pax(record(b"SCHILY.xattr." + name, b"y")) + header() + END)


_BAD = {
    "text": (b"Compiling main.go\n".ljust(600, b"."), r"at byte 0, there is no tar header \(found the text “Compiling"),
    "text between": (member(b"a", b"x") + b"warning: old\n" + bytes(1000), r"at byte 1024, .*“warning: old”"),
    "text after": (END + b"\0" * 100 + b"done.\n", r"at byte 1124, there are more bytes after the end .*“done\.”"),
    "coloured text": (b"\x1b[31merror\x1b[0m: no".ljust(512), "“error: no”"),
    "binary": (bytes(range(128, 256)) * 4, r"found the bytes 80 81 82 83 84 85 86 87"),
    "one zero block": (bytes(512) + header(), "one zero block is followed by something else than a second"),
    "unknown type": (header(typeflag=b"D") + END, "its type is “D”"),
    "no name": (header(b".") + END, "it is a file without a name"),
    "link to nothing": (header(typeflag=b"2") + END, "it is a link to nothing"),
    "bad number": (header(mode=b"abcdefg\0") + END, "its field “mode” is b'abcdefg'"),
    "negative number": (header(mode=b"-000001\0") + END, "its field “mode”"),
    "underscored number": (header(mode=b"1_00_0\0\0") + END, "its field “mode”"),
    "negative size": (header(size_field=b"\xff" * 12) + END, "its size is -1"),
    "huge size": (header(size_field=b"\x80" + b"\x7f" * 11) + END, "its size is "),
    "huge uid": (header(uid=b"\x80" + b"\x7f" * 7) + END, "its uid is "),
    "huge mtime": (header(mtime=b"\x80" + b"\x7f" * 11) + END, "its mtime is "),
    "pax without length": (pax(b"path=x\n") + header() + END, "its extended header is malformed"),
    "pax with a wrong length": (pax(b"99 path=x\n") + header() + END, "its extended header is malformed"),
    "pax damaged by a terminal": (pax(b"11 path=xy\r\n") + header() + END, "its extended header is malformed"),
    "pax with a bad number": (pax(record(b"mtime", b"1e3")) + header() + END, "mtime=b'1e3'"),
    "pax with a long number": (pax(record(b"size", b"9" * 5000)) + header() + END, "size=b'9999"),
    "pax xattr without a name": (pax(record(b"SCHILY.xattr.", b"")) + header() + END, "without a name"),
    "pax path with NUL": (pax(record(b"path", b"a\0b")) + header() + END, "has a NUL byte"),
    "large extended header": (header(typeflag=b"x", size=2 << 20) + END, "an extended header of 2097152 bytes"),
    "negative extended header": (
        header(typeflag=b"L", size_field=b"\xff" * 12) + END,
        "an extended header of -1 bytes",
    ),
}


@pytest.mark.parametrize("case", _BAD)
def test_what_is_wrong_is_told_with_its_place(case: str) -> None:
    data, message = _BAD[case]
    with pytest.raises(StreamError, match=message):
        entries(data)


def test_bytes_out_of_place_are_a_class_of_their_own() -> None:
    with pytest.raises(UnexpectedBytesError):
        entries(b"x" * 512)


def test_extended_headers_do_not_pile_up() -> None:
    one = pax(record(b"comment", b"x" * 400_000))
    with pytest.raises(StreamError, match="the limit for one entry is 1048576"):
        entries(one * 3 + header() + END)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_entries=2), "The archive has more than 2 entries"),
        (Limits(max_path=10), r"a name of 12 bytes begins “long-name-cc”; the limit is 10"),
        (Limits(max_bytes=5, bytes_option="--max-context"), "more than 5 bytes of files.*\n.*--max-context"),
        (Limits(max_metadata=12), "more than 12 bytes of names"),
    ],
)
def test_limits(limits: Limits, message: str) -> None:
    data = member(b"a", b"xyz") + member(b"b", b"xyz") + header(b"long-name-cc") + END
    with pytest.raises(StreamError, match=message):
        entries(data, limits=limits)


def test_padding_of_any_length_may_follow() -> None:
    assert len(entries(header() + END + bytes(100_000))) == 1


def test_an_archive_without_entries() -> None:
    assert entries(END) == []


def test_the_stream_is_read_to_its_end() -> None:
    stream = io.BytesIO(header() + END + bytes(3 << 20))
    reader = TarReader(stream.read, origin="The archive")
    assert len(list(reader)) == 1
    assert stream.read() == b""


def test_padding_without_end() -> None:
    """NULs may follow the end, as many as the limit on contents allows: /dev/zero is no archive."""
    reader = TarReader(bytes, origin="The stream", limits=Limits(max_bytes=10 << 20, bytes_option="--max-context"))
    with pytest.raises(StreamError, match="more than 10485760 NULs") as caught:
        list(reader)
    assert "--max-context" in caught.value.hint
