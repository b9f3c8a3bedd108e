"""Chains of two machines that share a cache in a real registry: what hits, what is sent, what goes wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockerception import api
from dockerception.api import Outcome
from dockerception.engines.base import Output
from dockerception.engines.embedded.engine import EmbeddedEngine
from dockerception.errors import TransportError
from dockerception.http import Policy
from dockerception.progress import Event, Notice, StepFinished, StepProgress, StepStarted
from dockerception.reference import Reference
from dockerception.request import BuildRequest
from dockerception.store.store import Store
from registry.conftest import MakeProxy
from registry.lab import raw_manifest, skopeo
from support import bases
from support.faulty import Fault
from support.tools import need, need_root

DOCKERFILE = """\
FROM busybox AS tools
RUN head -c 300000 /dev/urandom > /tool
FROM busybox
WORKDIR /src
COPY lib ./
COPY --from=tools /tool /usr/bin/
COPY main ./
RUN --mount=type=cache,target=/mine echo used >> /mine/log && cp /mine/log uses && chown 7:8 main && \
    printf 'FROM scratch\\nCOPY main uses /\\nLABEL l=1\\n' > Dockerfile
CMD ["tar", "-c", "Dockerfile", "main", "uses"]
"""
PUSH = Output(type="registry")
FILES = {"Dockerfile": DOCKERFILE, "lib": "library\n", "main": "main 1\n"}


class Machine:
    """A machine: a store, a checkout, and what its last build has told."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.store = folder / "home/store"
        self.source = folder / "checkout"
        self.source.mkdir(parents=True)
        self.base = f"docker-archive:{base}"
        self.events: list[Event] = []

    def build(self, files: dict[str, str] = FILES, **options: Any) -> Outcome:
        """Build the chain; ``cache`` is where a cache comes from and goes to."""
        self.events.clear()
        cache = options.pop("cache", "")
        if cache:
            options |= {"cache_from": (cache,), "cache_to": (cache,)}
        for name, text in files.items():
            (self.source / name).write_text(text)
        request = BuildRequest(
            source=os.fspath(self.source), build_contexts={"busybox": self.base}, store=os.fspath(self.store), **options
        )
        return api.build(request, self.events.append)

    def steps(self) -> dict[str, bool]:
        """The steps of the last build, and whether each was cached."""
        names = {event.step: event.name for event in self.events if isinstance(event, StepStarted)}
        return {names[event.step]: event.cached for event in self.events if isinstance(event, StepFinished)}

    def done(self) -> list[str]:
        """The instructions that were executed, and the builder's run."""
        return [
            name.partition("] ")[2].split(" ")[0]
            for name, cached in self.steps().items()
            if name[0] == "[" and not cached
        ]

    def fetched(self) -> list[str]:
        """What came from a cache: layers, contexts, cache mounts."""
        return [" ".join(name.split(" ")[1:3]) for name in self.steps() if name.startswith("fetch ")]

    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice) and event.severity == "warning"]

    def text(self, outcome: Outcome, name: str) -> str:
        """A file of the image."""
        with Store(os.fspath(self.store)) as store:
            engine = EmbeddedEngine(store)
            try:
                files = engine.faces.view(store.images.get(outcome.image.image).layers, "the image")
                entry = files.find(name)
                assert entry is not None
                return b"".join(files.read(entry)).decode()
            finally:
                engine.close()


NewMachine = Callable[[str], Machine]


@pytest.fixture
def machine(tmp_path: Path, base: Callable[[str], bases.Base]) -> NewMachine:
    """A function that makes machines by name."""
    need_root()
    need("crun")
    return lambda name: Machine(tmp_path / name, base("busybox").archive)


