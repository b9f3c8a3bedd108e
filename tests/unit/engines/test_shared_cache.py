"""Two stores and a cache in a directory between them, without a sandbox: what hits, what travels, what is believed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dockerception.context.directory import DirectoryContext
from dockerception.engines.base import Built, Output, Result
from dockerception.errors import ImageError, TransportError
from dockerception.http import Policy
from dockerception.progress import Notice
from unit.engines.lab import Lab, folder, new_lab

CHAIN = """\
FROM scratch AS base
COPY tools /tools
FROM base AS builder
COPY source /work/
FROM scratch
COPY --from=builder /work/source /app
COPY static /static
"""
FILES = {"tools": "t" * 5000, "source": "s1", "static": "fixed"}
TOOLS, SOURCE = "[base 2/2] COPY tools /tools", "[builder 2/2] COPY source /work/"
APP, STATIC = "[stage-2 2/3] COPY --from=builder /work/source /app", "[stage-2 3/3] COPY static /static"
NewLab = Callable[[str], Lab]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[NewLab]:
    """A function that gives labs by name, each with a store of its own."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(new_lab(tmp_path / name))


def sources(path: Path, files: Mapping[str, str]) -> DirectoryContext:
    """A context with these files, all of one time, so that equal files give equal layers."""
    context = folder(path, files)
    for name in files:
        os.utime(path / name, (1_000_000_000, 1_000_000_000))
    return context


class Shared:
    """A cache in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, lab: Lab, built: Built, *, contexts: tuple[str, ...] = ()) -> None:
        """Export what a lab has built, to where the build's settings say."""
        lab.engine.export_cache([built], contexts)

    @property
    def source(self) -> str:
        return f"type=local,src={self.folder}"

    def target(self, more: str = "") -> str:
        return f"type=local,dest={self.folder}{more}"

    def blob(self, digest: str) -> Path:
        return self.folder / "blobs/sha256" / digest.removeprefix("sha256:")

    def manifest(self) -> dict[str, Any]:
        entries = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        found: dict[str, Any] = json.loads(self.blob(entries[0]["digest"]).read_bytes())
        return found

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.blob(self.manifest()["config"]["digest"]).read_bytes())
        return found

    def rewrite(self, change: Callable[[dict[str, Any]], object], *, manifest: bool = False) -> None:
        """Change the records (or the manifest), as whoever may write here could: digests and sizes fit again."""
        document = self.manifest()
        if not manifest:
            records = self.document()
            change(records)
            document["config"] |= self._put(json.dumps(records).encode())
        else:
            change(document)
        entry = {"mediaType": document["mediaType"], **self._put(json.dumps(document).encode())}
        entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))

    def _put(self, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blob(digest).write_bytes(data)
        return {"digest": digest, "size": len(data)}


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path / "shared")


@pytest.fixture
def first(machine: NewLab, shared: Shared, tmp_path: Path) -> str:
    """The image that machine A has built and whose cache it has exported."""
    lab = machine("a")
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_to=(shared.target(),))
    image = lab.image(built).image
    shared.write(lab, built)
    return image


def fetched(lab: Lab) -> list[str]:
    """What the last build has fetched from a cache."""
    return [name for name in lab.steps() if name.startswith("fetch ")]


def done(lab: Lab) -> dict[str, bool]:
    """The steps of the Dockerfile, and whether each was cached."""
    return {name: cached for name, cached in lab.steps().items() if name.startswith("[")}


def warnings(lab: Lab) -> list[str]:
    return [event.text for event in lab.events if isinstance(event, Notice) and event.severity == "warning"]


def test_another_machine_does_nothing_and_fetches_only_the_image(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path
) -> None:
    lab = machine("b")
    files = sources(tmp_path / "elsewhere/b-files", FILES)
    for name in FILES:
        os.utime(tmp_path / "elsewhere/b-files" / name, (1, 1))
    built = lab.build(CHAIN, files, cache_from=(shared.source,))
    assert built.is_cached
    assert done(lab) == {APP: True, STATIC: True}
    assert len(fetched(lab)) == 2
    assert lab.image(built).image == first
    again = lab.build(CHAIN, files, cache_from=(shared.source,))
    assert again.is_cached
    assert list(lab.steps()) == [APP, STATIC], "what is here already is asked for nowhere"
    assert warnings(lab) == []


def test_only_what_changed_is_done_and_only_what_that_needs_is_fetched(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path
) -> None:
    lab = machine("b")
    built = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "static": "new"}), cache_from=(shared.source,))
    assert done(lab) == {SOURCE: True, APP: True, STATIC: False}
    assert len(fetched(lab)) == 2, "the builder's program is looked at, and what lies below the new step"
    lab.image(built)
    built = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "source": "s2"}), cache_from=(shared.source,))
    assert done(lab) == {TOOLS: True, SOURCE: False, APP: False, STATIC: False}
    assert lab.image(built).image != first


