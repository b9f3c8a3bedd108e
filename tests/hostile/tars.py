"""Hostile tars, made anew each time: headers, numbers, extensions, sparse maps, names and links that lie."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zlib
from collections.abc import Iterator
from typing import Final

from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)


def header(
    name: bytes = b"file", *, kind: bytes = b"0", size: int | bytes = 0, link: bytes = b"", **fields: bytes
) -> bytes:
    """One ustar header with a right checksum; ``fields`` replace raw ones: mode, uid, gid, mtime, magic, prefix …"""
    number = size if isinstance(size, bytes) else b"%011o\0" % size
    raw = bytearray(BLOCK)
    places = {
        "mode": (100, b"0000644\0"), "uid": (108, b"0000000\0"), "gid": (116, b"0000000\0"),
        "mtime": (136, b"00000000000\0"),
        "magic": (257, b"ustar\x0000"), "major": (329, b"0000000\0"), "minor": (337, b"0000000\0"),
        "prefix": (345, b""),
    }  # fmt: skip
    raw[: len(name[:100])] = name[:100]
    raw[124:136] = number[:12].ljust(12, b"\0")
    raw[156:157] = kind
    raw[157 : 157 + len(link[:100])] = link[:100]
    for field, (start, default) in places.items():
        value = fields.get(field, default)
        raw[start : start + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def padded(data: bytes) -> bytes:
    """Contents, filled up to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def member(name: bytes, data: bytes = b"", **fields: bytes) -> bytes:
    """A file."""
    return header(name, size=len(data), **fields) + padded(data)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """An extended header with these records."""
    body = b"".join(map(_record, records))
    return header(b"pax", kind=kind, size=len(body)) + padded(body)


