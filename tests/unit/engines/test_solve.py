"""Stages with COPY only, built without a sandbox: what is cached, what is executed, and what a failure leaves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dockerception.context.base import Context
from dockerception.errors import (
    ContextError,
    DockerceptionError,
    DockerfileError,
    ImageNotFoundError,
    UsageError,
)
from dockerception.oci.entry import Entry
from dockerception.progress import Notice
from dockerception.reference import Platform
from unit.context.trees import Tree, file, folder, shown
from unit.engines.lab import Lab, new_lab
from unit.engines.lab import folder as directory

CHAIN = """\
FROM scratch AS builder
COPY source out/program /work/
FROM scratch
COPY --from=builder /work/program /app
COPY static /static
CMD ["/app"]
"""
FILES = {"source": "s1", "out/program": "p1", "static": "t1"}
BUILDER = "[builder 2/2] COPY source out/program /work/"
APP = "[stage-1 2/3] COPY --from=builder /work/program /app"
STATIC = "[stage-1 3/3] COPY static /static"


def test_an_image(lab: Lab, tmp_path: Path) -> None:
    image = lab.image(lab.build(CHAIN, directory(tmp_path / "c", FILES)))
    assert shown(lab.files(image)) == {"app": "p1", "static": "t1"}
    assert image.config.config.cmd == ("/app",)
    assert len(image.config.rootfs.diff_ids) == 2


def test_nothing_changed(lab: Lab, tmp_path: Path) -> None:
    first = lab.build(CHAIN, directory(tmp_path / "c", FILES))
    assert lab.steps() == {BUILDER: False, APP: False, STATIC: False}
    assert not first.is_cached
    again = lab.build(CHAIN, directory(tmp_path / "c", {}))
    assert lab.steps() == {APP: True, STATIC: True}
    assert again.is_cached
    assert again.key == first.key
    assert lab.image(again).image == lab.image(first).image


def test_a_changed_builder_that_makes_the_same_file(lab: Lab, tmp_path: Path) -> None:
    first = lab.build(CHAIN, directory(tmp_path / "c", FILES))
    second = lab.build(CHAIN, directory(tmp_path / "c", {"source": "s2"}))
    assert lab.steps() == {BUILDER: False, APP: True, STATIC: True}
    assert not second.is_cached
    assert second.key == first.key
    assert lab.image(second).image == lab.image(first).image


def test_a_changed_file(lab: Lab, tmp_path: Path) -> None:
    lab.build(CHAIN, directory(tmp_path / "c", FILES))
    second = lab.build(CHAIN, directory(tmp_path / "c", {"static": "t2"}))
    assert lab.steps() == {BUILDER: True, APP: True, STATIC: False}
    assert shown(lab.files(lab.image(second))) == {"app": "p1", "static": "t2"}


def test_a_changed_program(lab: Lab, tmp_path: Path) -> None:
    lab.build(CHAIN, directory(tmp_path / "c", FILES))
    second = lab.build(CHAIN, directory(tmp_path / "c", {"out/program": "p2"}))
    assert lab.steps() == {BUILDER: False, APP: False, STATIC: False}
    assert shown(lab.files(lab.image(second))) == {"app": "p2", "static": "t1"}


def test_metadata_costs_nothing(lab: Lab, tmp_path: Path) -> None:
    context = directory(tmp_path / "c", FILES)
    first = lab.build(CHAIN, context)
    second = lab.build(CHAIN.replace('["/app"]', '["/other"]'), context)
    assert second.is_cached
    assert second.key != first.key
    assert lab.image(second).image != lab.image(first).image
    assert lab.image(second).layers == lab.image(first).layers


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"no_cache": True}, {BUILDER: False, APP: False, STATIC: False}),
        ({"no_cache_filter": frozenset({"level:0"})}, {BUILDER: False, APP: False, STATIC: False}),
        ({"no_cache_filter": frozenset({"builder"})}, {BUILDER: False, APP: True, STATIC: True}),
        ({"no_cache_filter": frozenset({"BUILDER"})}, {BUILDER: False, APP: True, STATIC: True}),
        ({"no_cache_filter": frozenset({"1"})}, {BUILDER: True, APP: False, STATIC: False}),
        ({"no_cache_filter": frozenset({"level:1", "emit", "other"})}, {APP: True, STATIC: True}),
    ],
)
def test_no_cache(lab: Lab, tmp_path: Path, changes: dict[str, Any], steps: dict[str, bool]) -> None:
    context = directory(tmp_path / "c", FILES)
    first = lab.build(CHAIN, context)
    second = lab.build(CHAIN, context, **changes)
    assert lab.steps() == steps
    assert lab.image(second).config.rootfs == lab.image(first).config.rootfs
    lab.build(CHAIN, context)
    assert lab.steps() == {APP: True, STATIC: True}


def test_no_cache_of_a_stage_is_one_of_those_built_on_it(lab: Lab, tmp_path: Path) -> None:
    text = "FROM scratch AS one\nCOPY source /\nFROM one\nCOPY static /"
    context = directory(tmp_path / "c", FILES)
    lab.build(text, context)
    lab.build(text, context, no_cache_filter=frozenset({"one"}))
    assert set(lab.steps().values()) == {False}


def test_a_lost_layer_is_made_again(lab: Lab, tmp_path: Path) -> None:
    context = directory(tmp_path / "c", FILES)
    first = lab.image(lab.build(CHAIN, context))
    os.unlink(lab.store.blobs.path(first.config.rootfs.diff_ids[0]))
    second = lab.image(lab.build(CHAIN, context))
    assert lab.steps() == {BUILDER: True, APP: False, STATIC: True}
    assert second.image == first.image
    assert shown(lab.files(second)) == {"app": "p1", "static": "t1"}


def test_only_needed_stages_are_built(lab: Lab, tmp_path: Path) -> None:
    text = "FROM scratch AS one\nCOPY source /\nFROM missing AS two\nFROM one AS three\nCOPY static /"
    context = directory(tmp_path / "c", FILES)
    lab.build(text, context)
    assert list(lab.steps()) == ["[one 2/2] COPY source /", "[three 2/2] COPY static /"]
    lab.build(text, context, target="ONE")
    assert list(lab.steps()) == ["[one 2/2] COPY source /"]
    with pytest.raises(ImageNotFoundError):
        lab.build(text, context, target="two")
    with pytest.raises(DockerfileError, match="has no stage “four”"):
        lab.build(text, context, target="four")


def test_a_stage_that_several_read_is_built_once(lab: Lab, tmp_path: Path) -> None:
    text = """\
