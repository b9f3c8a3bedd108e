"""One selection of what the program promises, in every place that it has to work in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from msgspec import structs

from peers.compare import compare
from places.places import Place, PlainContainer, Result, Root, User
from support.users import new_user

BUSYBOX = "--build-context=busybox=docker-archive:{kit}/bases/busybox.tar"
MACHINE = "--build-context=machine=docker-archive:{kit}/bases/machine.tar"
IMAGE = "--output=type=docker,dest={out}/images/"
STEPPED_DOWN = "warning: Steps run in a chroot, which is no security boundary"


def build(verb: str, case: str, *options: str) -> list[str]:
    return [verb, "--progress=plain", BUSYBOX, MACHINE, f"--tag={case}", *options, f"{{kit}}/cases/{case}"]


PIPE = {
    "build": build("build", "builder", f"{IMAGE}builder.tar"),
    "again": build("build", "builder"),
    "run": ["run", "builder"],
    "other": build("assemble", "copies", f"{IMAGE}copies.tar"),
    "exits": build("build", "exits"),
    "logs": build("build", "logs"),
    "fails": build("build", "fails"),
    "owners": build("assemble", "owners"),
    "images": ["images", "--format=json"],
    "doctor": ["doctor"],
}
GUIDE = Path(__file__).parents[2] / "docs/ci.md"
SYSTEM = {
    "onbuild": build("assemble", "onbuild"),
    "system": build("assemble", "system", f"{IMAGE}system.tar"),
    "rm system": ["rm", "system"],
}
PRUNE = {
    "rm": ["rm", "builder", "copies", "onbuild"],
    "rm owners": ["rm", "owners"],
    "prune": ["prune", "--all", "--force"],
    "left": ["df"],
}


@pytest.fixture(scope="module")
def expected(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Result], Path]:
    """What root gets on this machine, by which the other places are judged."""
    return perform(Root(), kit, {**PIPE, **SYSTEM, **PRUNE}, tmp_path_factory.mktemp("root") / "out")


def perform(place: Place, kit: Path, commands: dict[str, list[str]], out: Path) -> tuple[dict[str, Result], Path]:
    """Run the commands; returns their results by name, and where the images are."""
    results = place.run(kit, list(commands.values()), out)
    return dict(zip(commands, results, strict=True)), out


def judge_pipe(results: dict[str, Result]) -> None:
    """The pipe, its faults, the cache and the exit codes: the same everywhere."""
    assert "Everything was cached" in results["again"].succeeded().stderr
    assert results["build"].succeeded().stderr.count(STEPPED_DOWN) <= 1
    assert results["run"].succeeded().stdout == "hello from the runtime image\n"
    assert (results["exits"].code, results["logs"].code, results["fails"].code) == (1, 4, 1)
    assert "exited with code 3" in results["exits"].stderr
    assert "compiling" in results["logs"].stderr
    assert "no such luck" in results["fails"].stderr
    images = [json.loads(line) for line in results["images"].succeeded().stdout.splitlines()]
    assert {"builder", "copies"} <= {image["Repository"] for image in images}
    assert results["other"].succeeded().code == results["doctor"].succeeded().code == 0


def judge_end(results: dict[str, Result]) -> None:
    """Everything can be pruned, whoever owns it."""
    assert "Total reclaimed space" in results["prune"].succeeded().stdout
    assert re.search(r"layer trees +0 .*blobs +0 ", results["left"].succeeded().stdout, re.S)


def judge_images(expected: Path, got: Path, *names: str) -> None:
    for name in names:
        assert [str(each) for each in compare(expected / name, got / name)] == []


def test_root(expected: tuple[dict[str, Result], Path]) -> None:
    results, _ = expected
    judge_pipe(results)
    for name in SYSTEM:
        results[name].succeeded()
    assert STEPPED_DOWN not in results["build"].stderr
    judge_end(results)


def test_a_user(kit: Path, expected: tuple[dict[str, Result], Path], tmp_path: Path) -> None:
    with new_user(f"dockerception-place-{os.getpid()}") as name:
        results, images = perform(User(name), kit, {**PIPE, **SYSTEM, **PRUNE}, tmp_path / "out")
        judge_pipe(results)
        for step in SYSTEM:
            results[step].succeeded()
        assert STEPPED_DOWN not in results["build"].stderr
        judge_images(expected[1], images, "builder.tar", "copies.tar", "system.tar")
        judge_end(results)


def test_a_user_with_a_single_id(kit: Path, expected: tuple[dict[str, Result], Path], tmp_path: Path) -> None:
    with new_user(f"dockerception-single-{os.getpid()}", has_subordinate_ids=False) as name:
        results, images = perform(User(name), kit, {**PIPE, **SYSTEM, **PRUNE}, tmp_path / "out")
        judge_pipe(results)
        judge_images(expected[1], images, "builder.tar", "copies.tar")
        assert results["system"].code == 7
        assert "an owner that this user can't give" in results["system"].stderr
        assert "--add-subuids" in results["system"].stderr
        assert results["owners"].code == 1
        assert "chown: /mine: Invalid argument" in results["owners"].stderr
        assert "hint: this user has no ranges in /etc/subuid" in results["owners"].stderr
        judge_end(results)


def test_a_plain_container(
    kit: Path, expected: tuple[dict[str, Result], Path], container: PlainContainer, tmp_path: Path
) -> None:
    results, images = perform(container, kit, {**PIPE, **SYSTEM, **PRUNE}, tmp_path / "out")
    judge_pipe(results)
    for step in SYSTEM:
        results[step].succeeded()
    assert results["build"].stderr.count(STEPPED_DOWN) == 1
    assert "CAP_SYS_ADMIN" in results["doctor"].stdout
    judge_images(expected[1], images, "builder.tar", "copies.tar", "system.tar")
    judge_end(results)


def test_the_guide_in_a_plain_container(kit: Path, container: PlainContainer, tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S)
    first = build("assemble", "copies", "--store=/var/tmp/dockerception", "--tag=busybox")
    prepare = f"set -e; cp -r /kit/cases/builder/. .; dockerception {' '.join(first)}; "
    steps = prepare + script + "ls app.tar .cache/index.json"
    (result,) = container.run(kit, [["sh", "-c", steps]], tmp_path / "out")
    assert "steps run in a chroot" in result.succeeded().stdout
    assert "warning" not in result.stderr
    assert result.stdout.endswith("hello from the runtime image\n.cache/index.json\napp.tar\n")


def test_a_user_of_a_plain_container(
    kit: Path, expected: tuple[dict[str, Result], Path], container: PlainContainer, tmp_path: Path
) -> None:
    user = structs.replace(container, user="1234")
    commands = {name: PIPE[name] for name in ("other", "fails", "doctor")}
    results, images = perform(user, kit, commands, tmp_path / "out")
    results["other"].succeeded()
    assert (results["fails"].code, results["doctor"].code) == (7, 7)
    assert "seccomp" in results["fails"].stderr
    judge_images(expected[1], images, "copies.tar")