def _record(pair: tuple[bytes, bytes]) -> bytes:
    rest = b" " + pair[0] + b"=" + pair[1] + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def sound() -> bytes:
    """An archive with something of everything, as tarfile writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, link, data in (
            ("dir", tarfile.DIRTYPE, "", b""),
            ("dir/" + "n" * 150, tarfile.REGTYPE, "", b"x" * 700),
            ("dir/link", tarfile.SYMTYPE, "../" + "t" * 120, b""),
            ("hard", tarfile.LNKTYPE, "dir/" + "n" * 150, b""),
            ("fifo", tarfile.FIFOTYPE, "", b""),
            ("null", tarfile.CHRTYPE, "", b""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.uid = kind, link, len(data), 10**9
            info.pax_headers = {"SCHILY.xattr.user.note": "x"} if data else {}
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tars() -> Iterator[tuple[str, bytes]]:
    """Tars by name."""
    whole = sound()
    yield "sound", whole
    for cut in range(0, len(whole), BLOCK):
        yield f"cut-{cut}", whole[:cut]
        yield f"cut-{cut + 100}", whole[: cut + 100]
    for at in range(0, 8 * BLOCK, BLOCK):
        broken = bytearray(whole)
        broken[at + 148] ^= 1
        yield f"checksum-{at}", bytes(broken)
    yield from _numbers()
    yield from _extensions()
    yield from _sparse()
    yield from _names()
    yield from _links()
    yield from _layers()
    yield from _compressed(whole)


def _numbers() -> Iterator[tuple[str, bytes]]:
    sizes = {
        "octal": b"777777777777", "binary": b"\x80" + b"\xff" * 11, "negative": b"\xff" * 12, "word": b"many",
        "minus": b"-1",
        "blank": b" " * 12, "empty": b"\0" * 12, "huge": b"\x80\0\0\0\x7f" + b"\xff" * 7, "underscore": b"1_0",
        "unicode": "١".encode(), "plus": b"+7", "hex": b"0x1f",
    }  # fmt: skip
    for name, size in sizes.items():
        yield f"size-{name}", header(size=size) + END
        for field in ("mode", "uid", "gid", "mtime", "major"):
            yield f"{field}-{name}", header(kind=b"3", **{field: size[:8]}) + END
    for value in (b"-1", b"99999999999999999999", b"1e3", b"0x10", b"", b" 1", b"1.", b"\xd9\xa1", b"9" * 5000):
        for key in (b"size", b"uid", b"mtime"):
            yield f"pax-{key.decode()}-{value[:20]!r}", pax((key, value)) + header() + END
    yield "claims-ten-million-entries", b"".join(header(b"%d" % number) for number in range(40)) * 520 + END


def _extensions() -> Iterator[tuple[str, bytes]]:
    for name, body in {
        "no-length": b"path=x\n", "zero": b"0 a=b\n", "long": b"99 path=x\n", "short": b"5 path=x\n",
        "no-newline": b"9 path=xx",
        "no-equals": b"7 path\n", "empty-key": b"5 =x\n", "negative": b"-5 a=b\n",
        "many-digits": b"1" * 400 + b" a=b\n",
        "nul": b"11 path=a\0\n", "spaces": b"   12 path=xx\n", "underscore": b"1_0 path=x\n",
    }.items():  # fmt: skip
        for kind in (b"x", b"g"):
            yield f"pax-{name}-{kind.decode()}", header(b"p", kind=kind, size=len(body)) + padded(body) + header() + END
    yield "pax-nothing-after", pax((b"path", b"x")) + END
    yield "pax-twice", pax((b"path", b"a")) + pax((b"path", b"b")) + header() + END
    yield "pax-endless", pax((b"comment", b"c" * 400)) * 3000 + header() + END
    yield "global-endless", pax((b"comment", b"c" * 400), kind=b"g") * 3000 + header() + END
    yield "global-different", b"".join(pax((b"k%d" % n, b"c" * 100), kind=b"g") for n in range(2000)) + header() + END
    yield "pax-huge", header(b"p", kind=b"x", size=1 << 33) + END
    for kind in (b"L", b"K", b"V", b"M", b"D", b"N", b"A", b"\xff"):
        yield f"gnu-{kind!r}", header(b"n", kind=kind, size=3) + padded(b"abc") + header() + END
        yield f"gnu-empty-{kind!r}", header(b"n", kind=kind) + header() + END
    yield "gnu-long-endless", (header(b"n", kind=b"L", size=300) + padded(b"a" * 300)) * 5000 + header() + END
    for attribute in (
        b"user.overlay.opaque",
        b"trusted.overlay.whiteout",
        b"",
        b"a\0b",
        b"security.capability",
        b"\xff",
    ):
        yield f"xattr-{attribute!r}", pax((b"SCHILY.xattr." + attribute, b"y")) + header() + END


def _sparse() -> Iterator[tuple[str, bytes]]:
    def old(entries: bytes, real: bytes, extended: bytes = b"\0", size: int = 0) -> bytes:
        raw = bytearray(header(b"s", kind=b"S", size=size, magic=b"ustar  \0"))
        raw[386 : 386 + len(entries)] = entries
        raw[482:483] = extended
        raw[483:495] = real.ljust(12, b"\0")
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw)
        return bytes(raw)

    pair = b"00000000000\x0000000000010\0"
    yield "sparse-lies-about-size", old(pair, b"00000000001") + END
    yield "sparse-huge", old(b"", b"\x80" + b"\xff" * 11) + END
    yield "sparse-terabyte", old(b"", b"\x80\0\0\0\0\0\x40\0\0\0\0\0") + END
    yield "sparse-overlaps", old(pair * 4, b"00000000100", size=32) + padded(b"x" * 32) + END
    yield "sparse-endless", old(pair, b"00000000100", b"\1") + (b"\0" * 504 + b"\1" + bytes(7)) * 5000
    for name, numbers in {
        "odd": b"0,1,2", "words": b"a,b", "negative": b"-1,5", "long": b"9" * 30 + b",1", "descending": b"9,1,0,1",
        "empty": b"",
        "unicode": "١,١".encode(),
    }.items():  # fmt: skip
        records = ((b"GNU.sparse.map", numbers), (b"GNU.sparse.size", b"100"), (b"GNU.sparse.name", b"s"))
        yield f"sparse-map-{name}", pax(*records) + member(b"s", b"x") + END
    for name, body in {
        "count": b"999999999\n",
        "none": b"",
        "text": b"x\n",
        "short": b"2\n0\n",
        "long": b"1" * 600,
    }.items():
        records = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9"))
        yield f"sparse-1.0-{name}", pax(*records) + member(b"s", padded(body)) + END


def _names() -> Iterator[tuple[str, bytes]]:
    names = {
        "nul": b"a\0b", "newline": b"a\nb", "invalid-utf8": b"\xff\xfe", "surrogate": b"\xed\xb2\x80",
        "4096": b"n" * 4096,
        "4095": b"n" * 4095, "deep": b"d/" * 2047 + b"d", "up": b"../../etc/passwd", "up-inside": b"a/../../b",
        "absolute": b"/etc/passwd",
        "dots": b"./././.", "dotdot": b"..", "slashes": b"////", "empty": b"", "escape": b"\x1b[2Jx",
        "long-component": b"a/" + b"c" * 300,
        "case": b"A", "case-collision": b"a", "trailing-slash": b"file/", "colon": b"c:\\x", "wh": b".wh.",
        "wh-dot": b".wh..",
        "wh-dotdot": b".wh...", "wh-opaque": b".wh..wh..opq", "wh-deep": b"a/b/.wh.c", "wh-aufs": b".wh..wh.plnk",
    }  # fmt: skip
    for name, raw in names.items():
        yield f"name-{name}", pax((b"path", raw)) + member(b"x", b"data") + END
        yield f"link-{name}", pax((b"linkpath", raw)) + header(b"x", kind=b"2", link=b"y") + END
        yield f"hard-{name}", member(b"a") + pax((b"linkpath", raw)) + header(b"x", kind=b"1", link=b"y") + END
    yield "case-collision", member(b"Dir/File", b"1") + member(b"dir/file", b"2") + member(b"DIR/FILE", b"3") + END
    yield "same-name", member(b"a", b"1") * 500 + header(b"a", kind=b"5") + member(b"a/b", b"2") + END


def _links() -> Iterator[tuple[str, bytes]]:
    loop = header(b"a", kind=b"2", link=b"b") + header(b"b", kind=b"2", link=b"a")
    yield "link-loop", loop + member(b"a/x", b"x") + END
    chain = b"".join(header(b"l%d" % n, kind=b"2", link=b"l%d" % (n + 1)) for n in range(100))
    yield "link-chain", chain + member(b"l0/x", b"x") + END
    yield "below-a-file", member(b"a", b"x") + member(b"a/b", b"y") + END
    yield "below-a-fifo", header(b"a", kind=b"6") + member(b"a/b", b"y") + END
    yield "below-a-link-out", header(b"a", kind=b"2", link=b"/etc") + member(b"a/hostile", b"y") + END
    yield "link-to-itself", header(b"a", kind=b"1", link=b"a") + END
    yield "link-to-nothing", header(b"a", kind=b"1", link=b"b") + END
    yield "link-to-directory", header(b"d", kind=b"5") + header(b"a", kind=b"1", link=b"d") + END
    yield "link-to-link", header(b"s", kind=b"2", link=b"/etc/shadow") + header(b"a", kind=b"1", link=b"s") + END
    yield "root-is-a-file", member(b"./", b"x") + header(b".", kind=b"2", link=b"/") + END


def _layers() -> Iterator[tuple[str, bytes]]:
    yield "device-0-0", header(b"gone", kind=b"3") + END
    yield "devices", header(b"sda", kind=b"4", major=b"0000010\0") + header(b"mem", kind=b"3", major=b"0000001\0") + END
    yield "whiteout-of-root", member(b".wh.") + member(b"a/.wh..") + member(b".wh...") + END
    yield "whiteout-below-link", header(b"a", kind=b"2", link=b"/etc") + member(b"a/.wh.passwd") + END
    yield "opaque-below-file", member(b"a", b"x") + member(b"a/.wh..wh..opq") + END
    yield "one-zero-block", member(b"a", b"x") + bytes(BLOCK)
    yield "text-after-end", member(b"a", b"x") + END + b"done\n"
    yield "zeros-without-end", member(b"a", b"x") + bytes(1 << 22)
    yield "padding-with-text", header(b"a", size=1) + b"x" + b"log line\n".ljust(BLOCK - 1, b"!") + END


def _compressed(whole: bytes) -> Iterator[tuple[str, bytes]]:
    zeros = header(b"zeros", size=1 << 33) + bytes(1 << 26)
    for name, compress in (("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress), ("zstd", _zstd)):
        packed = compress(whole)
        yield name, packed
        yield f"{name}-cut", packed[: len(packed) // 2]
        yield f"{name}-twice", packed + packed
        yield f"{name}-tail", packed + b"done\n"
        yield f"{name}-broken", packed[:40] + bytes([packed[40] ^ 255]) + packed[41:]
        yield f"{name}-bomb", compress(zeros)
        yield f"{name}-in-{name}", compress(packed)
    # A window or a dictionary larger than anybody should hold.
    yield "zstd-window", b"\x28\xb5\x2f\xfd\x00\xf8" + bytes(100)
    yield "xz-dictionary", _xz_with_largest_dictionary()


def _xz_with_largest_dictionary() -> bytes:
    """A stream whose one block wants four gibibytes (xz file format, section 3.1)."""
    packed = bytearray(lzma.compress(b"x"))
    length = (packed[12] + 1) * 4
    packed[16] = 40
    packed[12 + length - 4 : 12 + length] = zlib.crc32(packed[12 : 12 + length - 4]).to_bytes(4, "little")
    return bytes(packed)


def _zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return bytes(zstd.compress(data))


def lists() -> Iterator[tuple[str, bytes]]:
    """Lists of entries as the store keeps them, by name."""
    some = Toc.of(
        [Entry(path="a/b", kind="file", size=3, xattrs=(("user.x", b"y"),)), Entry(path="a", kind="directory")]
    )
    packed = some.encode()
    yield "toc", packed
    yield "toc-cut", packed[:-3]
    yield "toc-version", b"\x93\x07\x90\x90"
    yield "toc-unequal", b"\x93\x01\x91\xc4\x01a\x90"
    yield "toc-claims-much", b"\x93\x01\xdd\xff\xff\xff\xff"
