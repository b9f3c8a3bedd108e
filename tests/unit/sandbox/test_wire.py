"""Frames, descriptors and id maps."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from dockerception.sandbox import idmap, wire
from dockerception.sandbox.idmap import Range


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 3_000_000])
def test_frames_of_any_size(size: int) -> None:
    body = os.urandom(size)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=wire.send, args=(ours, body))
        sender.start()
        assert wire.receive(theirs) == (body, [])
        sender.join()


def test_descriptors_travel_and_are_not_inherited() -> None:
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    with ours, theirs:
        wire.send(ours, b"body", [write_end, write_end])
        body, descriptors = wire.receive(theirs)
        assert body == b"body"
        assert len(descriptors) == 2
        assert not any(os.get_inheritable(each) for each in descriptors)
        os.write(descriptors[1], b"through")
        assert os.read(read_end, 100) == b"through"
    for each in (read_end, write_end, *descriptors):
        os.close(each)


@pytest.mark.parametrize("sent", [b"", b"\0\0\0", b"\0\0\0\0\0\0\0\x05four", b"\xff" * 8])
def test_an_end_within_a_frame_is_no_frame(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(sent)
        assert wire.receive(theirs)[0] is None


def test_subordinate_ids_by_name_and_by_number() -> None:
    table = "# comment\nalice:100000:65536\nbob:200000:65536\n1000:300000:10\nalice:bad:1\nalice:5:0\n\n"
    assert idmap.subordinate(table, "alice", 1000) == [(100000, 65536), (300000, 10)]
    assert idmap.subordinate(table, "carol", 1001) == []


def test_ranges_follow_each_other() -> None:
    assert idmap.ranges(1000, [(100000, 65536), (300000, 10)]) == [
        Range(0, 1000, 1),
        Range(1, 100000, 65536),
        Range(65537, 300000, 10),
    ]
    assert idmap.ranges(1000, []) == [Range(0, 1000, 1)]
