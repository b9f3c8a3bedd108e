"""A store of the test's own, images in it, and the command line run inside this process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from dockerception.cli import main
from dockerception.oci import config as oci_config
from dockerception.oci import tarwriter
from dockerception.oci.config import ContainerConfig, History, ImageConfig, RootFS
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.reference import Reference
from dockerception.store.store import Store

AddImage = Callable[..., str]


class Ran(msgspec.Struct, frozen=True):
    """What a command line came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default store of every test here, far from the user's own."""
    root = tmp_path / "store"
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(root))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return root


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """A function that runs one command line and gives its exit code and what it printed."""

    def run_line(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main.run(arguments)
        return Ran(code, *capfd.readouterr())

    return run_line


@pytest.fixture
def add_image(store_root: Path) -> AddImage:
    """A function that puts an image of one layer into the store; returns its id."""

    def add(*names: str, files: Mapping[str, bytes] | None = None, created: str = "", env: Sequence[str] = ()) -> str:
        with Store(str(store_root)) as store:
            contents = dict(files or {"hello": b"hello\n"})
            toc = Toc.of(
                Entry(path=path, kind="file", size=len(data), digest=hashlib.sha256(data).digest())
                for path, data in contents.items()
            )
            diff_id = str(store.blobs.put(b"".join(tarwriter.write(toc, lambda entry: [contents[entry.path]]))))
            layer = store.layers.add_blob(diff_id=diff_id, toc=toc)
            config = ImageConfig(
                architecture="amd64",
                os="linux",
                created=created,
                config=ContainerConfig(env=tuple(env), cmd=("/hello",)),
                rootfs=RootFS(diff_ids=(diff_id,)),
                history=(
                    History(created=created, created_by="COPY hello /", comment="test"),
                    History(created=created, created_by='CMD ["/hello"]', empty_layer=True),
                ),
            )
            references = [Reference.parse(name) for name in names]
            return store.images.add(oci_config.encode(config), [layer.layer], references).image

    return add