def test_what_max_and_min_hold(machine: NewLab, shared: Shared, tmp_path: Path) -> None:
    lab = machine("a")
    files = sources(tmp_path / "files", FILES)
    shared.write(lab, lab.build(CHAIN, files, cache_to=(shared.target(),)))
    everything = shared.document()
    assert (len(everything["stages"]), len(everything["steps"]), len(everything["layers"])) == (3, 4, 4)
    shared.write(lab, lab.build(CHAIN, files, cache_to=(shared.target(",mode=min"),)))
    least = shared.document()
    assert (len(least["stages"]), len(least["steps"]), len(least["layers"])) == (1, 2, 2)
    assert {layer["blob"] for layer in least["layers"]} == {layer["digest"] for layer in shared.manifest()["layers"]}
    text = json.dumps([everything, shared.manifest()])
    assert str(tmp_path) not in text
    assert "/work" not in text


def test_a_second_export_writes_only_what_is_new(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (shared.folder / "blobs/sha256").iterdir()}
    lab = machine("b")
    options: dict[str, Any] = {"cache_from": (shared.source,), "cache_to": (shared.target(),)}
    built = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "static": "new"}), **options)
    shared.write(lab, built)
    after = {path: path.stat().st_mtime_ns for path in (shared.folder / "blobs/sha256").iterdir()}
    assert {path: after[path] for path in before} == before
    assert len(after) - len(before) == 3, "a layer, the records, the manifest"
    assert len(shared.document()["steps"]) == 4, "steps that only the cache knew are kept"
    assert len(fetched(lab)) == 2, "layers that are there already are not fetched to be exported"


def test_what_only_another_cache_has_is_passed_on(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    lab, copy = machine("b"), Shared(tmp_path / "copy")
    options: dict[str, Any] = {"cache_from": (shared.source,), "cache_to": (copy.target(),)}
    copy.write(lab, lab.build(CHAIN, sources(tmp_path / "b", FILES), **options))
    assert copy.document() == shared.document()
    for layer in copy.manifest()["layers"]:
        assert copy.blob(layer["digest"]).read_bytes() == shared.blob(layer["digest"]).read_bytes()


def _layer_of(shared: Shared, step: int) -> Path:
    document = shared.document()
    diff_id = document["steps"][step]["layer"]
    return shared.blob(next(layer["blob"] for layer in document["layers"] if layer["diff_id"] == diff_id))


@pytest.mark.parametrize("damage", ["missing", "truncated", "other bytes", "another tar"])
def test_a_layer_that_is_not_what_was_promised_is_made_here(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path, damage: str
) -> None:
    path = _layer_of(shared, -1)
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[:-5])
    elif damage == "other bytes":
        path.write_bytes(bytes(len(data)))
    else:  # the records lie: a sound layer, but another one than the diff_id says
        other = _layer_of(shared, 0)
        size = other.stat().st_size
        name = f"sha256:{path.name}"

        def swap(records: dict[str, Any]) -> None:
            for layer in records["layers"]:
                layer["blob"] = f"sha256:{other.name}" if layer["blob"] == name else layer["blob"]

        shared.rewrite(swap)
        assert size
    lab = machine("b")
    built = lab.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,))
    assert done(lab)[STATIC] is False
    assert done(lab)[APP] is True
    assert lab.image(built).image == first
    assert "lacks the layer" in warnings(lab)[0]


@pytest.mark.parametrize("what", ["a stage", "a middle one"])
def test_a_lost_layer_of_a_stage_that_is_read(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path, what: str
) -> None:
    _layer_of(shared, 1 if what == "a stage" else 0).unlink()
    lab = machine("b")
    built = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "static": "new"}), cache_from=(shared.source,))
    assert done(lab)[APP] is True
    assert lab.store.layers.find_all(lab.image(built).layers)


