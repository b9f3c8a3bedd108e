"""The fake engine, as the tests of somebody else's program use it."""

from __future__ import annotations

from pathlib import Path

import pytest

import dockerception
from dockerception.engines.base import Capabilities, Output
from dockerception.errors import BuilderError, StreamError, UnsupportedError
from dockerception.testing import FakeEngine

CONTEXT = {"Dockerfile": b"FROM scratch\nCOPY app /\n", "app": b"program"}


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of this test's."""
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(tmp_path / "store"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with a builder's Dockerfile."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM golang\nARG V\nCOPY . /src\n")
    (folder / "main.go").write_text("package main\n")
    return folder


def test_it_remembers_what_it_was_asked(source: Path) -> None:
    engine = FakeEngine(emits=CONTEXT)
    image = dockerception.build(
        source, tags=["app"], labels={"a": "b"}, build_args={"V": "1"}, command=["make"], engine=engine
    )
    builder, runtime = engine.levels
    assert (builder.dockerfile, builder.files) == (
        "FROM golang\nARG V\nCOPY . /src",
        ("Dockerfile", "main.go"),
    )
    assert (runtime.files, runtime.build_args) == (("Dockerfile", "app"), {"V": "1"})
    assert [request.command for request in engine.emissions] == [("make",)]
    assert engine.names == ["app:latest"]
    assert image.config.config.labels is not None
    assert image.config.config.labels["a"] == "b"
    assert image.builders[0].level == 0
    assert not engine.is_closed


def test_equal_builds_give_equal_images(source: Path) -> None:
    first = dockerception.build(source, engine=FakeEngine(emits=CONTEXT))
    second = dockerception.build(source, engine=FakeEngine(emits=CONTEXT))
    other = dockerception.build(source, build_args={"V": "2"}, engine=FakeEngine(emits=CONTEXT))
    assert first == second
    assert first != other


def test_what_it_emits_is_checked_like_any_stream(source: Path) -> None:
    with pytest.raises(StreamError, match="found the text"):
        dockerception.build(source, engine=FakeEngine(emits=b"make: nothing to be done\n"))
    with dockerception.context(source, engine=FakeEngine(emits=CONTEXT)) as emitted:
        assert emitted.size == sum(map(len, CONTEXT.values()))


def test_a_builder_that_fails_names_nothing(source: Path) -> None:
    engine = FakeEngine(emits=CONTEXT, exit_code=2)
    with pytest.raises(BuilderError, match="exited with code 2"):
        dockerception.build(source, tags=["app"], engine=engine)
    assert engine.names == []


def test_it_writes_what_it_can(source: Path, tmp_path: Path) -> None:
    engine = FakeEngine()
    target = tmp_path / "image.tar"
    dockerception.assemble(source, outputs=[Output(type="docker", destination=str(target))], engine=engine)
    assert target.exists()
    assert engine.outputs[0].destination == str(target)


def test_it_can_be_less_able(source: Path) -> None:
    engine = FakeEngine(capabilities=Capabilities(name="It", stage_filters=False))
    with pytest.raises(UnsupportedError, match="It can't do single stages again"):
        dockerception.assemble(source, no_cache_filter=["build"], engine=engine)
    assert engine.levels == []