FROM scratch AS shared
COPY source /s
FROM shared AS a
COPY static /a
FROM scratch AS b
COPY --from=shared /s /b
FROM scratch
COPY --from=a / /
COPY --from=b / /
"""
    image = lab.image(lab.build(text, directory(tmp_path / "c", FILES)))
    assert list(lab.steps()).count("[shared 2/2] COPY source /s") == 1
    assert shown(lab.files(image)) == {"a": "t1", "b": "s1", "s": "s1"}


class Meeting(Tree):
    """A context whose files can only be read when all of them are being read: proof that stages work together."""

    def __init__(self, count: int) -> None:
        self.everybody = threading.Barrier(count)
        super().__init__(*(file(f"f{number}", "x") for number in range(count)))

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        self.everybody.wait(timeout=60)
        return super().read(entry)


def test_stages_are_built_at_the_same_time(lab: Lab) -> None:
    stages = "".join(f"FROM scratch AS s{number}\nCOPY f{number} /\n" for number in range(3))
    copies = "".join(f"COPY --from=s{number} / /\n" for number in range(3))
    image = lab.image(lab.build(f"{stages}FROM scratch\n{copies}", Meeting(3)))
    assert set(shown(lab.files(image))) == {"f0", "f1", "f2"}


class Endless(Tree):
    """A context with a file that has no end; ``is_read`` is set when somebody reads it."""

    def __init__(self) -> None:
        self.is_read = threading.Event()
        super().__init__((Entry(path="endless", kind="file", size=1 << 62, digest=b"d" * 32), b""), file("small", "s"))

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        if entry.path == "small":
            assert self.is_read.wait(timeout=60)
            raise ContextError("The small file is bad.")
        self.is_read.set()
        return self._nothing()

    def _nothing(self) -> Iterator[bytes]:
        while True:
            yield b""


def test_a_failing_stage_stops_the_others(lab: Lab) -> None:
    text = """\