def _is_missed(lab: Lab, tmp_path: Path, shared: Shared, image: str, message: str) -> None:
    built = lab.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,))
    assert not built.is_cached
    assert lab.image(built).image == image
    if message:
        assert [message in text for text in warnings(lab)] == [True]
    else:
        assert warnings(lab) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest["config"].update(mediaType="application/vnd.example+json"), "neither a cache"),
        (lambda manifest: manifest["config"].update(size=manifest["config"]["size"] + 1), "is damaged"),
        (lambda manifest: manifest["config"].update(size=1 << 40), "bytes of records"),
        (lambda manifest: manifest["config"].update(digest="sha256:" + "0" * 64), "is missing"),
        (lambda manifest: manifest.update(layers=5), "not a valid document"),
        (lambda manifest: manifest.update(layers=[]), ""),
        (lambda manifest: [layer.update(mediaType="text/plain") for layer in manifest["layers"]], ""),
    ],
)
def test_manifests_that_are_none_of_a_cache(
    machine: NewLab,
    shared: Shared,
    first: str,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    message: str,
) -> None:
    shared.rewrite(change, manifest=True)
    _is_missed(machine("b"), tmp_path, shared, first, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda records: records["steps"][0].update(created=-1), "can't be read"),
        (lambda records: records["steps"][0].update(created=1 << 70), "can't be read"),
        (lambda records: records["steps"][0].update(key="../../etc"), "can't be read"),
        (lambda records: records["layers"][0].update(diff_id="sha256:1\n"), "can't be read"),
        (lambda records: records.update(stages={}), "can't be read"),
        (lambda records: [stage["steps"].append(stage["steps"][0]) for stage in records["stages"]], "-"),
        (lambda records: [stage["steps"].pop() for stage in records["stages"]], "-"),
        (lambda records: records.update(steps=[]), ""),
        (lambda records: records.update(layers=[]), ""),
    ],
)
def test_records_that_can_not_be(
    machine: NewLab,
    shared: Shared,
    first: str,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    message: str,
) -> None:
    shared.rewrite(change)
    if message == "-":  # stages of another shape than the Dockerfile's; their steps are as good as ever
        lab = machine("b")
        built = lab.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,))
        assert done(lab) == {TOOLS: True, SOURCE: True, APP: True, STATIC: True}
        assert lab.image(built).image == first
    else:
        _is_missed(machine("b"), tmp_path, shared, first, message)


def test_files_that_are_no_cache_at_all(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    (shared.folder / "index.json").write_text("{")
    _is_missed(machine("b"), tmp_path, shared, first, "not a valid document")


def test_no_cache_yet_is_no_warning(machine: NewLab, shared: Shared, tmp_path: Path) -> None:
    lab = machine("b")
    assert not lab.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,)).is_cached
    assert warnings(lab) == []
    assert f"There is no cache {shared.folder} yet." in [e.text for e in lab.events if isinstance(e, Notice)]


def test_what_a_cache_has_told_is_known_without_it(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    lab = machine("b")
    files = sources(tmp_path / "b", FILES)
    lab.build(CHAIN, files, target="builder", will_emit=True, cache_from=(shared.source,))
    lab.image(lab.build(CHAIN, files, cache_from=(shared.source,)))
    shutil.rmtree(shared.folder)
    assert lab.build(CHAIN, files, target="builder", will_emit=True).is_cached, "nobody needs the builder's layers yet"
    assert lab.build(CHAIN, files).is_cached
    changed = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "source": "s2"}))
    assert done(lab)[SOURCE] is False
    other = lab.build(CHAIN, sources(tmp_path / "b", {**FILES, "static": "new"}))
    assert lab.store.layers.find_all(lab.image(other).layers)
    assert lab.store.layers.find_all(lab.image(changed).layers)
    assert warnings(lab) == []


def test_a_builder_that_runs_is_made_where_no_cache_has_it(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path
) -> None:
    lab = machine("b")
    files = sources(tmp_path / "b", FILES)
    built = lab.build(CHAIN, files, target="builder", will_emit=True, cache_from=(shared.source,))
    assert built.is_cached
    assert lab.engine.size(built) == 5000 + 2, "sizes are known before the bytes"
    shutil.rmtree(shared.folder)
    image = lab.image(built)
    assert lab.store.layers.find_all(image.layers)
    assert ["lacks the layer" in text for text in warnings(lab)] == [True, True]


@pytest.mark.parametrize("compression", ["zstd", "uncompressed"])
def test_compressions(machine: NewLab, shared: Shared, tmp_path: Path, compression: str) -> None:
    lab = machine("a")
    target = shared.target(f",compression={compression}")
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_to=(target,))
    shared.write(lab, built)
    suffix = "+zstd" if compression == "zstd" else ""
    kinds = {layer["mediaType"] for layer in shared.manifest()["layers"]}
    assert kinds == {f"application/vnd.oci.image.layer.v1.tar{suffix}"}
    other = machine("b")
    again = other.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,))
    assert other.image(again).image == lab.image(built).image


