"""Layers whose times are no later than SOURCE_DATE_EPOCH."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dockerception
from dockerception.engines import capabilities
from dockerception.engines.base import Capabilities, Output
from dockerception.errors import UnsupportedError, UsageError
from dockerception.oci.entry import Entry
from dockerception.progress import StepStarted
from dockerception.store.images import StoredImage
from unit.engines.lab import EPOCH, Lab, folder, new_lab, settings

TEXT = "FROM scratch\nCOPY . /files/\nWORKDIR /made/here\nCOPY <<EOF /text\nhere\nEOF\n"
OLD, NEW, NEWER = EPOCH - 5, EPOCH + 100, EPOCH + 200
STEP = "rewrite times that are later than SOURCE_DATE_EPOCH"


@pytest.fixture
def sources(tmp_path: Path) -> Callable[[int], Path]:
    """A function that makes the same sources with another time of one of them."""

    def make(time: int) -> Path:
        path = tmp_path / "sources"
        folder(path, {"old": "1", "new": "2", "directory/new": "3"})
        os.link(path / "new", path / "linked") if not (path / "linked").exists() else None
        for name, mtime in (("old", OLD), ("directory/new", time), ("directory", time), ("new", time)):
            os.utime(path / name, (mtime, mtime))
        return path

    return make


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with new_lab(tmp_path / "store") as lab:
        yield lab


def build(lab: Lab, path: Path, text: str = TEXT, *, started: int = NEWER, **changes: Any) -> StoredImage:
    """The published image of a Dockerfile, by default with times rewritten."""
    given: dict[str, Any] = {"rewrites_times": True, "started": started, **changes}
    return lab.image(lab.build(text, folder(path, {}), **given))


def times(lab: Lab, image: StoredImage) -> dict[str, int]:
    return {entry.path: entry.mtime for entry in lab.files(image).walk("")}


def test_later_times_are_clamped_and_earlier_ones_stay(lab: Lab, sources: Callable[[int], Path]) -> None:
    found = times(lab, build(lab, sources(NEW)))
    assert found["files/old"] == OLD
    assert found["files/new"] == found["files/linked"] == found["files/directory/new"] == found["text"] == EPOCH
    assert max(found.values()) == EPOCH


def test_contents_and_links_stay(lab: Lab, sources: Callable[[int], Path]) -> None:
    plain = build(lab, sources(NEW), rewrites_times=False)
    rewritten = build(lab, sources(NEW))

    def facts(image: StoredImage) -> list[tuple[Entry, bytes]]:
        files = lab.files(image)
        return [
            (
                msgspec.structs.replace(entry, mtime=0, offset=-1),
                b"".join(files.read(entry)) if entry.kind == "file" else b"",
            )
            for entry in files.walk("")
        ]

    assert facts(plain) == facts(rewritten)
    assert plain.config.rootfs.diff_ids[0] != rewritten.config.rootfs.diff_ids[0]


def test_builds_at_different_times_give_one_image(tmp_path: Path, sources: Callable[[int], Path]) -> None:
    found: dict[bool, list[str]] = {True: [], False: []}
    for time in (NEW, NEWER):
        with new_lab(tmp_path / str(time)) as lab:
            for rewrites in (True, False):
                found[rewrites].append(build(lab, sources(time), started=time, rewrites_times=rewrites).image)
    assert found[True][0] == found[True][1]
    assert found[False][0] != found[False][1]


def test_a_cache_of_an_earlier_epoch_gives_the_same(tmp_path: Path, sources: Callable[[int], Path]) -> None:
    path = sources(NEWER)
    with new_lab(tmp_path / "used") as lab:
        build(lab, path, epoch=EPOCH - 1000, started=NEW)
        used = build(lab, path, epoch=EPOCH)
        assert all(lab.steps()[name] for name in lab.steps() if name != STEP)
    with new_lab(tmp_path / "fresh") as lab:
        assert build(lab, path, epoch=EPOCH).image == used.image


def test_a_layer_without_later_times_stays(lab: Lab, sources: Callable[[int], Path]) -> None:
    path = sources(OLD)
    text = "FROM scratch\nCOPY . /files/\n"
    assert build(lab, path, text).image == build(lab, path, text, rewrites_times=False).image


def test_the_base_stays(lab: Lab, sources: Callable[[int], Path], tmp_path: Path) -> None:
    base = build(lab, sources(NEW), "FROM scratch\nCOPY new /base\n", rewrites_times=False)
    text = "FROM base\nCOPY new /own\n"
    image = build(lab, sources(NEWER), text, build_contexts={"base": f"docker-image://{base.image}"})
    assert image.layers[0] == base.layers[0]
    assert times(lab, image) == {"base": NEW, "own": EPOCH}


def test_it_is_done_once(lab: Lab, sources: Callable[[int], Path]) -> None:
    path = sources(NEW)
    first = build(lab, path)
    assert STEP in {event.name for event in lab.events if isinstance(event, StepStarted)}
    assert build(lab, path) == first
    assert STEP not in {event.name for event in lab.events if isinstance(event, StepStarted)}


def test_what_a_level_is_built_on_is_rewritten_as_well(tmp_path: Path, sources: Callable[[int], Path]) -> None:
    def image(time: int, **options: Any) -> str:
        path = sources(time)
        (path / "Dockerfile").write_text("FROM scratch\nCOPY . /out/\nBUILD /out\nFROM level:0\nCOPY old /copied\n")
        os.utime(path / "Dockerfile", (OLD, OLD))
        made = dockerception.build(path, store=str(tmp_path / str(time)), epoch=EPOCH, **options)
        return made.id

    rewritten = [Output(type="image", attributes=(("rewrite-timestamp", "true"),))]
    assert image(NEW, outputs=rewritten) == image(NEWER, outputs=rewritten)
    assert image(NEW) != image(NEWER)


def test_files_that_leave_as_such_have_the_time(lab: Lab, sources: Callable[[int], Path], tmp_path: Path) -> None:
    built = lab.build(TEXT, folder(sources(NEW), {}))
    result = lab.engine.publish(built, {})
    lab.engine.export([result], Output(type="local", destination=str(tmp_path / "out")))
    found = {os.stat(path).st_mtime for path in (tmp_path / "out").rglob("*")}
    assert found == {EPOCH}


def test_without_a_time_it_is_an_error() -> None:
    able = Capabilities(name="It", rewrites=True)
    with pytest.raises(UsageError, match="no time to rewrite to"):
        capabilities.check(able, settings(is_epoch_fixed=False, rewrites_times=True))
    capabilities.check(able, settings(rewrites_times=True))


def test_an_engine_that_can_not() -> None:
    with pytest.raises(UnsupportedError, match="It can't rewrite times of files in layers"):
        capabilities.check(Capabilities(name="It"), settings(rewrites_times=True))
