"""Files of a web server: what is fetched, when, and what goes wrong."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dockerception.errors import ContextError, DockerfileError, TransportError
from dockerception.oci.stream_limits import Limits
from dockerception.remotes.locations import FileLocation
from dockerception.remotes.remotes import Fetched, Remotes
from dockerception.store.store import Store
from support.web import Web

_DATA = os.urandom(1 << 20)
_DIGEST = f"sha256:{hashlib.sha256(_DATA).hexdigest()}"


@pytest.fixture
def url(web: Web, site: Path) -> str:
    (site / "file.bin").write_bytes(_DATA)
    os.utime(site / "file.bin", (1_600_000_000, 1_600_000_000))
    return f"{web.address}/file.bin"


def contents(fetched: Fetched) -> bytes:
    entry = fetched.context.find(fetched.name)
    assert entry is not None
    return b"".join(map(bytes, fetched.context.read(entry)))


def test_a_file_has_the_bytes_the_time_and_the_mode(url: str, store: Store) -> None:
    fetched = Remotes(store, Limits()).file(FileLocation(url))
    entry = fetched.context.find("file.bin")
    assert entry is not None
    assert (entry.mode, entry.mtime, entry.size) == (0o600, 1_600_000_000, len(_DATA))
    assert (fetched.digest, contents(fetched)) == (_DIGEST, _DATA)


def test_what_has_not_changed_is_not_sent_again(url: str, web: Web, site: Path, store: Store) -> None:
    remotes = Remotes(store, Limits())
    assert [remotes.file(FileLocation(url)).is_cached for _ in range(2)] == [False, True]
    assert web.asked == ["GET /file.bin 200", "GET /file.bin 304"]
    (site / "file.bin").write_bytes(b"new")
    assert contents(remotes.file(FileLocation(url))) == b"new"


def test_without_validators_it_is_fetched_again(url: str, web: Web, store: Store) -> None:
    web.has_validators = False
    remotes = Remotes(store, Limits())
    fetched = [remotes.file(FileLocation(url)) for _ in range(2)]
    assert web.bodies("/file.bin") == 2
    assert next(iter(fetched[1].toc)).mtime == 0


def test_with_a_checksum_that_is_known_nobody_is_asked(url: str, web: Web, store: Store) -> None:
    remotes = Remotes(store, Limits())
    remotes.file(FileLocation(url), _DIGEST)
    assert contents(remotes.file(FileLocation(url), _DIGEST)) == _DATA
    assert web.asked == ["GET /file.bin 200"]


def test_a_wrong_checksum_fails_however_the_file_is_known(url: str, store: Store) -> None:
    remotes = Remotes(store, Limits())
    for _ in range(2):
        with pytest.raises(ContextError, match=f"has the digest {_DIGEST}, not sha256:0000"):
            remotes.file(FileLocation(url), f"sha256:{'0' * 64}")
    with pytest.raises(DockerfileError, match="no checksum of a file"):
        remotes.file(FileLocation(url), "md5:00")


def test_a_transfer_that_is_cut_begins_anew(url: str, web: Web, store: Store) -> None:
    web.cuts = 2
    assert contents(Remotes(store, Limits()).file(FileLocation(url))) == _DATA
    assert web.bodies("/file.bin") == 3


def test_refusals_leave_nothing(url: str, web: Web, store: Store) -> None:
    with pytest.raises(TransportError, match="the server answers 404") as caught:
        Remotes(store, Limits()).file(FileLocation(f"{web.address}/nothing?token=secret"))
    assert "secret" not in str(caught.value)
    with pytest.raises(ContextError, match="more than 1000 bytes") as too_large:
        Remotes(store, Limits(max_bytes=1000)).file(FileLocation(url))
    assert "--max-context" in too_large.value.hint
    assert not any(name.endswith(".spool") for name in os.listdir(store.scratch))
