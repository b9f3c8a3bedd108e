"""The Python API, with images that need no sandbox."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerception
from dockerception import api
from dockerception.chain.emitting import Emitted
from dockerception.context.tarstream import receive
from dockerception.engines.base import Output
from dockerception.errors import (
    BuilderError,
    ContextError,
    DockerceptionError,
    DockerfileError,
    ImageNotFoundError,
    StreamError,
    UsageError,
)
from dockerception.facade import EmittedContext
from dockerception.progress import Event, LevelFinished, StepStarted
from dockerception.reference import Platform
from dockerception.request import BuildRequest
from dockerception.store.store import Store
from unit.transports.images import sha256, tar_of

DOCKERFILE = 'FROM scratch\nCOPY app /\nENV A=1\nCMD ["/app"]'


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default store of every test here."""
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(tmp_path / "store"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path / "store"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with a program and a Dockerfile."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "app").write_text("program")
    return folder


def test_an_image_is_a_value(source: Path) -> None:
    image = dockerception.assemble(source, tags=["app", "example.com/app:1"], labels={"l": "1"}, epoch=7)
    assert image.id.startswith("sha256:")
    assert image.names == ("app:latest", "example.com/app:1")
    assert image.size == len("program")
    assert image.platform == Platform.host()
    assert image.config.config.cmd == ("/app",)
    assert image.config.config.labels == {"l": "1"}
    assert image.config.created == "1970-01-01T00:00:07Z"
    assert [layer.size for layer in image.layers] == [7]
    assert tuple(layer.diff_id for layer in image.layers) == image.config.rootfs.diff_ids
    assert image.builders == ()
    assert repr(image) == f"<Image {image.id}>"


def test_equal_builds_are_equal(source: Path, tmp_path: Path) -> None:
    one = dockerception.assemble(source, epoch=7)
    two = dockerception.assemble(os.fspath(source), store=str(tmp_path / "other"), epoch=7)
    assert one == two
    assert len({one, two}) == 1
    assert one != dockerception.assemble(source, labels={"x": "y"})
    assert one != one.id


def test_streams(source: Path) -> None:
    stream = io.BytesIO(tar_of({"Dockerfile": DOCKERFILE.encode(), "app": b"program"}))
    image = dockerception.assemble(stream)
    assert image.size == 7
    with pytest.raises(StreamError):
        dockerception.assemble(io.BytesIO(b"no tar"))


def test_no_context_at_all(tmp_path: Path) -> None:
    (tmp_path / "D").write_text("FROM scratch\nCOPY <<END /x\nhello\nEND\n")
    image = dockerception.assemble(None, dockerfile=str(tmp_path / "D"))
    assert image.size == 6


def test_tag(source: Path) -> None:
    image = dockerception.assemble(source)
    assert list(image.names) == []
    image.tag("later")
    assert list(image.names) == ["later:latest"]
    other = dockerception.assemble(source, labels={"x": "y"})
    other.tag("later")
    assert list(image.names) == []
    with pytest.raises(UsageError):
        image.tag("UPPER")


def test_save(source: Path, tmp_path: Path) -> None:
    image = dockerception.assemble(source, tags=["app"])
    image.save(tmp_path / "app.tar")
    with tarfile.open(tmp_path / "app.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        described = json.load(manifest)[0]
        assert described["RepoTags"] == ["app:latest"]
        config = archive.extractfile(described["Config"])
        assert config is not None
        assert sha256(config.read()) == image.id
    image.save(tmp_path / "files", type="local")
    assert (tmp_path / "files/app").read_text() == "program"
    image.save(tmp_path / "files.tar", type="tar")
    with tarfile.open(tmp_path / "files.tar") as archive:
        assert archive.getnames() == ["app"]
    with pytest.raises(UsageError, match="nonsense"):
        image.save(tmp_path / "x", type="nonsense")
    assert not (tmp_path / "x").exists()


def test_outputs(source: Path, tmp_path: Path) -> None:
    outputs = [Output(type="oci", destination=str(tmp_path / "app.oci"))]
    image = dockerception.assemble(source, tags=["app"], outputs=outputs)
    with tarfile.open(tmp_path / "app.oci") as archive:
        assert f"blobs/sha256/{image.id[7:]}" in archive.getnames()


def test_an_output_that_fails_names_nothing(source: Path, tmp_path: Path) -> None:
    outputs = [Output(type="oci", destination=str(tmp_path / "absent" / "app.oci"))]
    with pytest.raises(DockerceptionError, match="can't be written"):
        dockerception.assemble(source, tags=["app"], outputs=outputs)
    (tmp_path / "D").write_text("FROM app")
    with pytest.raises(ImageNotFoundError):
        dockerception.assemble(None, dockerfile=str(tmp_path / "D"))


def test_an_image_that_is_gone(source: Path, tmp_path: Path) -> None:
    image = dockerception.assemble(source)
    with Store() as store:
        store.images.remove(image.id)
    with pytest.raises(ImageNotFoundError):
        image.tag("x")
    with pytest.raises(ImageNotFoundError):
        image.save(tmp_path / "x.tar")
    assert not (tmp_path / "x.tar").exists()


def test_progress(source: Path) -> None:
    events: list[Event] = []
    dockerception.assemble(source, tags=["app"], report=events.append)
    assert [event.name for event in events if isinstance(event, StepStarted)] == ["[stage-0 2/2] COPY app /"]
    last = events[-1]
    assert isinstance(last, LevelFinished)
    assert last.is_last


def test_the_time_comes_from_the_environment(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "9")
    assert dockerception.assemble(source).config.created == "1970-01-01T00:00:09Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        dockerception.assemble(source)


def test_errors(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="does not exist"):
        dockerception.assemble(tmp_path / "absent")
    with pytest.raises(UsageError, match="UPPER"):
        dockerception.assemble(source, tags=["UPPER"])
    with pytest.raises(UsageError, match="is not a platform"):
        dockerception.assemble(source, platform="linux/none")
    with pytest.raises(DockerfileError, match="has no stage"):
        dockerception.assemble(source, target="x")
    (source / "Dockerfile").write_text("FROM scratch\nCOPPY app /")
    with pytest.raises(DockerfileError, match="COPPY"):
        dockerception.assemble(source)


def test_a_builder_without_a_command_says_so(source: Path) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nWORKDIR /")
    with pytest.raises(BuilderError, match="nothing to run"):
        dockerception.build(source)
    with pytest.raises(BuilderError, match="nothing to run"), dockerception.context(source):
        pass


def test_an_emitted_context(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    with path.open("w+b") as spool:
        stream = io.BytesIO(tar_of({"Dockerfile": b"FROM scratch", "app": b"program"}))
        got = receive(stream.read, spool=spool.fileno(), origin="It", source="emitted")
    emitted = EmittedContext(Emitted(toc=got.toc, spool=str(path)))
    assert emitted.size == len("FROM scratchprogram")
    chunks: list[bytes] = []
    emitted.write_tar(chunks.append)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        assert archive.getnames() == ["Dockerfile", "app"]
    emitted.write_directory(str(tmp_path / "out"))
    assert (tmp_path / "out/app").read_text() == "program"
    with pytest.raises(UsageError, match="is not empty"):
        emitted.write_directory(str(tmp_path / "out"))


def test_what_is_public() -> None:
    assert set(dockerception.__all__) <= set(dir(dockerception))
    for name in dockerception.__all__:
        assert getattr(dockerception, name) is not None
    assert callable(dockerception.context), "not the folder of that name"
    with pytest.raises(AttributeError):
        _ = dockerception.nonsense


def test_secrets_agents_and_entitlements_reach_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[BuildRequest] = []

    def stop(request: BuildRequest, *rest: object) -> None:
        seen.append(request)
        raise UsageError("That is enough.")

    given = {
        "secrets": (dockerception.Secret(id="s", file="/s"),),
        "ssh": (dockerception.SshAgent(id="default"),),
        "allow": ("security.insecure",),
    }
    for name in ("build", "assemble"):
        monkeypatch.setattr(api, name, stop)
        with pytest.raises(UsageError, match="enough"):
            getattr(dockerception, name)(None, **given)
    monkeypatch.setattr(api, "context", stop)
    with pytest.raises(UsageError, match="enough"), dockerception.context(None, **given):  # type: ignore[arg-type]
        pass
    for request in seen:
        (settings,) = api._settings(request)
        assert (settings.secrets, settings.ssh) == (given["secrets"], given["ssh"])
        assert settings.allow == {"security.insecure"}
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("function", "option"),
    [
        (dockerception.assemble, "command"),
        (dockerception.build, "tag"),
        (dockerception.check, "tags"),
    ],
)
def test_an_option_that_a_function_has_not(function: Callable[..., object], option: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        function(".", **{option: ()})
