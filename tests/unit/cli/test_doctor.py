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
    monkeypatch: pytest.MonkeyPatch, *, namespaces: str = "", overlay: str = "", runtimes: tuple[str, ...] = ("", "x")
) -> None:
    """Make a machine where these reasons speak against an ability; an empty reason is none."""
    FakeSandbox.abilities = Abilities(
        key="",
        helper=Ability(works=not namespaces, reason=namespaces),
        overlay=Ability(works=not overlay, reason=overlay),
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
    assert "ok       runtime: crun is used\n" in ran.out
    assert "missing  runc: x\n" in ran.out
    assert ran.out.endswith("\nRUN and builders work here.\n")


@pytest.mark.parametrize(
    ("missing", "lines"),
    [
        (
            {"runtimes": ("not installed", "broken")},
            ["missing  runtime: no OCI runtime works here", "hint: install one, e.g. apt-get install crun"],
        ),
        ({"overlay": "the kernel is old"}, ["missing  overlay: the kernel is old", "needed for RUN"]),
        ({"namespaces": "forbidden\nhint: run as root"}, ["missing  namespaces: forbidden", "hint: run as root"]),
    ],
)
def test_what_run_needs_decides_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: dict[str, str], lines: list[str]
) -> None:
    machine(monkeypatch, **missing)  # type: ignore[arg-type]
    ran = run("doctor")
    assert ran.code == 7
    assert ran.out.endswith("\nRUN and builders can't work here.\n")
    for line in lines:
        assert line in ran.out


def test_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, overlay="no")
    ran = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)}
    assert ran.code == 7
    assert checks["overlay"] == {
        "name": "overlay", "works": False, "needed_for": "RUN", "detail": "no", "hint": "", "is_required": True,
    }  # fmt: skip


def test_daemons_are_found_by_their_variables(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert "ok       docker daemon: tcp://10.0.0.1:2375\n" in run("doctor").out
