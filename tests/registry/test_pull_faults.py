"""Pulling from a real registry through a proxy that makes faults: a retry succeeds, or there is a clear error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerception.errors import DockerceptionError, ImageError, ImageNotFoundError, TransportError
from dockerception.http import CutError
from dockerception.oci.compression import compressor
from dockerception.oci.manifest import Descriptor, describe
from registry.conftest import MakeProxy
from registry.lab import Lab, Layout
from support.faulty import Fault, FaultyProxy
from unit.transports.images import sha256, tar_of

SMALL = tar_of({"etc/one": b"1"})
BIG = tar_of({"big": os.urandom(3 << 20)})
BLOBS = "/blobs/sha256"
MANIFESTS = "/manifests/"
MakeLab = Callable[[str], Lab]


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> FaultyProxy:
    return make_proxy()


@pytest.fixture
def name(make_lab: MakeLab, registry: str, repository: str, proxy: FaultyProxy) -> str:
    """The name, through the proxy, of an image of a big layer and a small one."""
    source = make_lab("source")
    source.push(source.add(BIG, SMALL), f"{registry}/{repository}:1")
    return f"{proxy.address}/{repository}:1"


def fails(lab: Lab, name: str, kind: type[DockerceptionError], message: str) -> DockerceptionError:
    """Pull, and expect this; then nothing has a name, and nothing is left over."""
    with pytest.raises(kind, match=message) as caught:
        lab.pull(name)
    assert lab.names() == []
    assert lab.leftovers() == []
    return caught.value


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
@pytest.mark.parametrize("path", [MANIFESTS, BLOBS])
def test_a_passing_fault_is_sat_out(lab: Lab, proxy: FaultyProxy, name: str, status: int, path: str) -> None:
    proxy.inject(Fault(path=path, times=3, status=status))
    assert lab.pull(name).image.config.rootfs.diff_ids == (sha256(BIG), sha256(SMALL))
    assert len(lab.waits) >= 3


def test_retry_after_is_honoured(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, status=429, headers={"retry-after": "7"}))
    proxy.inject(Fault(path=MANIFESTS, status=503, headers={"retry-after": "3"}))
    lab.pull(name)
    assert lab.waits == [7.0, 3.0]


def test_a_lasting_fault_is_named(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, times=-1, status=503, body=b"the cat sleeps on it"))
    error = fails(lab, name, TransportError, r"has failed to give the manifest .*:1 \(status 503\)")
    assert error.details == "the cat sleeps on it"
    assert proxy.count("GET", MANIFESTS) == 5


def test_too_many_requests_for_long_are_given_up_at_once(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, times=-1, status=429, headers={"retry-after": "3600"}))
    error = fails(lab, name, TransportError, "too many requests")
    assert "3600 s" in error.hint
    assert lab.waits == []


@pytest.mark.parametrize("ignores_range", [False, True])
def test_a_cut_blob_goes_on_where_it_ended(lab: Lab, proxy: FaultyProxy, name: str, ignores_range: bool) -> None:
    cuts = (1_000_000, 500_000, 300_000)
    for cut in cuts:
        proxy.inject(Fault(path=BLOBS, cut_answer_after=cut, ignores_range=ignores_range))
    lab.pull(name)
    ranges = [each.headers["range"] for each in proxy.seen if "range" in each.headers]
    assert ranges
    assert all(text.startswith("bytes=") and text != "bytes=0-" for text in ranges)
    assert lab.store.images.get(name).config.rootfs.diff_ids == (sha256(BIG), sha256(SMALL))


def test_a_blob_that_is_cut_again_and_again_is_an_error(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=BLOBS, times=-1, cut_answer_after=10))
    fails(lab, name, CutError, "closed the connection in the middle of|ended .* too early")


def test_a_cut_manifest_is_fetched_again(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, times=2, cut_answer_after=20))
    lab.pull(name)
    assert proxy.count("GET", MANIFESTS) == 3


def test_a_manifest_that_is_too_short_is_no_document(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, change=lambda body: body[:50]))
    fails(lab, name, ImageError, "The manifest .* is not a valid document")


def test_a_manifest_with_other_bytes_than_its_digest(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, change=lambda body: body + b" "))
    fails(lab, name, ImageError, "The manifest .* is damaged: its bytes have the digest")


@pytest.mark.parametrize("where", [0, -1])
def test_a_blob_with_other_bytes_than_its_digest(lab: Lab, proxy: FaultyProxy, name: str, where: int) -> None:
    def change(body: bytes) -> bytes:
        spoilt = bytearray(body)
        spoilt[where] ^= 1
        return bytes(spoilt)

    proxy.inject(Fault(path=BLOBS, times=-1, change=change))
    fails(lab, name, ImageError, "is damaged|can't be decompressed|is not gzip")


@pytest.mark.parametrize("change", [lambda body: body[:-7], lambda body: body + b"surplus"])
def test_a_blob_of_another_size(lab: Lab, proxy: FaultyProxy, name: str, change: Callable[[bytes], bytes]) -> None:
    proxy.inject(Fault(path=BLOBS, times=-1, change=change))
    fails(lab, name, ImageError, r"has \d+ bytes in the registry, but the manifest says \d+")


def test_a_range_that_is_not_the_one_asked_for(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=BLOBS, times=2, cut_answer_after=0))
    proxy.inject(Fault(path=BLOBS, times=2, cut_answer_after=60))
    proxy.inject(Fault(path=BLOBS, times=-1, change_headers={"content-range": "bytes 3-9/10"}))
    fails(lab, name, ImageError, "gives another part")


def test_a_blob_that_ends_before_the_range(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=BLOBS, times=2, cut_answer_after=30))
    proxy.inject(Fault(path=BLOBS, times=2, cut_answer_after=30))
    proxy.inject(Fault(path=BLOBS, times=-1, status=416))
    fails(lab, name, ImageError, "it ends at byte")


def test_a_blob_that_is_gone(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(Fault(path=BLOBS, times=-1, status=404))
    fails(lab, name, ImageNotFoundError, "though the image's manifest names it")


def test_a_name_that_is_not_there(lab: Lab, proxy: FaultyProxy) -> None:
    error = fails(lab, f"{proxy.address}/nobody/nothing:1", ImageNotFoundError, "is not in the registry")
    assert "MANIFEST_UNKNOWN" in error.details


def test_a_refusal(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
    proxy.inject(Fault(path=MANIFESTS, times=-1, status=403, body=body))
    error = fails(lab, name, TransportError, "refuses to give the manifest")
    assert error.code == "denied"
    assert error.details == "DENIED: requested access to the resource is denied"


def changed(change: Callable[[dict[str, Any]], None]) -> Fault:
    """A manifest changed on its way, with the headers of one that was pushed so."""

    def rewrite(body: bytes) -> bytes:
        document = json.loads(body)
        change(document)
        return json.dumps(document).encode()

    return Fault(path=MANIFESTS, change=rewrite, change_headers={"docker-content-digest": ""})


def test_a_layer_of_an_unknown_type(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    proxy.inject(changed(lambda document: document["layers"][0].update(mediaType=kind)))
    fails(lab, name, ImageError, f"is of the unknown type {kind}")


def test_an_artifact_is_no_image(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    kind = "application/vnd.cncf.helm.config.v1.json"
    proxy.inject(changed(lambda document: document["config"].update(mediaType=kind)))
    fails(lab, name, ImageError, f"no container image there: its config is of type {kind}")


def test_layers_that_do_not_fit_the_config(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(changed(lambda document: document["layers"].pop()))
    fails(lab, name, ImageError, "an image of 1 layers whose config lists 2")


def test_layers_in_another_order_than_the_config_says(lab: Lab, proxy: FaultyProxy, name: str) -> None:
    proxy.inject(changed(lambda document: document["layers"].reverse()))
    fails(lab, name, ImageError, "has the diff_id")


@pytest.mark.parametrize("kind", ["application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json"])
def test_schema_1(lab: Lab, proxy: FaultyProxy, name: str, kind: str) -> None:
    body = json.dumps({"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": []}).encode()
    proxy.inject(Fault(path=MANIFESTS, status=200, headers={"content-type": kind}, body=body))
    error = fails(lab, name, ImageError, "schema 1")
    assert "skopeo" in error.hint


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"schemaVersion": 2}', "application/vnd.example+json", "unknown type application/vnd.example"),
        (b"<html>log in</html>", "text/html", "not a valid document"),
        (b" " * (5 << 20), "application/json", "more than 4 MiB"),
        (b'{"schemaVersion": 2}', "application/vnd.oci.image.manifest.v1+json", "not a valid document"),
    ],
)
def test_what_is_no_manifest(lab: Lab, proxy: FaultyProxy, name: str, body: bytes, kind: str, message: str) -> None:
    proxy.inject(Fault(path=MANIFESTS, status=200, headers={"content-type": kind}, body=body))
    fails(lab, name, ImageError, message)


def test_an_index_whose_sizes_are_wrong(
    lab: Lab, registry: str, repository: str, proxy: FaultyProxy, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.copy(layout.index(layout.image(SMALL)), f"{registry}/{repository}:1")
    proxy.inject(changed(lambda document: document["manifests"][0].update(size=1)))
    fails(lab, f"{proxy.address}/{repository}:1", ImageError, "but its index says 1")


def test_a_layer_that_is_no_tar(lab: Lab, registry: str, repository: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.copy(layout.image(b"this is not a tar archive" * 100), f"{registry}/{repository}:1")
    fails(lab, f"{registry}/{repository}:1", ImageError, "Layer 0 of the image")


def test_redirects_are_followed_without_credentials(
    lab: Lab, registry: str, proxy: FaultyProxy, name: str, make_proxy: MakeProxy, docker_config: Path
) -> None:
    docker_config.mkdir()
    entry = {"auths": {proxy.address: {"username": "me", "password": "secret"}}}
    (docker_config / "config.json").write_text(json.dumps(entry))
    storage = make_proxy()
    blob = _small_descriptor().digest
    target = f"http://{storage.address}/v2/{name.partition('/')[2].partition(':')[0]}/blobs/{blob}"
    challenge = {"www-authenticate": 'Basic realm="x"'}
    proxy.inject(Fault(path=MANIFESTS, status=401, headers=challenge))
    proxy.inject(Fault(path=f"/blobs/{blob}", status=307, headers={"location": target}))
    lab.pull(name)
    assert storage.count("GET", blob) == 1
    assert all("authorization" not in each.headers for each in storage.seen)
    assert any("authorization" in each.headers for each in proxy.seen)


def _small_descriptor() -> Descriptor:
    method = compressor("gzip")
    return describe(method.compress(SMALL) + method.flush(), "")


def test_gzip_and_plain_layers_may_be_mixed_and_repeated(
    lab: Lab, registry: str, repository: str, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.copy(layout.image(SMALL, BIG, SMALL, compress=False), f"{registry}/{repository}:1")
    pulled = lab.pull(f"{registry}/{repository}:1")
    assert pulled.image.config.rootfs.diff_ids == (sha256(SMALL), sha256(BIG), sha256(SMALL))
