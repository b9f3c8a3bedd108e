"""RUN --device: devices of the Container Device Interface in steps of the embedded engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerception.engines.base import Built
from dockerception.errors import DockerfileError, StepError, UnsupportedError
from dockerception.progress import Notice
from unit.context.trees import Tree
from unit.engines.lab import Lab

from .conftest import BUSYBOX

Build = Callable[..., Built]
EVERYTHING = frozenset({"device"})


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A directory of specifications: harmless nodes under other names, a variable, a mount, a group, a hook."""
    folder = tmp_path / "cdi"
    folder.mkdir()
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "file").write_text("shown\n")
    hook = f"cat > {tmp_path}/hooked"
    nodes = [{"path": "/dev/things/zero", "hostPath": "/dev/zero"}, {"path": "/dev/sink", "hostPath": "/dev/null"}]
    found = {
        "cdiVersion": "0.7.0",
        "kind": "vendor.com/thing",
        "containerEdits": {"env": ["KIND=thing"]},
        "devices": [
            {"name": "nodes", "containerEdits": {"deviceNodes": nodes, "env": ["DEVICE=nodes"]}},
            {
                "name": "files",
                "containerEdits": {
                    "mounts": [{"hostPath": f"{tmp_path}/shown", "containerPath": "/opt/shown", "options": ["ro"]}],
                    "additionalGids": [4711],
                },
            },
            {
                "name": "mine",
                "containerEdits": {
                    "deviceNodes": [
                        {"path": "/dev/mine", "hostPath": "/dev/full", "fileMode": 0o600, "uid": 7, "gid": 8}
                    ]
                },
            },
            {
                "name": "hooked",
                "containerEdits": {
                    "hooks": [
                        {
                            "hookName": "createRuntime",
                            "path": "/bin/sh",
                            "args": ["sh", "-c", hook],
                            "env": ["PATH=/bin"],
                        }
                    ]
                },
            },
        ],
    }
    (folder / "thing.json").write_text(json.dumps(found))
    (folder / "thing.json").chmod(0o644)
    return folder


@pytest.fixture
def devices(build: Build, specs: Path) -> Build:
    """``build`` where this machine has these devices, and all are allowed."""

    def with_devices(text: str, **options: Any) -> Built:
        given = {"cdi_spec_dirs": (str(specs),), "allow": EVERYTHING, **options}
        return build(f"{BUSYBOX}{text}", Tree(), **given)

    return with_devices


def files(lab: Lab, built: Built) -> dict[str, str]:
    """What the level's own layers have, by path: texts of files, kinds of others."""
    image = lab.image(built)
    toc = lab.faces.toc(image.layers)
    return {
        entry.path: b"".join(map(bytes, lab.faces.read(image.layers, entry))).decode()
        if entry.kind == "file"
        else entry.kind
        for entry in toc
        if entry.kind != "directory"
    }


def notices(lab: Lab) -> list[str]:
    return [event.text for event in lab.events if isinstance(event, Notice)]


def test_nodes_variables_mounts_and_groups(lab: Lab, devices: Build) -> None:
    built = devices(
        "RUN --device=vendor.com/thing=nodes --device=vendor.com/thing=files,required"
        " { head -c4 /dev/things/zero | wc -c; echo lost > /dev/sink && wc -c < /dev/sink; echo $KIND $DEVICE;"
        " cat /opt/shown/file; ! touch /opt/shown/new 2>/dev/null && id -G; } > /seen\n"
    )
    assert files(lab, built) == {"seen": "4\n0\nthing nodes\nshown\n0 4711\n"}
    assert notices(lab) == []


def test_a_node_of_another_owner(lab: Lab, devices: Build) -> None:
    text = "RUN --device=vendor.com/thing=mine exec 3<>/dev/mine && stat -c '%a %u:%g' /dev/mine > /out/facts\n"
    assert files(lab, devices(f"RUN mkdir -m 1777 /out\nUSER me\n{text}")) == {"out/facts": "600 7:8\n"}
    with pytest.raises(StepError, match="exit code") as failed:
        devices(f"RUN mkdir -m 1777 /out\nUSER 9\n{text}")
    assert "/dev/mine: Permission denied" in failed.value.details


def test_all_of_a_kind_with_their_hooks(lab: Lab, devices: Build, tmp_path: Path) -> None:
    devices("RUN --device=vendor.com/thing=* test -c /dev/sink && test -e /opt/shown/file\n")
    assert json.loads((tmp_path / "hooked").read_text())["ociVersion"]


def test_without_the_flag_there_is_nothing(devices: Build) -> None:
    with pytest.raises(StepError, match="exit code 1"):
        devices('RUN test -c /dev/sink || [ -n "$KIND" ]\n')


def test_what_nobody_has_allowed(devices: Build) -> None:
    with pytest.raises(DockerfileError, match="nobody has allowed it") as caught:
        devices("RUN --device=vendor.com/thing=nodes true\n", allow=frozenset())
    assert "   2 | >>> RUN --device=vendor.com/thing=nodes true" in caught.value.details
    assert "--allow device=vendor.com/thing=nodes" in caught.value.hint
    devices("RUN --device=vendor.com/thing=nodes true\n", allow=frozenset({"device=vendor.com/thing=nodes"}))


def test_what_is_missing(lab: Lab, devices: Build, specs: Path) -> None:
    (specs / "broken.yaml").write_text("cdiVersion: [")
    (specs / "broken.yaml").chmod(0o644)
    devices("RUN --device=vendor.com/none=x true\n")
    problem, missing = notices(lab)
    assert problem.startswith(f"{specs}/broken.yaml is no specification of devices: ")
    assert missing == "The step runs without the device vendor.com/none=x: this machine has none."
    with pytest.raises(UnsupportedError, match="requires a device that this machine has not described"):
        devices("RUN --device=vendor.com/none=x,required echo\n")


def test_a_step_is_known_by_the_names_of_its_devices(lab: Lab, devices: Build, tmp_path: Path) -> None:
    devices("RUN --device=vendor.com/thing=nodes true\n")
    assert devices("RUN --device=vendor.com/thing=nodes,required true\n", cdi_spec_dirs=(str(tmp_path),)).is_cached
    assert not devices("RUN --device=vendor.com/thing=files true\n").is_cached