def test_two_machines(
    machine: NewMachine,
    make_proxy: MakeProxy,
    registry: str,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    proxy = make_proxy()
    source = f"{proxy.address}/{repository}/cache"
    target = f"type=registry,ref={source},mounts=true"
    one, two, three = machine("one"), machine("deeper/two"), machine("three")
    first = one.build(cache_to=(target,))
    assert sorted(one.done()) == ["COPY", "COPY", "COPY", "COPY", "RUN", "RUN", "WORKDIR", "run"]

    proxy.seen.clear()
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    monkeypatch.chdir(tmp_path)
    again = two.build(cache_from=(source,), cache_to=(target,))
    assert two.done() == []
    assert again.is_cached
    assert two.fetched() == ["the context", "the layer"], "of the builder nothing is fetched"
    assert again.image.image == first.image.image
    assert [builder.key for builder in again.builders] == [builder.key for builder in first.builders]
    assert proxy.count("GET", "/blobs/") == 3, "the records, the context, a layer"
    assert proxy.count("POST", "/blobs/uploads/") == 0, "nothing is sent that is there"
    manifest = raw_manifest(f"{registry}/{repository}/cache")
    proxy.seen.clear()
    two.build(cache_from=(source,))
    assert proxy.seen == [], "what is known here is asked for nowhere"

    two.build(cache_from=(source,), tags=(Reference.parse(f"{proxy.address}/{repository}"),), outputs=(PUSH,))
    assert proxy.count("POST", "mount=") == 1, "what came from the registry is not sent to it"
    assert proxy.count("PUT", "/blobs/uploads/") == 1, "the config"

    changed = three.build({**FILES, "main": "main 2\n"}, cache_from=(source,), cache_to=(target,))
    assert three.done() == ["COPY", "RUN", "run", "COPY"]
    assert three.text(changed, "uses") == "used\nused\n", "the cache mount came along"
    assert three.text(changed, "main") == "main 2\n"
    assert raw_manifest(f"{registry}/{repository}/cache") != manifest

    after = one.build({**FILES, "main": "main 2\n"}, cache_from=(source,))
    assert one.done() == []
    assert after.image.image == changed.image.image


def test_an_image_with_its_cache_in_it(machine: NewMachine, registry: str, repository: str) -> None:
    name = f"{registry}/{repository}"
    one, two = machine("one"), machine("two")
    first = one.build(tags=(Reference.parse(name),), outputs=(PUSH,), cache_to=("type=inline",), target="")
    again = two.build(cache_from=(name,), cache_to=("type=inline",))
    assert "run" in two.done(), "the builder is not in the image"
    assert two.text(again, "main") == "main 1\n"
    assert json.loads(skopeo("inspect", "--config", "--raw", "--tls-verify=false", f"docker://{name}"))[
        "dockerception.cache.v0"
    ]
    assert first.image.image != one.build().image.image, "the records are part of the image's config"


def test_exports_to_one_name_at_a_time(machine: NewMachine, registry: str, repository: str) -> None:
    name = f"{registry}/{repository}"
    machines = [machine(str(number)) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        texts = [{**FILES, "main": f"{number}\n"} for number in range(3)]
        list(pool.map(lambda pair: pair[0].build(pair[1], cache_to=(name,)), zip(machines, texts, strict=True)))
    last = machine("last")
    assert sum(not _missed(last, text, name) for text in texts) == 1, "one of them has the name, and is whole"


def _missed(machine: Machine, files: dict[str, str], name: str) -> list[str]:
    with_new_store = Machine(machine.source.parent / files["main"].strip(), Path(machine.base.partition(":")[2]))
    with_new_store.build(files, cache_from=(name,))
    return with_new_store.done()


def test_blobs_that_the_registry_has_lost(
    machine: NewMachine, make_proxy: MakeProxy, registry: str, repository: str
) -> None:
    one, two = machine("one"), machine("two")
    first = one.build(cache_to=(f"{registry}/{repository}",))
    layers = json.loads(raw_manifest(f"{registry}/{repository}"))["layers"]
    proxy = make_proxy()
    for layer in layers:
        proxy.inject(Fault(path=f"/blobs/{layer['digest']}", times=-1, status=404))
    again = two.build(cache_from=(f"{proxy.address}/{repository}",))
    assert "run" in two.done()
    assert two.text(again, "main") == "main 1\n"
    assert two.warnings()
    assert first.image.size == again.image.size


def test_a_registry_that_does_not_answer(machine: NewMachine, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "delay", lambda self, tried, headers=None: None)
    name = f"127.0.0.1:1/{repository}"
    one = machine("one")
    with pytest.raises(TransportError) as caught:
        one.build(cache=name, tags=(Reference.parse("app"),))
    assert caught.value.exit_code == 5
    with Store(os.fspath(one.store)) as store:
        assert store.images.find("app") is None
    assert "is not used" in one.warnings()[0]
    one.build(cache_to=(f"type=registry,ref={name},ignore-error=true",), tags=(Reference.parse("app"),))
    assert "was not exported" in one.warnings()[-1]
    with Store(os.fspath(one.store)) as store:
        assert store.images.find("app") is not None


def test_progress_of_transfers(machine: NewMachine, registry: str, repository: str) -> None:
    one = machine("one")
    one.build(cache_to=(f"{registry}/{repository}",))
    step = next(e.step for e in one.events if isinstance(e, StepStarted) and e.name.startswith("export the cache"))
    progress = [event for event in one.events if isinstance(event, StepProgress) and event.step == step]
    assert progress[-1].done_bytes == progress[-1].total_bytes > 300_000


def test_a_base_comes_when_it_is_needed(
    machine: NewMachine, make_proxy: MakeProxy, registry: str, repository: str
) -> None:
    proxy = make_proxy()
    base, cache = f"{proxy.address}/{repository}/busybox", f"{proxy.address}/{repository}/cache"
    one, two = machine("one"), machine("two")
    skopeo("copy", "--dest-tls-verify=false", one.base, f"docker://{registry}/{repository}/busybox")
    files = {**FILES, "Dockerfile": DOCKERFILE.replace("FROM busybox", f"FROM {base}")}
    first = one.build(files, cache_to=(cache,))
    layer = json.loads(raw_manifest(f"{registry}/{repository}/busybox"))["layers"][0]["digest"]

    proxy.seen.clear()
    assert two.build(files, cache_from=(cache,)).image.image == first.image.image
    assert proxy.count("GET", f"/blobs/{layer}") == 0
    proxy.seen.clear()
    changed = two.build({**files, "main": "main 2\n"}, cache_from=(cache,))
    assert two.done() == ["COPY", "RUN", "run", "COPY"]
    assert proxy.count("GET", f"/blobs/{layer}") == 1
    assert two.text(changed, "main") == "main 2\n"
    assert two.warnings() == []
    proxy.seen.clear()
    two.build({**files, "main": "main 3\n"})
    assert proxy.seen == [], "the base is here now, and so is all that was needed of the cache"


def test_an_image_without_steps(machine: NewMachine, registry: str, repository: str) -> None:
    one = machine("one")
    (one.source / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    request = BuildRequest(source=os.fspath(one.source), store=os.fspath(one.store))
    cache = f"{registry}/{repository}"
    for _ in range(2):
        api.assemble(msgspec.structs.replace(request, cache_from=(cache,), cache_to=(cache,)), one.events.append)
    assert one.warnings() == []
    assert json.loads(raw_manifest(cache))["layers"] == []
