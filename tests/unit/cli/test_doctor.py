"""``doctor`` on machines that lack things: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from dockerception.engines.embedded.cdi import registry
from dockerception.library import doctor, doctor_engines
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


def test_devices(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch)
    monkeypatch.setattr(registry, "DIRECTORIES", (str(tmp_path),))

    def found() -> dict[str, object]:
        (check,) = [each for each in json.loads(run("doctor", "--json").out) if each["name"] == "devices"]
        return {key: check[key] for key in ("works", "detail", "hint")}

    assert found() == {"works": True, "detail": f"none are described in {tmp_path}", "hint": ""}
    text = '{"cdiVersion": "0.6.0", "kind": "a.b/c", "devices": [{"name": "d", "containerEdits": {}}]}'
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "a.json").chmod(0o644)
    assert found() == {"works": True, "detail": "a.b/c=d", "hint": ""}
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "b.json").chmod(0o644)
    broken = found()
    assert (broken["works"], broken["hint"]) == (False, "mend or remove these files")
    assert f"{tmp_path}/b.json is no specification of devices" in str(broken["detail"])
    assert str(broken["detail"]).endswith(" There are: a.b/c=d.")


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


def test_engines_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/missing")
    monkeypatch.setenv("DOCKER_CONFIG", os.fspath(tmp_path))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/dead")
        dead.listen()
        found = {check.name: check for check in doctor_engines.checks(1.0)}
    assert list(found) == ["docker", "podman", "buildx"]
    docker, podman = found["docker"], found["podman"]
    assert (docker.works, docker.detail) == (False, "it does not answer")
    assert docker.hint == "does it hang? restart it, or correct the address"
    assert not podman.works
    assert podman.detail.startswith(f"No daemon answers at unix://{tmp_path}/missing (")
    assert podman.hint == "start it, or correct CONTAINER_HOST"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (None, ["ok       config file: there is none at ", "ok       engine: embedded is used without --engine"]),
        ('engine = "podman"', ["config.toml was read", "ok       engine: podman is used without --engine"]),
        ("engine = 1\nwat = 2", ["missing  config file: ", "has mistakes: engine is not a text; wat is unknown."]),
    ],
)
def test_the_config_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, lines: list[str]
) -> None:
    machine(monkeypatch)
    monkeypatch.setattr(doctor_engines, "checks", list)
    monkeypatch.delenv("DOCKERCEPTION_ENGINE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(tmp_path))
    if text is not None:
        (tmp_path / "dockerception").mkdir()
        (tmp_path / "dockerception/config.toml").write_text(text)
    ran = run("doctor")
    assert ran.code == 0
    for line in lines:
        assert line in ran.out
