"""Sparse files in all the formats that GNU tar has had, and hostile sparse maps."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.errors import StreamError
from dockerception.oci import pax as oci_pax
from unit.oci.archives import END, entries, header, member, pax, record

_SPARSE = b"ab" + bytes(4998) + b"cdef" + bytes(996)


def _old_gnu(pairs: list[tuple[int, int]], real_size: int, stored: bytes) -> bytes:
    """An archive of one sparse file with the old GNU header and its extensions."""
    block = bytearray(header(b"sparse", size=len(stored), typeflag=b"S", magic=b"ustar  "))
    fields = [b"%011o\0%011o\0" % pair for pair in pairs]
    block[345:512] = bytes(167)
    block[386:482] = b"".join(fields[:4]).ljust(96, b"\0")
    block[482] = len(fields) > 4
    block[483:495] = b"%011o\0" % real_size
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    extensions = b""
    rest = fields[4:]
    while rest:
        extension = b"".join(rest[:21]).ljust(504, b"\0")
        rest = rest[21:]
        extensions += extension + bytes((bool(rest),)) + bytes(7)
    return bytes(block) + extensions + stored + bytes(-len(stored) % 512) + END


def _pax_0_0() -> bytes:
    pairs = [(b"0", b"2"), (b"5000", b"4"), (b"6000", b"0")]
    records = record(b"GNU.sparse.size", b"6000") + record(b"GNU.sparse.numblocks", b"3")
    for offset, length in pairs:
        records += record(b"GNU.sparse.offset", offset) + record(b"GNU.sparse.numbytes", length)
    return pax(records) + member(b"sparse", b"abcdef") + END


def _pax_0_1() -> bytes:
    records = record(b"GNU.sparse.size", b"6000") + record(b"GNU.sparse.name", b"sparse")
    records += record(b"GNU.sparse.map", b"0,2,5000,4,6000,0")
    return pax(records) + member(b"GNUSparseFile.1/sparse", b"abcdef") + END


def _pax_1_0(
    map_text: bytes = b"3\n0\n2\n5000\n4\n6000\n0\n", real_size: bytes = b"6000", stored: bytes = b"abcdef"
) -> bytes:
    records = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    records += record(b"GNU.sparse.name", b"sparse") + record(b"GNU.sparse.realsize", real_size)
    text = map_text + bytes(-len(map_text) % 512)
    return pax(records) + member(b"GNUSparseFile.1/sparse", text + stored) + END


@pytest.mark.parametrize(
    "archive", [_old_gnu([(0, 2), (5000, 4), (6000, 0)], 6000, b"abcdef"), _pax_0_0(), _pax_0_1(), _pax_1_0()]
)
def test_sparse_files_have_their_holes_filled(archive: bytes) -> None:
    [(entry, contents)] = entries(archive)
    assert (entry.path, entry.size, entry.offset) == ("sparse", 6000, -1)
    assert contents == _SPARSE


def test_old_sparse_headers_with_many_regions() -> None:
    pairs = [(index * 100, 1) for index in range(60)]
    [(entry, contents)] = entries(_old_gnu(pairs, 6000, b"x" * 60))
    assert entry.size == 6000
    assert contents == (b"x" + bytes(99)) * 60


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (_pax_1_0(b"3\n0\n2\n1\n4\n6000\n0\n"), "out of order"),
        (_pax_1_0(b"1\n0\n7\n"), "does not fit its size"),
        (_pax_1_0(b"2\n0\n2\n9000\n4\n"), "does not fit its size"),
        (_pax_1_0(b"x\n"), "is malformed"),
        (_pax_1_0(b"1" * 600), "is malformed"),
        (_pax_1_0(b"99\n" + b"0\n" * 60, stored=b""), "is longer than its contents"),
        (_pax_1_0(b"99999999999\n0\n"), "has 99999999999 regions; the limit is"),
        (_pax_1_0(real_size=b"-1"), "does not fit its size"),
        (_old_gnu([(0, 2), (1, 4)], 6000, b"abcdef"), "out of order"),
        (pax(record(b"GNU.sparse.map", b"0,x")) + member(b"f", b"a") + END, "is malformed"),
        (pax(record(b"GNU.sparse.map", b"0,1,2")) + member(b"f", b"a") + END, "is malformed"),
    ],
)
def test_wrong_maps(archive: bytes, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        entries(archive)


_keys = st.binary(min_size=1).filter(lambda key: b"=" not in key and not key.startswith(b"GNU.sparse"))


@given(st.dictionaries(_keys, st.binary(max_size=1200), max_size=5))
def test_records_are_read_as_written(records: dict[bytes, bytes]) -> None:
    body = b"".join(record(key, value) for key, value in records.items())
    assert oci_pax.parse_records(body) == records


@given(st.binary())
def test_any_record_is_read_or_an_error(body: bytes) -> None:
    with contextlib.suppress(StreamError):
        assert b"" not in oci_pax.parse_records(body)