def test_several_caches_and_tags(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    lab = machine("a2")
    files = sources(tmp_path / "other", {**FILES, "static": "other"})
    built = lab.build(CHAIN, files, cache_to=(shared.target(",tag=other"),))
    shared.write(lab, built)
    places = (f"type=local,src={tmp_path / 'none'}", shared.source, f"{shared.source},tag=other")
    for number, wanted in enumerate((FILES, {**FILES, "static": "other"})):
        lab = machine(f"b{number}")
        assert lab.build(CHAIN, sources(tmp_path / f"b{number}", wanted), cache_from=places).is_cached


def test_no_cache_asks_nobody(machine: NewLab, shared: Shared, first: str, tmp_path: Path) -> None:
    lab = machine("b")
    built = lab.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,), no_cache=True)
    assert not any(lab.steps().values())
    assert not built.is_cached


def test_inline(machine: NewLab, tmp_path: Path) -> None:
    lab, layout = machine("a"), tmp_path / "image"
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_to=("type=inline",))
    image = lab.image(built)
    assert image.config.cache
    output = Output(type="oci", destination=str(layout), attributes=(("tar", "false"),))
    lab.engine.export([Result(image=image.image, size=0)], output)
    index = json.loads((layout / "index.json").read_bytes())
    source = f"type=local,src={layout},digest={index['manifests'][0]['digest']}"
    other = machine("b")
    again = other.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(source,), cache_to=("type=inline",))
    assert again.is_cached
    assert other.image(again).image == image.image
    plain = other.build(CHAIN, sources(tmp_path / "b", FILES))
    assert other.image(plain).image != image.image, "the records are part of the config"
    without = other.build("FROM scratch\nCOPY static /\n", sources(tmp_path / "b", FILES), cache_from=(source,))
    assert not other.image(without).config.cache


def test_layers_of_a_cache_are_rewritten_as_those_that_are_made_here(
    machine: NewLab, shared: Shared, first: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"rewrites_times": True, "epoch": 999_999_999}
    own = machine("own")
    made = own.image(own.build(CHAIN, sources(tmp_path / "own-files", FILES), **given))
    assert made.image != first
    other = machine("b")
    built = other.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(shared.source,), **given)
    assert built.is_cached
    assert other.image(built).config.rootfs == made.config.rootfs
    assert {entry.mtime for entry in other.files(other.image(built)).walk("")} == {999_999_999}


def test_a_rewritten_image_can_be_a_cache(machine: NewLab, tmp_path: Path) -> None:
    given: dict[str, Any] = {"rewrites_times": True, "epoch": 999_999_999, "cache_to": ("type=inline",)}
    lab, layout = machine("a"), tmp_path / "image"
    image = lab.image(lab.build(CHAIN, sources(tmp_path / "a-files", FILES), **given))
    output = Output(type="oci", destination=str(layout), attributes=(("tar", "false"),))
    (exported,) = lab.engine.export([Result(image=image.image, size=0)], output)
    source = f"type=local,src={layout},digest={exported.digest}"
    other = machine("b")
    again = other.build(CHAIN, sources(tmp_path / "b", FILES), cache_from=(source,), **given)
    assert again.is_cached
    assert other.image(again).image == image.image


def test_an_image_without_a_cache(machine: NewLab, tmp_path: Path, shared: Shared, first: str) -> None:
    config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'

    def change(manifest: dict[str, Any]) -> None:
        manifest["layers"] = []
        manifest["config"] = {"mediaType": "application/vnd.oci.image.config.v1+json", **shared._put(config.encode())}

    shared.rewrite(change, manifest=True)
    _is_missed(machine("b"), tmp_path, shared, first, "has no cache in it")


def test_a_directory_of_something_else_is_not_written_to(machine: NewLab, tmp_path: Path) -> None:
    place = Shared(tmp_path / "mine")
    sources(place.folder, {"letter": "dear"})
    lab = machine("a")
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_to=(place.target(),))
    with pytest.raises(ImageError, match="neither empty nor an OCI layout") as caught:
        place.write(lab, built)
    assert caught.value.exit_code == 5
    assert os.listdir(place.folder) == ["letter"]
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_to=(place.target(",ignore-error=true"),))
    place.write(lab, built)
    assert "The cache was not exported" in warnings(lab)[0]


def test_a_registry_that_does_not_answer(machine: NewLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "delay", lambda self, tried, headers=None: None)
    name = "127.0.0.1:1/cache"
    lab = machine("a")
    built = lab.build(CHAIN, sources(tmp_path / "a-files", FILES), cache_from=(name,), cache_to=(name,))
    assert not built.is_cached
    assert "is not used" in warnings(lab)[0]
    with pytest.raises(TransportError):
        lab.engine.export_cache([built], [])
