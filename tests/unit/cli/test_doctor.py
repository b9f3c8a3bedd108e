"""``doctor`` on machines that lack things: what it says, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockerception.library import doctor
from dockerception.sandbox.messages import Abilities, Ability, RuntimeAbility
from unit.cli.conftest import Run


class FakeSandbox:
    """A sandbox that only knows what it can do."""

    abilities: Abilities

    def __init__(self, root: str) -> None:
        self.root = root

    def probe(self) -> Abilities:
        assert not Path(self.root, "machine.json").exists(), "an old answer would be given again"
        return self.abilities

    def __enter__(self) -> FakeSandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        return


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    namespaces: str = "",
    overlay: str = "",
    chroot: str = "",
    runtimes: tuple[str, ...] = ("", "x"),
) -> None:
    """Make a machine where these reasons speak against an ability; an empty reason is none."""
    FakeSandbox.abilities = Abilities(
        key="",
        helper=Ability(works=not namespaces, reason=namespaces, remedy="mend it" if namespaces else ""),
        overlay=Ability(works=not overlay, reason=overlay),
        chroot=Ability(works=not chroot, reason=chroot),
        subordinate_ids=Ability(works=True),
        runtimes=tuple(
            RuntimeAbility(name=name, path=f"/usr/bin/{name}", works=not reason, reason=reason)
            for name, reason in zip(("crun", "runc"), runtimes, strict=True)
        ),
        cgroups="v2",
    )
    monkeypatch.setattr(doctor, "Sandbox", FakeSandbox)


def test_all_is_well_with_one_runtime(run: Run, monkeypatch: pytest.MonkeyPatch, store_root: Path) -> None:
    machine(monkeypatch)
    store_root.mkdir()
    (store_root / "machine.json").touch()
    ran = run("doctor")
    assert ran.code == 0
    assert "ok       isolation: steps run in containers of crun over an overlay\n" in ran.out
    assert "missing  runc: x\n" in ran.out
    assert ran.out.endswith("\nRUN and builders work here.\n")


@pytest.mark.parametrize(
    ("missing", "lines"),
    [
        (
            {"runtimes": ("not installed", "broken"), "chroot": "not root"},
            [
                "missing  isolation: Neither an OCI runtime nor a chroot works on this machine",
                "hint: install a runtime, e.g. apt-get install crun",
                "missing  chroot: not root",
            ],
        ),
        (
            {"namespaces": "forbidden", "runtimes": ("x", "x"), "chroot": "not root"},
            ["missing  namespaces: forbidden", "hint: mend it", "missing  isolation"],
        ),
    ],
)
def test_without_any_rung_the_exit_code_is_7(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: dict[str, str], lines: list[str]
) -> None:
    machine(monkeypatch, **missing)  # type: ignore[arg-type]
    ran = run("doctor")
    assert ran.code == 7
    assert ran.out.endswith("\nRUN and builders can't work here.\n")
    for line in lines:
        assert line in ran.out


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        ({"overlay": "the kernel is old"}, "steps run in containers of crun over copied files\n"),
        ({"runtimes": ("x", "x")}, "steps run in a chroot, which is no security boundary, over an overlay\n"),
        (
            {"namespaces": "forbidden", "overlay": "none", "runtimes": ("x", "x")},
            "steps run in a chroot, which is no security boundary, over copied files\n",
        ),
    ],
)
def test_lower_rungs(run: Run, monkeypatch: pytest.MonkeyPatch, missing: dict[str, str], line: str) -> None:
    machine(monkeypatch, **missing)  # type: ignore[arg-type]
    ran = run("doctor")
    assert ran.code == 0
    assert f"ok       isolation: {line}" in ran.out


def test_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, chroot="no")
    ran = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)}
    assert ran.code == 0
    assert checks["chroot"] == {
        "name": "chroot", "works": False, "needed_for": "steps where no container can be started", "detail": "no",
        "hint": "", "is_required": False,
    }  # fmt: skip


def test_daemons_are_found_by_their_variables(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert "ok       docker daemon: tcp://10.0.0.1:2375\n" in run("doctor").out


def test_a_damaged_store_is_told_and_mended(run: Run, store_root: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    (project / "file").write_bytes(b"contents" * 1000)
    build = ("assemble", "-q", "-t", "app", str(project))
    first = run(*build)
    assert run("doctor", "--store").out.startswith(f"The store {store_root} is whole: ")
    blob = max((store_root / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    with blob.open("r+b") as file:
        file.seek(1000)
        file.write(b"!")
    (store_root / "trees" / "stray").mkdir()
    ran = run("doctor", "--store")
    assert ran.code == 6
    assert f"damage   blob:sha256:{blob.name}: its bytes have the digest sha256:" in ran.out
    assert f"rubbish  {store_root / 'trees' / 'stray'}: nothing knows of it\n" in ran.out
    assert "hint: “dockerception doctor --store --repair”" in ran.out
    ran = run("doctor", "--store", str(store_root), "--json")
    assert (ran.code, json.loads(ran.out)["whole"], len(json.loads(ran.out)["flaws"])) == (6, False, 2)
    ran = run("doctor", "--store", "--repair")
    assert ran.code == 0
    assert "\nImages that are lost: docker.io/library/app:latest.\n" in ran.out
    again = run(*build)
    assert (again.code, again.out) == (0, first.out)
    assert run("prune", "--force").code == run("doctor", "--store").code == 0
    assert run("doctor", "--repair").code == 2
