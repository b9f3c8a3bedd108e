"""Receiving a tar stream: what arrives is what was sent, and every fault of a stream is told for what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import tempfile
import threading
from collections.abc import Callable
from hashlib import sha256

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.context import stream_faults
from dockerception.context.tarstream import receive
from dockerception.errors import DiskFullError, EmitTimeoutError, StoreError, StreamError
from dockerception.oci.stream_limits import Limits
from unit.context.trees import received, shown
from unit.oci.archives import END, header, made_by_tarfile, member, pax, read_function, record

_DOCKERFILE = member(b"Dockerfile", b"FROM scratch\nCOPY app /\n")
_COMPRESSORS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress]


@pytest.mark.parametrize("compress", _COMPRESSORS)
@pytest.mark.parametrize("step", [1, 700, 1 << 20])
def test_any_compression_in_any_pieces(compress: Callable[[bytes], bytes], step: int) -> None:
    data = _DOCKERFILE + header(b"d/", typeflag=b"5") + member(b"d/app", b"x" * 3000) + END + bytes(9000)
    got, context = received(compress(data), step=step)
    assert shown(context) == {"Dockerfile": "FROM scratch\nCOPY app /\n", "d": "/", "d/app": "x" * 3000}
    assert (got.stream_size, got.spool_size) == (len(data), 3024)


_names = st.sampled_from(["a", "b", "c/x", "c/y", "d/e/f", "g" * 150])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(_names, st.binary(max_size=300)), max_size=12),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 2000),
)
def test_contents_and_digests(files: list[tuple[str, bytes]], tar_format: int, step: int) -> None:
    data = made_by_tarfile([(tarfile.TarInfo(name), contents) for name, contents in files], tar_format)
    got, context = received(data, step=step)
    assert {entry.path: b"".join(context.read(entry)) for entry in got.toc if entry.kind == "file"} == dict(files)
    assert all(entry.digest == sha256(dict(files)[entry.path]).digest() for entry in got.toc if entry.kind == "file")


def test_files_larger_than_a_batch_and_many_small_ones() -> None:
    large = os.urandom(5 << 20)
    data = member(b"large", large) + b"".join(member(b"small-%d" % n, b"%d" % n) for n in range(2500)) + END
    got, context = received(data, step=65536)
    assert len(got.toc) == 2501
    entry = context.find("large")
    assert entry is not None
    assert b"".join(context.read(entry)) == large
    assert context.digest(entry) == sha256(large).digest()
    assert {path: shown(context)[path] for path in ("small-0", "small-1777", "small-2499")} == {
        "small-0": "0",
        "small-1777": "1777",
        "small-2499": "2499",
    }


def test_holes_of_sparse_files_take_no_space(tmp_path: object) -> None:
    records = record(b"GNU.sparse.size", b"%d" % (64 << 20)) + record(b"GNU.sparse.name", b"disk")
    records += record(b"GNU.sparse.map", b"1048576,3,%d,0" % (64 << 20))
    spool = os.open(os.fspath(tmp_path) + "/spool", os.O_RDWR | os.O_CREAT)  # type: ignore[call-overload]
    got = receive(
        read_function(pax(records) + member(b"disk", b"abc") + member(b"end", b"x") + END),
        spool=spool,
        origin="The context",
        source="stdin",
    )
    assert os.fstat(spool).st_size == got.spool_size == (64 << 20) + 1
    assert os.fstat(spool).st_blocks * 512 < 1 << 20
    assert os.pread(spool, 3, 1 << 20) == b"abc"
    assert os.pread(spool, 9, 64 << 20) == b"x"
    os.close(spool)


def test_owners_stay_data_and_types_are_kept() -> None:
    data = (
        header(b"f", uid=b"0001750\0", gid=b"0000012\0", mode=b"0004755\0")
        + header(b"fifo", typeflag=b"6")
        + header(b"null", typeflag=b"3", devices=b"0000001\x000000003\0")
        + END
    )
    got, context = received(data)
    assert [(entry.path, entry.kind, entry.uid, entry.gid, entry.mode, entry.device) for entry in got.toc] == [
        ("f", "file", 1000, 10, 0o4755, (0, 0)),
        ("fifo", "fifo", 0, 0, 0o644, (0, 0)),
        ("null", "char", 0, 0, 0o644, (1, 3)),
    ]
    assert not context.keeps_owners


def test_missing_parents_are_implied_and_the_root_is_dropped() -> None:
    data = header(b"./", typeflag=b"5") + member(b"a/b/c", b"x", mtime=b"00000000077\0") + header(b"a/z") + END
    got, context = received(data)
    assert shown(context) == {"a": "/", "a/b": "/", "a/b/c": "x", "a/z": ""}
    assert [(entry.mode, entry.mtime) for entry in got.toc][:2] == [(0o755, 0o77), (0o755, 0o77)]


@pytest.mark.parametrize("source", ["stdin", "emitted", "archive"])
def test_only_what_is_unpacked_has_no_implied_directories(source: stream_faults.Source) -> None:
    data = header(b"l", typeflag=b"2", link=b"d") + header(b"l/x") + header(b"a/b/c") + END
    with tempfile.TemporaryFile() as spool:
        got = receive(read_function(data), spool=spool.fileno(), origin="It", source=source, has_only_listed=True)
        assert [entry.path for entry in got.toc] == ["a/b/c", "l", "l/x"]
    with tempfile.TemporaryFile() as spool, pytest.raises(StreamError, match="the entry l/x, but l is a symlink"):
        receive(read_function(data), spool=spool.fileno(), origin="It", source=source)
    with tempfile.TemporaryFile() as spool, pytest.raises(StreamError, match="more than 2 bytes of names"):
        receive(
            read_function(header(b"a/b/c") + END),
            spool=spool.fileno(),
            origin="It",
            source=source,
            has_only_listed=True,
            limits=Limits(max_metadata=2),
        )


def test_implied_directories_have_the_newest_time_and_are_limited() -> None:
    data = member(b"a/b/c", mtime=b"00000000011\0") + member(b"a/d/e/f", mtime=b"00000000022\0") + member(b"a/g") + END
    got, _ = received(data)
    times = {entry.path: entry.mtime for entry in got.toc}
    assert times == {"a": 0o22, "a/b": 0o11, "a/b/c": 0o11, "a/d": 0o22, "a/d/e": 0o22, "a/d/e/f": 0o22, "a/g": 0}
    deep = b"".join(header(b"%d/" % n + b"a/" * 48) for n in range(100)) + END
    assert len(received(deep)[0].toc) == 4900
    with pytest.raises(StreamError, match="The context implies directories with more than 20000 bytes"):
        received(deep, limits=Limits(max_metadata=20_000))


def test_the_last_of_equal_names_wins() -> None:
    data = member(b"a", b"old") + header(b"d", typeflag=b"2", link=b"a") + member(b"a", b"new") + END
    _, context = received(data + b"")
    assert shown(context) == {"a": "new", "d": "-> a"}
    _, context = received(header(b"x") + header(b"x", typeflag=b"5") + member(b"x/y", b"z") + END)
    assert shown(context) == {"x": "/", "x/y": "z"}


def test_hard_links() -> None:
    data = (
        member(b"file", b"one", mode=b"0000755\0")
        + header(b"b", typeflag=b"1", link=b"./file")
        + header(b"c", typeflag=b"1", link=b"b")
        + header(b"s", typeflag=b"2", link=b"nowhere")
        + header(b"t", typeflag=b"1", link=b"s")
        + END
    )
    got, context = received(data)
    assert shown(context) == {"file": "one", "b": "== file", "c": "== file", "s": "-> nowhere", "t": "-> nowhere"}
    b = got.toc.find("b")
    assert b is not None
    assert (b.mode, b"".join(context.read(b)), context.digest(b)) == (0o755, b"one", sha256(b"one").digest())


def test_a_hard_link_keeps_the_contents_that_its_target_had_then() -> None:
    data = member(b"a", b"old") + header(b"b", typeflag=b"1", link=b"a") + member(b"a", b"new") + END
    _, context = received(data)
    assert shown(context) == {"a": "new", "b": "old"}


def test_progress_counts_bytes_and_entries() -> None:
    seen: list[tuple[int, int]] = []
    data = b"".join(member(b"%d" % n, b"x" * (1 << 20)) for n in range(4)) + END
    received(data, on_progress=lambda done, entries: seen.append((done, entries)))
    assert seen[-1] == (len(data), 4)
    assert seen == sorted(seen)
    assert len(seen) >= 4


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    received(_DOCKERFILE + END)
    with pytest.raises(StreamError):
        received(_DOCKERFILE + b"text")
    assert threading.active_count() == before


def _through_terminal(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


_FAULTS: dict[str, tuple[bytes, str, str]] = {
    # row 1
    "terminal": (
        _through_terminal(_DOCKERFILE + member(b"app", b"x") + END),
        "emitted",
        r"at byte 536, a file's contents do not end (.|\n)*hint: every line feed has a carriage return .* terminal",
    ),
    "terminal, pax": (
        _through_terminal(pax(record(b"mtime", b"1.5")) + _DOCKERFILE + END),
        "stdin",
        r"extended header is malformed(.|\n)*hint: .*terminal",
    ),
    "terminal, gzip": (
        _through_terminal(gzip.compress(random.Random(1).randbytes(9000), mtime=10)),
        "emitted",
        r"(gzip data can't be decompressed|is not a tar archive)(.|\n)*hint: .*terminal",
    ),
    # row 2
    "log first": (
        b"\x1b[1m==>\x1b[0m make\n" + _DOCKERFILE + END,
        "emitted",
        r"^The context is not a tar archive \(found the text “==> make”\).\nhint: .*stderr.*“dockerception assemble”",
    ),
    "log first, stdin": (
        b"go: downloading x\n" + _DOCKERFILE + END,
        "stdin",
        r"“go: downloading x”(.|\n)*stderr.*-f -",
    ),
    "short text": (b"usage: app [-p PORT]\n", "emitted", "found the text “usage: app"),
    "text in gzip": (gzip.compress(b"hello\n" * 200), "emitted", "not a tar archive .*“hello”"),
    "Dockerfile": (
        b"# syntax=docker/dockerfile:1\n\nFROM scratch\nCOPY . /\n",
        "stdin",
        r"is a Dockerfile, not a tar archive(.|\n)*this is a Dockerfile: use -f -",
    ),
    "long Dockerfile": (b"# licence\n" * 500 + b"ARG V=1\nFROM x:$V\n", "stdin", "use -f -"),
    "a Dockerfile is not guessed from a builder": (b"FROM scratch\n", "emitted", "found the text “FROM scratch”"),
    "zip": (b"PK\x03\x04" + bytes(600), "stdin", "is a zip archive, not a tar archive"),
    # row 3
    "log between": (
        _DOCKERFILE + b"warning: deprecated\n" + member(b"a", b"x") + END,
        "emitted",
        "at byte 1024, .*“warning: dep",
    ),
    "log after": (
        _DOCKERFILE + END + b"Done in 3 s\n",
        "emitted",
        "at byte 2048, there are more bytes after the end .*“Done in 3 s”",
    ),
    "log after gzip": (
        gzip.compress(_DOCKERFILE + END) + b"bye\n",
        "emitted",
        "after the end of its gzip data .*“bye”",
    ),
    # row 5
    "cut in a header": (_DOCKERFILE[:300], "emitted", r"not a tar archive|is truncated"),
    "cut in a file": (_DOCKERFILE[:600], "emitted", "is truncated: it ends at byte 600"),
    "cut between members": (
        _DOCKERFILE,
        "emitted",
        "is truncated: it ends at byte 1024, before its two closing zero blocks",
    ),
    "one zero block": (
        _DOCKERFILE + bytes(512),
        "emitted",
        "is truncated: it ends at byte 1536, after the first of two",
    ),
    "cut gzip": (gzip.compress(_DOCKERFILE + END)[:-9], "emitted", "truncated: its gzip data ends early"),
    # row 13
    "leads out": (header(b"../etc/passwd") + END, "stdin", "leads out of the archive"),
    "below a file": (header(b"a") + header(b"a/b") + END, "stdin", "the entry a/b, but a is a file and no directory"),
    "through a link": (
        header(b"l", typeflag=b"2", link=b"/etc") + header(b"l/passwd") + END,
        "stdin",
        "the entry l/passwd, but l is a symlink and no directory",
    ),
    "link to nothing": (
        header(b"b", typeflag=b"1", link=b"a") + END,
        "stdin",
        "hard link b to a, which is not in the archive",
    ),
    "link to itself": (
        header(b"b", typeflag=b"1", link=b"b") + END,
        "stdin",
        "hard link b to b, which is not in the arch",
    ),
    "link to a directory": (
        header(b"d", typeflag=b"5") + header(b"b", typeflag=b"1", link=b"d") + END,
        "stdin",
        "hard link b to the directory d",
    ),
    "overlay attribute": (
        pax(record(b"SCHILY.xattr.user.overlay.opaque", b"y")) + header() + END,
        "stdin",
        "overlay file system",
    ),
    "log line in the last file": (
        member(b"app", b"x" * 2000)[:700] + b"warn\n" + member(b"app", b"x" * 2000)[700:] + END,
        "emitted",
        r"at byte 2512, a file's contents do not end where its header says \(found the text “xxxxx”\)(.|\n)*stderr",
    ),
    # row 14
    "nothing": (b"", "emitted", "wrote nothing to stdout(.|\n)*“dockerception assemble”"),
    "nothing on stdin": (b"", "stdin", "is empty; a tar archive was expected"),
}


@pytest.mark.parametrize("case", _FAULTS)
@pytest.mark.parametrize("step", [1 << 20, 13])
def test_faults(case: str, step: int) -> None:
    data, source, message = _FAULTS[case]
    with pytest.raises(StreamError, match=message):
        received(data, source=source, step=step)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_bytes=3000, bytes_option="--max-context"), "more than 3000 bytes(.|\n)*--max-context"),
        (Limits(max_entries=1), "more than 1 entries"),
        (Limits(max_path=8), "the limit is 8"),
    ],
)
def test_limits(limits: Limits, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        received(_DOCKERFILE + member(b"app", b"x" * 3000) + END, limits=limits)


def test_a_tiny_stream_may_not_stand_for_an_endless_file() -> None:
    records = record(b"GNU.sparse.size", b"%d" % (1 << 60)) + record(b"GNU.sparse.map", b"%d,0" % (1 << 60))
    with pytest.raises(StreamError, match="--max-context"):
        received(pax(records) + member(b"bomb", b"") + END)


def test_a_silent_builder_is_told_what_it_wrote() -> None:
    def read(size: int) -> bytes:
        if stream.tell():
            raise EmitTimeoutError("The builder was silent for 600 s.")
        return stream.read(size)

    stream = io.BytesIO(b"Listening on :8001")
    with pytest.raises(EmitTimeoutError, match=r"silent for 600 s\. Until then .* “Listening on :8001”(.|\n)*assemble"):
        receive(read, spool=-1, origin="The context", source="emitted")


@pytest.mark.parametrize("said", [(b"Listening ", b"on :8001\n"), (b"Listening on :8001\n",)])
def test_a_line_of_text_is_enough(said: tuple[bytes, ...]) -> None:
    """A server that says one line and then waits is not waited for."""
    chunks = iter(said)
    with pytest.raises(StreamError, match="found the text “Listening on :8001”"):
        receive(lambda size: next(chunks), spool=-1, origin="The context", source="emitted")


def test_a_timeout_later_on_is_passed_on() -> None:
    def read(size: int) -> bytes:
        if stream.tell():
            raise EmitTimeoutError("The builder was silent.")
        return stream.read(size)

    stream = io.BytesIO(_DOCKERFILE)
    with pytest.raises(EmitTimeoutError, match=r"^The builder was silent\.$"):
        receive(read, spool=-1, origin="The context", source="emitted")


def test_a_full_disk() -> None:
    with open("/dev/full", "wb") as full, pytest.raises(DiskFullError, match="DOCKERCEPTION_HOME"):
        receive(
            read_function(b"".join(member(b"%d" % n, b"x" * (1 << 20)) for n in range(20)) + END),
            spool=full.fileno(),
            origin="The context",
            source="stdin",
        )


def test_a_spool_that_cannot_be_written() -> None:
    with (
        open("/dev/null", "rb") as wrong,
        pytest.raises(StoreError, match=r"While keeping .* \(/dev/null\)"),
    ):
        receive(read_function(_DOCKERFILE + END), spool=wrong.fileno(), origin="The context", source="stdin")
