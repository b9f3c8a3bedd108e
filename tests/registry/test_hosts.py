"""How registries are reached: TLS with certificates of our own, http only where it is allowed, mirrors, proxies."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.http import ConnectionFailedError, TlsError
from registry.conftest import MakeProxy
from registry.lab import Lab
from support.faulty import Fault
from support.registry import Tls, make_tls, running_registry
from unit.transports.images import tar_of

SMALL = tar_of({"etc/one": b"1"})


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[str]:
    """A registry with a certificate of an authority that nobody knows."""
    with running_registry(tmp_path_factory.mktemp("secure"), tls=tls) as address:
        yield address


def trust(docker_config: Path, address: str, tls: Tls) -> Path:
    folder = docker_config / "certs.d" / address
    folder.mkdir(parents=True)
    shutil.copy(tls.authority, folder / "ca.crt")
    return folder


def test_an_authority_in_certs_d(lab: Lab, secure: str, tls: Tls, docker_config: Path) -> None:
    trust(docker_config, secure, tls)
    image = lab.add(SMALL)
    lab.push(image, f"{secure}/trusted:1")
    assert lab.pull(f"{secure}/trusted:1").image.image == image.image


def test_an_authority_that_is_not_known(lab: Lab, secure: str) -> None:
    with pytest.raises(TlsError, match=f"The certificate of {secure} is not trusted") as caught:
        lab.pull(f"{secure}/app:1")
    assert f"/etc/docker/certs.d/{secure}/ca.crt" in caught.value.hint
    assert lab.waits == []


def test_a_registry_that_is_marked_insecure(lab: Lab, secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERCEPTION_INSECURE_REGISTRIES", f"other:5000, {secure}")
    image = lab.add(SMALL)
    lab.push(image, f"{secure}/insecure:1")
    assert lab.pull(f"{secure}/insecure:1").image.image == image.image


def test_a_client_certificate(lab: Lab, tmp_path: Path, tls: Tls, docker_config: Path) -> None:
    with running_registry(tmp_path / "strict", tls=tls, wants_client=True) as address:
        folder = trust(docker_config, address, tls)
        with pytest.raises(TlsError, match=f"The TLS connection to {address} failed") as caught:
            lab.push(lab.add(SMALL), f"{address}/app:1")
        assert "client.cert" in caught.value.hint
        shutil.copy(tls.certificate, folder / "client.cert")
        with pytest.raises(TransportError, match="has no key beside it"):
            lab.push(lab.add(SMALL), f"{address}/app:1")
        shutil.copy(tls.key, folder / "client.key")
        lab.push(lab.add(SMALL), f"{address}/app:1")


def test_a_spoilt_certificate(lab: Lab, secure: str, tls: Tls, docker_config: Path) -> None:
    folder = trust(docker_config, secure, tls)
    (folder / "ca.crt").write_text("not PEM")
    with pytest.raises(TransportError, match=r"The CA certificate .*ca\.crt can't be used"):
        lab.pull(f"{secure}/app:1")


@pytest.fixture
def named_address(monkeypatch: pytest.MonkeyPatch, registry: str) -> str:
    """The plain registry under a name that is not loopback's."""
    port = int(registry.rpartition(":")[2])
    real = socket.getaddrinfo

    def resolve(host: str, *arguments: object, **more: object) -> object:
        return real("127.0.0.1" if host == "registry.test" else host, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return f"registry.test:{port}"


def test_plain_http_elsewhere_only_where_it_is_marked(
    lab: Lab, named_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = lab.add(SMALL)
    with pytest.raises(TlsError, match="does not speak TLS") as caught:
        lab.push(image, f"{named_address}/plain:1")
    assert caught.value.hint.endswith(f"set DOCKERCEPTION_INSECURE_REGISTRIES={named_address}")
    monkeypatch.setenv("DOCKERCEPTION_INSECURE_REGISTRIES", named_address)
    lab.push(image, f"{named_address}/plain:1")


def test_nobody_listens(lab: Lab) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(ConnectionFailedError, match=f"{address} can't be reached: Connection refused"):
            lab.pull(f"{address}/app:1")
    assert len(lab.waits) == 4


def test_a_mirror_is_asked_first(
    lab: Lab, registry: str, repository: str, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = make_proxy()
    image = lab.add(SMALL)
    lab.push(image, f"{registry}/cache/{repository}:1")
    monkeypatch.setenv("DOCKERCEPTION_REGISTRY_MIRRORS", f"quay.test={mirror.address}/cache")
    pulled = lab.pull(f"quay.test/{repository}:1")
    assert pulled.image.image == image.image
    assert f"quay.test/{repository}:1" in lab.names()
    assert mirror.count("GET", f"/v2/cache/{repository}/manifests/1") == 1


@pytest.mark.parametrize("status", [404, 500])
def test_where_a_mirror_fails_the_registry_is_asked(
    lab: Lab, registry: str, repository: str, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    mirror = make_proxy()
    mirror.inject(Fault(path="/manifests/", times=-1, status=status))
    monkeypatch.setenv("DOCKERCEPTION_REGISTRY_MIRRORS", f"{registry}={mirror.address}")
    image = lab.add(SMALL)
    lab.push(image, f"{registry}/{repository}:1")
    assert lab.pull(f"{registry}/{repository}:1").image.image == image.image
    assert mirror.count("GET", "/manifests/") >= 1
    assert mirror.count("PUT", "") == 0


def test_a_proxy_of_the_environment(
    lab: Lab, registry: str, repository: str, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The proxy gets whole URLs; this one answers for whatever host they name.
    proxy = make_proxy()
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("DOCKERCEPTION_INSECURE_REGISTRIES", "registry.test")
    image = lab.add(SMALL)
    lab.push(image, f"registry.test/{repository}:1")
    assert {each.path.partition("/v2/")[0] for each in proxy.seen} == {"http://registry.test"}
    monkeypatch.setenv("no_proxy", "registry.test")
    with pytest.raises(TransportError, match="can't be resolved"):
        lab.pull(f"registry.test/{repository}:1")