FROM scratch AS long
COPY endless /
FROM scratch AS short
COPY small /
FROM scratch
COPY --from=long / /
COPY --from=short / /
"""
    before = threading.active_count()
    with pytest.raises(ContextError, match="The small file is bad") as caught:
        lab.build(text, Endless())
    assert "   4 | >>> COPY small /" in caught.value.details
    lab.engine.close()
    assert threading.active_count() == before


class Interrupting(Endless):
    """As when somebody presses Ctrl-C while another stage is at work."""

    def digest(self, entry: Entry) -> bytes:
        return b"d" * 32

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        if entry.path == "small":
            assert self.is_read.wait(timeout=60)
            raise KeyboardInterrupt
        return super().read(entry)


def test_an_interrupt_stops_all_and_is_not_swallowed(lab: Lab) -> None:
    text = "FROM scratch AS long\nCOPY endless /\nFROM scratch\nCOPY small /\nCOPY --from=long / /\n"
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        lab.build(text, Interrupting())
    lab.engine.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("text", "kind", "message", "line"),
    [
        ("FROM scratch\nCOPY missing /", ContextError, "“missing” is not in", "2 | >>> COPY missing /"),
        ("FROM scratch AS a\nFROM scratch\nCOPY --from=a x /", ContextError, "is not in the stage a", "3 | >>> COPY"),
        ("FROM scratch\nCOPY --from=absent x /", ImageNotFoundError, "absent", "2 | >>> COPY"),
        ("FROM scratch\nCOPY --from=UPPER x /", DockerfileError, "UPPER", "2 | >>> COPY"),
        ("FROM Upper/Case", DockerfileError, "Upper", "1 | >>> FROM"),
        ("FROM absent", ImageNotFoundError, "--build-context absent=", "1 | >>> FROM"),
        ("FROM scratch\nCOPY --chown=4294967296 source /", DockerfileError, "too large", "2 | >>> COPY"),
        ("FROM scratch\nUSER 4294967296\nWORKDIR /w", DockerfileError, "too large", "3 | >>> WORKDIR"),
        ("FROM scratch\nCOPY source /a\nCOPY static /a/b", ContextError, "is a file in the image", "3 | >>> COPY"),
    ],
)
def test_errors(lab: Lab, tmp_path: Path, text: str, kind: type[DockerceptionError], message: str, line: str) -> None:
    with pytest.raises(kind) as caught:
        lab.build(text, directory(tmp_path / "c", FILES))
    assert message in str(caught.value)
    assert line in caught.value.details
    assert caught.value.details.count(">>>") == 1
    assert caught.value.exit_code in (3, 4, 5)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "FROM scratch\nCOPY --chown=me source /",
            "The user “me” is unknown: the image so far has no /etc/passwd. Files of “me” are 0:0.",
        ),
        (
            "FROM scratch\nUSER 7:us\nWORKDIR /w",
            "The group “us” is unknown: the image so far has no /etc/group. Files of “7:us” are 7:7.",
        ),
        (
            "FROM scratch\nWORKDIR /w\nCOPY source static x",
            "Only the last of 2 sources is at x, which is no directory. Write x/ to have them all.",
        ),
        ("FROM scratch\nWORKDIR /w\nCOPY --chown=7 source static ../w", ""),
    ],
)
def test_what_is_seldom_meant_is_a_warning(lab: Lab, tmp_path: Path, text: str, warning: str) -> None:
    lab.build(text, directory(tmp_path / "c", {"source": "s", "static": "t"}))
    notices = [event for event in lab.events if isinstance(event, Notice)]
    assert [(event.text, event.severity) for event in notices] == ([(warning, "warning")] if warning else [])


def test_an_error_in_a_trigger_shows_the_from(lab: Lab, tmp_path: Path) -> None:
    context = directory(tmp_path / "c", FILES)
    text = "FROM scratch AS one\nONBUILD COPY missing /\nFROM one\nLABEL a=b"
    with pytest.raises(ContextError, match="missing") as caught:
        lab.build(text, context)
    assert "3 | >>> FROM one" in caught.value.details


@pytest.mark.parametrize("is_fixed", [True, False])
def test_scratch_is_for_the_platform_of_the_build(lab: Lab, is_fixed: bool) -> None:
    wanted = Platform("linux", "s390x")
    built = lab.build("FROM scratch", Tree(), platform=wanted, is_platform_fixed=is_fixed)
    assert lab.image(built).config.platform == wanted


def test_another_engine_s_level_is_refused(lab: Lab) -> None:
    from dockerception.engines.base import Built
    from dockerception.oci.config import ImageConfig

    foreign = Built(level=0, key="k", config=ImageConfig(architecture="amd64", os="linux"), is_cached=False)
    with pytest.raises(TypeError):
        lab.engine.publish(foreign, {})


def test_named_contexts(lab: Lab, tmp_path: Path) -> None:
    directory(tmp_path / "named", {"x": "named", "log": "", ".dockerignore": "log"})
    text = "FROM scratch\nCOPY --from=other . /"
    built = lab.build(text, Tree(), build_contexts={"other": os.fspath(tmp_path / "named")})
    assert set(shown(lab.files(lab.image(built)))) == {"x", ".dockerignore"}
    assert [(material.kind, material.name) for material in built.materials] == [("context", "other")]
    directory(tmp_path / "named", {"log": "changed"})
    assert lab.build(text, Tree(), build_contexts={"other": os.fspath(tmp_path / "named")}).is_cached
    with pytest.raises(ContextError, match="is not a directory"):
        lab.build(text, Tree(), build_contexts={"other": os.fspath(tmp_path / "absent")})


def test_a_named_context_in_the_place_of_a_stage(lab: Lab, tmp_path: Path) -> None:
    directory(tmp_path / "named", {"x": "named"})
    given = {"base": os.fspath(tmp_path / "named")}
    text = "FROM scratch AS Base\nCOPY <<x y\nx\nFROM scratch\nCOPY --from=BASE . /"
    assert shown(lab.files(lab.image(lab.build(text, Tree(), build_contexts=given)))) == {"x": "named"}


def test_a_directory_as_base_has_the_config_of_scratch(lab: Lab, tmp_path: Path) -> None:
    directory(tmp_path / "named", {"x": "named"})
    text = "FROM base\nWORKDIR here"
    image = lab.image(lab.build(text, Tree(), build_contexts={"base": os.fspath(tmp_path / "named")}))
    scratch = lab.image(lab.build(text.replace("base", "scratch"), Tree()))
    assert image.config.config == scratch.config.config


def test_scratch_under_another_name(lab: Lab) -> None:
    given = {"nothing": "docker-image://scratch"}
    image = lab.image(lab.build("FROM nothing\nCOPY --from=nothing / /d/", Tree(), build_contexts=given))
    assert image.config == lab.image(lab.build("FROM scratch\nCOPY --from=scratch / /d/", Tree())).config


def test_an_image_of_the_store_as_base_and_source(lab: Lab, tmp_path: Path) -> None:
    from dockerception.reference import Reference

    context = directory(tmp_path / "c", FILES)
    base = lab.build("FROM scratch\nCOPY --chown=7 source /s\nENV A=1\nONBUILD COPY static /t", context)
    lab.engine.name([lab.engine.publish(base, {"l": "1"})], [Reference.parse("mine")])
    child = lab.build("FROM mine\nCOPY --from=mine /s /copied", context)
    image = lab.image(child)
    assert shown(lab.files(image)) == {"s": "s1", "t": "t1", "copied": "s1"}
    assert image.config.config.labels == {"l": "1"}
    assert image.config.config.on_build is None
    copied = lab.files(image).find("copied")
    assert copied is not None
    assert copied.uid == 7
    assert {material.name for material in child.materials} == {"mine"}
    assert lab.build("FROM docker.io/library/mine:latest\nCOPY --from=mine /s /copied", context).is_cached


def test_unused_build_arguments(lab: Lab) -> None:
    args = {"A": "1", "B": "2", "HTTP_PROXY": "http://p", "no_proxy": "x"}
    built = lab.build("FROM scratch\nARG A", Tree(), build_args=args)
    assert built.unused_build_args == {"B"}


def test_labels_of_the_command_line(lab: Lab) -> None:
    built = lab.build("FROM scratch\nLABEL a=1 b=1", Tree())
    image = lab.store.images.get(lab.engine.publish(built, {"b": "2"}).image)
    assert image.config.config.labels == {"a": "1", "b": "2"}


def test_two_stores_give_the_same_image(tmp_path: Path) -> None:
    found = []
    context = directory(tmp_path / "c", FILES)
    for name in ("one", "two"):
        with new_lab(tmp_path / name) as lab:
            image = lab.image(lab.build(CHAIN, context))
            found.append((image.image, image.config.rootfs.diff_ids))
    assert found[0] == found[1]


def test_without_a_fixed_time_the_layers_are_the_same_and_the_image_is_not(tmp_path: Path) -> None:
    found = []
    text = "FROM scratch\nCOPY source /new/dir/\nWORKDIR /new/w"
    context = directory(tmp_path / "c", FILES)
    for epoch in (5, 6):
        with new_lab(tmp_path / str(epoch)) as lab:
            found.append(lab.image(lab.build(text, context, epoch=epoch, is_epoch_fixed=False)))
    assert found[0].config.rootfs == found[1].config.rootfs
    assert found[0].image != found[1].image


def test_many_builds_in_one_store_at_once(tmp_path: Path) -> None:
    def build(number: int) -> str:
        with new_lab(tmp_path / "store") as lab:
            context: Context = Tree(folder("d"), file("d/common", "c"), file("own", str(number % 3)))
            return lab.image(lab.build("FROM scratch\nCOPY d /d\nCOPY own /", context)).image

    with ThreadPoolExecutor(9) as pool:
        images = list(pool.map(build, range(9)))
    assert len(set(images)) == 3


def test_a_bad_name_of_an_option_is_a_usage_error(lab: Lab) -> None:
    with pytest.raises(UsageError):
        lab.build("FROM x", Tree(), build_contexts={"x": "docker-image://UPPER"})
