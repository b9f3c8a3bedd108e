"""Pushing to a real registry through a proxy that makes faults: nothing is sent twice, no name is half there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.testing import Registry
from registry.conftest import MakeProxy
from registry.lab import Lab, inspect
from support.faulty import Fault, FaultyProxy
from support.registry import running_registry
from support.tools import need_root
from unit.transports.images import tar_of

MIB = 1 << 20
SMALL = tar_of({"etc/one": b"1"})
BIG = tar_of({"big": os.urandom(3 * MIB)})
UPLOAD = "/blobs/uploads/"


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> FaultyProxy:
    return make_proxy()


def is_there(name: str) -> bool:
    """Whether the registry has a manifest under this name."""
    try:
        inspect(name)
    except RuntimeError:
        return False
    return True


def sent(proxy: FaultyProxy) -> int:
    """The bytes of all requests' bodies that arrived whole."""
    return sum(int(each.headers.get("content-length", "0")) for each in proxy.seen if each.status in (201, 202))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_sat_out(
    lab: Lab, proxy: FaultyProxy, registry: str, repository: str, method: str, status: int
) -> None:
    proxy.inject(Fault(method=method, path=UPLOAD, times=2, status=status, headers={"retry-after": "2"}))
    pushed = lab.push(lab.add(BIG), f"{proxy.address}/{repository}:1")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == pushed.digest
    assert 2.0 in lab.waits


def test_a_cut_upload_goes_on_where_it_ended(lab: Lab, make_proxy: MakeProxy) -> None:
    # Debian's registry gives a session up when its bytes are not those that its link says; that of our own goes on.
    with Registry() as able:
        proxy = make_proxy(upstream=able.address)
        proxy.inject(Fault(method="PATCH", path=UPLOAD, cut_request_after=2 * MIB))
        pushed = lab.push(lab.add(BIG), f"{proxy.address}/app:1")
        assert inspect(able.name("app:1"))["Digest"] == pushed.digest
    parts = [int(each.headers["content-range"].partition("-")[0]) for each in proxy.seen if each.method == "PATCH"]
    assert parts == [0, 2 * MIB]


def test_an_upload_whose_session_is_gone_begins_anew(
    lab: Lab, proxy: FaultyProxy, registry: str, repository: str
) -> None:
    proxy.inject(Fault(method="PATCH", path=UPLOAD, cut_request_after=2 * MIB))
    pushed = lab.push(lab.add(BIG), f"{proxy.address}/{repository}:1")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == pushed.digest
    assert [each.headers["content-range"][:2] for each in proxy.seen if each.method == "PATCH"] == ["0-", "0-"]


def test_an_upload_at_another_offset_than_believed(
    lab: Lab, proxy: FaultyProxy, registry: str, repository: str
) -> None:
    proxy.inject(Fault(method="PATCH", path=UPLOAD, cut_request_after=2 * MIB))
    proxy.inject(Fault(method="PATCH", path=UPLOAD, times=2, status=416))
    pushed = lab.push(lab.add(BIG), f"{proxy.address}/{repository}:1")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == pushed.digest


def test_an_answer_that_is_lost_costs_nothing(lab: Lab, proxy: FaultyProxy, registry: str, repository: str) -> None:
    proxy.inject(Fault(method="PUT", path=UPLOAD, loses_answer=True))
    pushed = lab.push(lab.add(BIG), f"{proxy.address}/{repository}:1")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == pushed.digest
    assert sent(proxy) < 4 * MIB


def test_a_proxy_that_takes_no_large_requests(lab: Lab, proxy: FaultyProxy, registry: str, repository: str) -> None:
    tar = tar_of({"big": os.urandom(40 * MIB)})
    proxy.inject(Fault(method="PATCH", path=UPLOAD, status=413))
    pushed = lab.push(lab.add(tar), f"{proxy.address}/{repository}:1", compression="uncompressed")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == pushed.digest
    assert proxy.count("PATCH", UPLOAD) == 3


def test_an_upload_that_always_breaks(lab: Lab, proxy: FaultyProxy, registry: str, repository: str) -> None:
    proxy.inject(Fault(method="PUT|PATCH", path=UPLOAD, times=-1, cut_request_after=1000))
    with pytest.raises(TransportError, match="can't be reached"):
        lab.push(lab.add(BIG, SMALL), f"{proxy.address}/{repository}:1")
    assert not is_there(f"{registry}/{repository}:1")
    assert proxy.count("PUT", "/manifests/") == 0


def test_a_name_leads_to_what_it_led_to_before(lab: Lab, proxy: FaultyProxy, registry: str, repository: str) -> None:
    before = lab.push(lab.add(SMALL, name="a"), f"{registry}/{repository}:1")
    proxy.inject(Fault(method="PUT", path=UPLOAD, times=-1, status=500))
    with pytest.raises(TransportError, match=r"has failed to take the layer .* \(status 500\)"):
        lab.push(lab.add(BIG, name="b"), f"{proxy.address}/{repository}:1")
    assert inspect(f"{registry}/{repository}:1")["Digest"] == before.digest


@pytest.mark.parametrize(("path", "subject"), [(UPLOAD, "the (layer|config)"), ("/manifests/", "the manifest .*:1")])
def test_a_refusal(lab: Lab, proxy: FaultyProxy, registry: str, repository: str, path: str, subject: str) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"read only today"}]}'
    proxy.inject(Fault(method="POST|PUT", path=path, times=-1, status=403, body=body))
    with pytest.raises(TransportError, match=f"refuses to take {subject}") as caught:
        lab.push(lab.add(SMALL), f"{proxy.address}/{repository}:1")
    assert caught.value.details == "DENIED: read only today"
    assert not is_there(f"{registry}/{repository}:1")


def test_a_manifest_that_arrives_damaged(lab: Lab, proxy: FaultyProxy, repository: str) -> None:
    other = {"docker-content-digest": f"sha256:{'0' * 64}"}
    proxy.inject(Fault(method="PUT", path="/manifests/", change_headers=other))
    with pytest.raises(TransportError, match="has arrived damaged"):
        lab.push(lab.add(SMALL), f"{proxy.address}/{repository}:1")


def test_mounts_that_a_registry_does_not_do(lab: Lab, proxy: FaultyProxy, repository: str) -> None:
    image = lab.add(BIG)
    lab.push(image, f"{proxy.address}/{repository}/a:1")
    proxy.inject(Fault(method="POST", path="mount=", change_headers={}, status=0))
    proxy.seen.clear()
    # Asked to mount from a repository that has it not, a registry begins an upload instead: it is used.
    lab.push(image, f"{proxy.address}/{repository}/b:1")
    assert proxy.count("POST", r"uploads/\?mount=") == 1
    assert proxy.count("POST", "uploads/$") == 1  # the config's
    assert sent(proxy) < MIB


@pytest.fixture
def full_registry(tmp_path: Path) -> Iterator[str]:
    """A registry whose disk has two MiB."""
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        with running_registry(tmp_path / "registry", data=str(disk)) as address:
            yield address
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_registry_whose_disk_is_full(lab: Lab, full_registry: str) -> None:
    with pytest.raises(TransportError, match=r"has no room for the layer .*: its disk is full"):
        lab.push(lab.add(BIG), f"{full_registry}/app:1")
    assert not is_there(f"{full_registry}/app:1")
