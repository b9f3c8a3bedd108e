"""Compressed streams: every kind is recognised, members follow one another, and damage is noticed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.errors import StreamError
from dockerception.oci import compression
from dockerception.oci.unexpected import UnexpectedBytesError
from unit.oci.archives import read_function

_SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
_COMPRESS: dict[compression.Compression, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": partial(zstd.compress, options={zstd.CompressionParameter.checksum_flag: 1}),
}
_KINDS = ["gzip", "bzip2", "xz", "zstd"]


def _decompressed(data: bytes, *, step: int = 1 << 20, size: int = 1 << 20) -> bytes:
    read = compression.reader(read_function(data, step), compression.detect(data), origin="The stream")
    pieces = []
    while piece := read(size):
        assert len(piece) <= size
        pieces.append(piece)
    return b"".join(pieces)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(_COMPRESS)),
    st.binary(max_size=5000),
    st.integers(1, 200),
    st.integers(1, 300),
    st.integers(1, 3),
)
def test_round_trip_in_pieces(kind: compression.Compression, data: bytes, step: int, size: int, members: int) -> None:
    compressed = b"".join(_COMPRESS[kind](data) for _ in range(members))
    assert compression.detect(compressed) == kind
    assert _decompressed(compressed, step=step, size=size) == data * members


@pytest.mark.parametrize("kind", _KINDS)
def test_large_data_comes_in_bounded_chunks(kind: compression.Compression) -> None:
    data = random.Random(1).randbytes(1 << 20) + bytes(20 << 20) + b"end"
    read = compression.reader(read_function(_COMPRESS[kind](data)), kind, origin="The stream")
    pieces = []
    while piece := read(1 << 24):
        assert len(piece) <= 1 << 20
        pieces.append(piece)
    assert b"".join(pieces) == data


@pytest.mark.parametrize("kind", _KINDS)
def test_every_truncation_is_noticed(kind: compression.Compression) -> None:
    compressed = _COMPRESS[kind](random.Random(2).randbytes(3000))
    for end in range(compression.MAGIC_SIZE, len(compressed), 97):
        with pytest.raises(StreamError, match=f"The stream is truncated: its {kind} data ends early"):
            _decompressed(compressed[:end])


@pytest.mark.parametrize("kind", _KINDS)
def test_damage_is_noticed(kind: compression.Compression) -> None:
    compressed = bytearray(_COMPRESS[kind](random.Random(3).randbytes(3000)))
    compressed[40:60] = bytes(20)
    with pytest.raises(StreamError, match=f"its {kind} data"):
        _decompressed(bytes(compressed))


@pytest.mark.parametrize("kind", _KINDS)
def test_padding_may_follow_but_nothing_else(kind: compression.Compression) -> None:
    compressed = _COMPRESS[kind](b"data")
    assert _decompressed(compressed + bytes(1000)) == b"data"
    with pytest.raises(UnexpectedBytesError, match=f"more bytes after the end of its {kind} data .*“Done”"):
        _decompressed(compressed + b"Done\n")


def test_skippable_zstd_frames_anywhere() -> None:
    frame = zstd.compress(b"data")
    assert compression.detect(_SKIPPABLE) == "zstd"
    assert _decompressed(_SKIPPABLE + frame + _SKIPPABLE + frame) == b"datadata"
    assert _decompressed(_SKIPPABLE + frame, step=1) == b"data"


@pytest.mark.parametrize("head", [b"", b"\x1f", b"\x1f\x8b", b"BZ", b"FROM scratch", bytes(512), b"\x50\x2a\x4d"])
def test_other_streams_are_not_compressed(head: bytes) -> None:
    assert compression.detect(head) == "none"


def test_an_xz_stream_may_not_ask_for_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    small = bytearray(lzma.compress(b"data", filters=filters))
    block_header = slice(12, 20)
    assert small[16] == 16
    small[16] = 34  # the format's code for a dictionary of 512 MiB
    small[20:24] = zlib.crc32(small[block_header]).to_bytes(4, "little")
    with pytest.raises(StreamError, match="Memory usage limit"):
        _decompressed(bytes(small))


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressors_are_deterministic_and_readable(kind: compression.Compression) -> None:
    outputs = []
    for _ in range(2):
        assert kind in ("gzip", "zstd")
        packer = compression.compressor(kind)
        outputs.append(packer.compress(b"layer" * 1000) + packer.flush())
    assert outputs[0] == outputs[1]
    assert _decompressed(outputs[0]) == b"layer" * 1000
