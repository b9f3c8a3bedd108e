"""The whole chain with a real builder, through the Python API."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dockerception
from dockerception.errors import BuilderError, DockerceptionError, EmitTimeoutError, ImageError, StreamError
from dockerception.limits import Limits
from dockerception.progress import Event, StepLog
from embedded.engine.conftest import BUSYBOX
from embedded.engine.test_parallel import is_running

BUILDER = """\
FROM busybox
RUN mkdir /out && printf 'FROM scratch\\nCOPY app /\\n' > /out/Dockerfile
COPY source /out/app
CMD ["tar", "-cC", "/out", "."]
"""

Chain = Callable[..., dockerception.Image]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory whose Dockerfile makes a builder."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text(BUILDER)
    (folder / "source").write_text("program")
    return folder


@pytest.fixture
def chain(source: Path, bases: dict[str, str], tmp_path: Path) -> Chain:
    """A function that runs the chain; ``command`` is a script that the builder runs instead."""

    def run(command: str = "", **options: object) -> dockerception.Image:
        return dockerception.build(
            source,
            build_contexts=bases,
            command=("sh", "-c", command) if command else (),
            store=str(tmp_path / "store"),
            runtime="crun",
            epoch=5,
            **options,  # type: ignore[arg-type]
        )

    return run


def files(image: dockerception.Image, path: Path) -> dict[str, str]:
    """The contents of an image's files."""
    image.save(path, type="tar")
    with tarfile.open(path) as archive:
        return {
            member.name: (archive.extractfile(member) or open(os.devnull, "rb")).read().decode()
            for member in archive
            if member.isfile()
        }


def test_the_chain(chain: Chain, tmp_path: Path) -> None:
    events: list[Event] = []
    image = chain("echo progress >&2; tar -cC /out .", report=events.append, builder_tag="b", tags=["app"])
    assert files(image, tmp_path / "x.tar") == {"app": "program"}
    assert [builder.level for builder in image.builders] == [0]
    assert image.builders[0].image.startswith("sha256:")
    assert any(event.data == b"progress\n" for event in events if isinstance(event, StepLog))


def test_nothing_changed(chain: Chain, calls: list[str]) -> None:
    image = chain(tags=["app"])
    assert calls.count("RunCall") >= 2
    calls.clear()
    assert chain(tags=["app"]) == image
    assert calls == []


def test_a_changed_source_that_emits_the_same(chain: Chain, source: Path, calls: list[str]) -> None:
    cut = "COPY source /in\nRUN head -c 7 /in > /out/app && touch -d @9 /out/app"
    (source / "Dockerfile").write_text(BUILDER.replace("COPY source /out/app", cut))
    image = chain()
    (source / "source").write_text("program 2")
    calls.clear()
    assert chain() == image
    assert calls.count("RunCall") == 2, "the step that reads the source, and the builder"


def test_the_context_alone(source: Path, bases: dict[str, str], tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with dockerception.context(source, build_contexts=bases, store=store, runtime="crun") as context:
        context.write_directory(str(tmp_path / "out"))
        assert not context.is_cached
    assert (tmp_path / "out/app").read_text() == "program"
    with dockerception.context(source, build_contexts=bases, store=store, runtime="crun") as context:
        assert context.is_cached


@pytest.mark.parametrize(
    ("command", "options", "kind", "message"),
    [
        ("tar -cC /out .; echo last words >&2; exit 3", {}, BuilderError, "exited with code 3"),
        ("tar -cC /out .; sh -c 'kill -9 $$'; exit $?", {}, BuilderError, "SIGKILL"),
        ("no-such-program", {}, BuilderError, "command was not found"),
        ("tar -cC /out . | head -c 700; exit 4", {}, BuilderError, "exited with code 4"),
        ("tar -cC /out . | head -c 700", {}, StreamError, "is truncated"),
        ("echo Listening; exec sleep 99993", {}, StreamError, "is not a tar archive"),
        ("exec sleep 99994", {"emit_timeout": 0.3}, EmitTimeoutError, "has been silent"),
        ("tar -cC /out .; exec >&-; exec sleep 99995", {"emit_timeout": 0.3}, EmitTimeoutError, "has been silent"),
        ("true", {}, StreamError, "is empty"),
    ],
)
def test_a_builder_that_fails(
    chain: Chain, tmp_path: Path, command: str, options: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        chain(command, tags=["app"], **options)
    assert isinstance(caught.value, DockerceptionError)
    if "last words" in command:
        assert "last words" in caught.value.details
    # Only what this builder has started: another worker may be at another row just now.
    assert not any(is_running(argument) for argument in ("99993", "99994", "99995") if argument in command)
    from dockerception.store.store import Store

    with Store(str(tmp_path / "store")) as store:
        assert store.images.find("app") is None


def test_the_time_that_a_step_may_take_is_no_limit_of_a_builder(chain: Chain) -> None:
    assert chain("sleep 0.5; tar -cC /out .", limits=Limits(timeout=0.3))


def test_a_server_is_told_from_a_builder(chain: Chain, source: Path) -> None:
    (source / "Dockerfile").write_text(BUSYBOX + "EXPOSE 80\nCMD sleep 99996")
    with pytest.raises(EmitTimeoutError) as caught:
        chain(emit_timeout=0.3)
    assert "dockerception assemble" in caught.value.hint
    assert not is_running("99996")


def test_a_program_that_is_not_there(chain: Chain, source: Path) -> None:
    (source / "Dockerfile").write_text(BUSYBOX + 'CMD ["/no/such"]')
    with pytest.raises(BuilderError, match="could not be started"):
        chain()


def test_a_user_that_is_not_there(chain: Chain, source: Path) -> None:
    (source / "Dockerfile").write_text(BUILDER + "USER nobody\n")
    with pytest.raises(ImageError, match="nobody"):
        chain()
