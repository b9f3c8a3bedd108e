"""What attributes of outputs make of an image, as registries, archives and layouts have it afterwards."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dockerception
from dockerception.cli import values
from dockerception.errors import TransportError, UsageError
from dockerception.store.store import Store
from dockerception.testing import Registry
from registry.lab import raw_manifest
from support.registry import make_tls, running_registry

TITLE = "org.opencontainers.image.title"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /file\n")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def own() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


def assemble(source: Path, *outputs: str, **options: Any) -> dockerception.Image:
    return dockerception.assemble(source, outputs=[values.output(text) for text in outputs], **options)


def layout_index(path: Path) -> dict[str, Any]:
    with tarfile.open(path) as archive:
        member = archive.extractfile("index.json")
        assert member is not None
        found: dict[str, Any] = json.loads(member.read())
        return found


def blob(path: Path, digest: str) -> Any:
    with tarfile.open(path) as archive:
        member = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert member is not None
        return json.loads(member.read())


@pytest.mark.usefixtures("home")
def test_annotations_are_where_they_belong(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    given = f"annotation.{TITLE}=App,annotation-manifest-descriptor.Where=here,annotation[linux/s390x].not=this"
    assemble(source, f"type=oci,dest={path},{given}", tags=["app"])
    (descriptor,) = layout_index(path)["manifests"]
    assert descriptor["annotations"]["Where"] == "here"
    assert descriptor["annotations"]["org.opencontainers.image.ref.name"] == "latest"
    assert blob(path, descriptor["digest"])["annotations"] == {TITLE: "App"}


@pytest.mark.usefixtures("home")
def test_annotations_of_an_index(source: Path, own: Registry) -> None:
    given = "annotation-index.i=1,annotation-manifest-descriptor[linux/arm64].d=2,annotation.m=3"
    output = f"type=registry,name={own.name('app:1')},{given}"
    assemble(source, output, platform="linux/amd64,linux/arm64")
    found = own.manifest("app", "1")
    assert found is not None
    index = json.loads(found.data)
    assert index["annotations"] == {"i": "1"}
    assert [each.get("annotations") for each in index["manifests"]] == [None, {"d": "2"}]
    for each in index["manifests"]:
        manifest = own.manifest("app", each["digest"])
        assert manifest is not None
        assert json.loads(manifest.data)["annotations"] == {"m": "3"}


@pytest.mark.usefixtures("home")
def test_an_index_that_is_not_there_is_an_error_before_work(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no index to annotate"):
        assemble(source, f"type=oci,dest={tmp_path}/x.tar,annotation-index.i=1", tags=["app"])
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.usefixtures("home")
def test_media_types_and_names_of_a_layout(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    assemble(source, f"type=oci,dest={path},oci-mediatypes=false,name=r.example/other:2", tags=["app"])
    (descriptor,) = layout_index(path)["manifests"]
    assert descriptor["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert descriptor["annotations"]["io.containerd.image.name"] == "r.example/other:2"
    manifest = blob(path, descriptor["digest"])
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar"}


@pytest.mark.usefixtures("home")
def test_a_docker_archive_in_gzip_under_another_name(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    image = assemble(source, f"type=docker,dest={path},name=other:2,compression=gzip", tags=["app"])
    with tarfile.open(path) as archive:
        (item,) = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
        assert archive.extractfile(item["Layers"][0]).read(2) == b"\x1f\x8b"  # type: ignore[union-attr]
    assert item["RepoTags"] == ["other:2"]
    with Store(str(tmp_path / "again")) as store:
        from dockerception.library import archives

        ((loaded, _),) = archives.load(store, str(path))
        assert loaded.image == image.id


def test_names_of_the_store(source: Path, home: Path, own: Registry) -> None:
    pushed = own.name("pushed:1")
    image = assemble(source, "type=image,name=kept", f"type=image,push=true,name={pushed}", tags=["app"])
    assert set(image.names) == {"app:latest", "kept:latest", pushed}
    assert own.tags("pushed") == ["1"]


def test_a_push_by_digest_sets_no_tag(source: Path, home: Path, own: Registry) -> None:
    image = assemble(source, f"type=image,push=true,push-by-digest=true,name={own.name('app:1')}")
    (exported,) = image.exported
    assert own.tags("app") == []
    assert own.manifest("app", exported.digest) is not None
    assert exported.name == f"{own.name('app')}@{exported.digest}"
    assert image.names == ()


@pytest.mark.usefixtures("home")
def test_an_insecure_registry_is_one_for_this_output(source: Path, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry", tls=make_tls(tmp_path)) as address:
        name = f"type=registry,name={address}/app:1"
        with pytest.raises(TransportError, match="is not trusted"):
            assemble(source, name)
        assemble(source, f"{name},registry.insecure=true")


@pytest.mark.usefixtures("home")
def test_a_rewritten_image_is_pushed(
    source: Path, registry: str, repository: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    name = f"{registry}/{repository}:1"
    image = assemble(source, f"type=registry,name={name},rewrite-timestamp=true", f"type=local,dest={tmp_path}/out")
    assert json.loads(raw_manifest(name))["config"]["digest"] == image.id
    assert (tmp_path / "out" / "file").stat().st_mtime == 1_000_000_000
    assert image.config.created == "2001-09-09T01:46:40Z"
