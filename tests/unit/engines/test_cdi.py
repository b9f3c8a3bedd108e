"""Devices of the Container Device Interface: files, what they come to, who may use them, what a container gets."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockerception.dockerfile.instructions import Device
from dockerception.engines.embedded import keys
from dockerception.engines.embedded.cdi import edits, registry, specs
from dockerception.engines.embedded.cdi.allowing import Allowed
from dockerception.engines.privileges import check_entitlement
from dockerception.errors import DockerceptionError, DockerfileError, MachineError, UnsupportedError, UsageError
from dockerception.sandbox.messages import Hook, Mount
from unit.engines.lab import evaluate

KIND = "vendor.com/thing"
EVERYTHING = Allowed(is_everything=True)


def document(kind: str = KIND, **devices: dict[str, Any]) -> dict[str, Any]:
    """A specification with these devices and their edits."""
    listed = [{"name": name.replace("_", "-"), "containerEdits": made} for name, made in devices.items()]
    return {"cdiVersion": "0.6.0", "kind": kind, "devices": listed}


def write(path: Path, found: dict[str, Any] | str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    path.chmod(0o644)
    return path


def of(folder: Path, *wanted: Device | str, allowed: Allowed = EVERYTHING) -> edits.Edits:
    devices = [Device(each) if isinstance(each, str) else each for each in wanted]
    return edits.of_devices(devices, registry.load([str(folder)]), allowed)


YAML = """
cdiVersion: "0.6.0"
kind: vendor.com/thing
annotations: {a: b}
containerEdits:
  env: [COMMON=1]
devices:
- name: one
  containerEdits:
    env: [OWN=x=y]
    deviceNodes:
    - path: /dev/mine
      hostPath: /dev/null
      permissions: rw
      fileMode: 8630
      gid: 44
    mounts:
    - {hostPath: /etc, containerPath: /host/etc, options: [ro, nosuid, bind]}
    - {hostPath: tmpfs, containerPath: /scratch, type: tmpfs, options: [size=1m]}
    hooks:
    - {hookName: createContainer, path: /bin/true, args: ["true", now], timeout: 3}
    additionalGids: [0, 44]
- name: other
  containerEdits:
    env: [OTHER=1]
"""


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    from_yaml = specs.read(str(write(tmp_path / "a.yaml", YAML)))
    from_json = specs.read(str(write(tmp_path / "a.json", msgspec.json.encode(from_yaml).decode())))
    assert from_yaml == from_json
    assert [device.name for device in from_yaml.devices] == ["one", "other"]


def test_what_a_container_gets(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", YAML)
    assert of(tmp_path, f"{KIND}=one") == edits.Edits(
        environment={"COMMON": "1", "OWN": "x=y"},
        mounts=(
            Mount(kind="device", target="/dev/mine", source="/dev/null", mode=0o666, gid=44),
            Mount(kind="bind", target="/host/etc", source="/etc", is_readonly=True),
            Mount(kind="tmpfs", target="/scratch", size=1 << 20),
        ),
        groups=(44,),
        hooks=(Hook(when="createContainer", path="/bin/true", args=("true", "now"), timeout=3),),
    )


def test_what_is_said_of_a_file_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", YAML.replace("env: [COMMON=1]", "mounts: [{hostPath: /usr, containerPath: /u}]"))
    found = of(tmp_path, f"{KIND}=*", f"{KIND}=other")
    assert [mount.target for mount in found.mounts].count("/u") == 1
    assert found.environment == {"OWN": "x=y", "OTHER": "1"}


def test_names_and_classes(tmp_path: Path) -> None:
    made = document(b={}, a={}, c={})
    for number in (0, 2):
        made["devices"][number]["annotations"] = {"org.mobyproject.buildkit.device.class": "some"}
    write(tmp_path / "x.json", made)
    write(tmp_path / "y.json", document("vendor.com/other", a={}))
    found = registry.load([str(tmp_path)])

    def names(wanted: str) -> list[str]:
        return [each.name.removeprefix("vendor.com/") for each in found.find(wanted)]

    assert names(f"{KIND}=a") == ["thing=a"]
    assert names(KIND) == ["thing=b"]
    assert names(f"{KIND}=*") == ["thing=b", "thing=a", "thing=c"]
    assert names(f"{KIND}=some") == ["thing=b", "thing=c"]
    assert names(f"{KIND}=none") == []
    assert names("vendor.com/none=*") == []


def test_later_directories_are_stronger_and_conflicts_are_none(tmp_path: Path) -> None:
    weak, strong = tmp_path / "weak", tmp_path / "strong"
    write(weak / "a.json", document(x={"env": ["FROM=weak"]}, y={"env": ["FROM=weak"]}))
    write(strong / "a.json", document(x={"env": ["FROM=strong"]}))
    directories = [str(weak), str(strong), str(tmp_path / "missing")]
    allowed = edits.of_devices([Device(f"{KIND}=x")], registry.load(directories), EVERYTHING)
    assert allowed.environment == {"FROM": "strong"}
    write(strong / "b.json", document(x={}))
    found = registry.load(directories)
    assert list(found.devices) == [f"{KIND}=y"]
    assert found.problems == (f"{KIND}=x is in {strong}/a.json and in {strong}/b.json, so it is none.",)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("", "is no specification of devices: Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ({**document(a={}), "cdiVersion": "2.0.0"}, "its cdiVersion is “2.0.0”"),
        (document("thing", a={}), "its kind is “thing”"),
        (document(), "it has no devices"),
        (document(a={"unknown": 1}), "contains unknown field `unknown`"),
        ({**document(), "devices": [{"name": "*", "containerEdits": {}}]}, "“*” is no name"),
        (document(a={"env": ["X"]}), "“X” is no variable"),
        (document(a={"deviceNodes": [{"path": "dev/x"}]}), "“dev/x” is no absolute path"),
        (document(a={"deviceNodes": [{"path": "/dev/x", "type": "z"}]}), "“z” is no type"),
        (document(a={"deviceNodes": [{"path": "/dev/x", "permissions": "rx"}]}), "“rx” are no permissions"),
        (document(a={"mounts": [{"hostPath": "a", "containerPath": "/b"}]}), "“a” is no absolute path"),
        (document(a={"hooks": [{"hookName": "never", "path": "/bin/true"}]}), "“never” is no hook"),
    ],
)
def test_a_file_that_is_none_is_told_and_passed_over(tmp_path: Path, found: dict[str, Any] | str, message: str) -> None:
    wrong = write(tmp_path / "wrong.json", found)
    write(tmp_path / "right.json", document("vendor.com/right", a={}))
    read = registry.load([str(tmp_path)])
    assert list(read.devices) == ["vendor.com/right=a"]
    (problem,) = read.problems
    assert problem.startswith(f"{wrong} is no specification of devices: ")
    assert message in problem


def test_yaml_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yml", "a: [\n")
    with pytest.raises(MachineError, match="expected node content") as caught:
        specs.read(str(path))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_is_not_heeded(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "a.json", document(a={}))
    path.chmod(mode)
    assert registry.load([str(tmp_path)]).devices == {}
    with pytest.raises(MachineError, match="others than root and this user may write it"):
        specs.read(str(path))


def test_what_is_required_and_missing(tmp_path: Path) -> None:
    write(tmp_path / "wrong.json", "{")
    write(tmp_path / "a.json", document(a={}))
    assert of(tmp_path, "vendor.com/none=x").missing == ("vendor.com/none=x",)
    with pytest.raises(UnsupportedError, match="requires a device that this machine has not described") as caught:
        of(tmp_path, Device("vendor.com/none=x", is_required=True))
    assert f"there are: {KIND}=a;" in caught.value.hint
    assert "wrong.json is no specification" in caught.value.details


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"deviceNodes": [{"path": "/dev/none-such"}]}, "needs the node /dev/none-such, which can't be had: No such"),
        ({"deviceNodes": [{"path": "/dev/x", "hostPath": "/etc/passwd"}]}, "needs the device node /etc/passwd, which"),
        ({"deviceNodes": [{"path": "/dev/null", "major": 1, "minor": 5}]}, "with other numbers than it has (1, 3)"),
        ({"deviceNodes": [{"path": "/dev/null", "type": "b"}]}, "with other numbers"),
        ({"deviceNodes": [{"path": "/dev/null", "permissions": "r"}]}, "lets /dev/null be used with “r” only"),
        ({"mounts": [{"hostPath": "/none", "containerPath": "/x"}]}, "needs /none, which is not there"),
        ({"mounts": [{"hostPath": "/etc", "containerPath": "/x", "type": "ext4"}]}, "a mount of the type ext4"),
        ({"hooks": [{"hookName": "poststop", "path": "/etc/passwd"}]}, "the program /etc/passwd, which can't be exec"),
        ({"intelRdt": {"closID": "x"}}, "asks for intelRdt"),
        ({"netDevices": [{"hostInterfaceName": "eth0", "name": "e"}]}, "asks for netDevices"),
    ],
)
def test_what_can_not_be_given_as_it_is_described(tmp_path: Path, made: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.json", document(a=made))
    with pytest.raises(MachineError) as caught:
        of(tmp_path, f"{KIND}=a")
    assert f"The device {KIND}=a" in caught.value.message
    assert message in caught.value.message
    assert str(path) in caught.value.hint


def test_a_node_may_say_the_numbers_that_it_has(tmp_path: Path) -> None:
    status = os.stat("/dev/null")
    numbers = {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev), "type": "c", "permissions": "rwm"}
    write(tmp_path / "a.json", document(a={"deviceNodes": [{"path": "/dev/null", **numbers}]}))
    (mount,) = of(tmp_path, f"{KIND}=a").mounts
    assert (mount.source, mount.mode, stat.S_ISCHR(status.st_mode)) == ("/dev/null", None, True)


@pytest.mark.parametrize(
    ("allow", "wanted", "is_allowed"),
    [
        ((), f"{KIND}=a", False),
        ((), f"{KIND}=open", True),
        (("device",), f"{KIND}=*", True),
        (("security.insecure",), f"{KIND}=a", False),
        ((f"device={KIND}=a",), f"{KIND}=a", True),
        ((f"device={KIND}=a",), f"{KIND}=b", False),
        ((f"device={KIND}=a",), f"{KIND}=*", False),
        ((f"device={KIND}",), f"{KIND}=*", True),
        ((f"device={KIND}=*",), f"{KIND}=b", True),
        ((f"device={KIND}=some",), f"{KIND}=some", True),
        ((f"device={KIND}=a,alias=project.org/any",), "project.org/any", True),
    ],
)
def test_devices_have_to_be_allowed(tmp_path: Path, allow: tuple[str, ...], wanted: str, is_allowed: bool) -> None:
    made = document(a={"env": ["A=1"]}, b={}, open={})
    made["devices"][1]["annotations"] = {"org.mobyproject.buildkit.device.class": "some"}
    made["devices"][2]["annotations"] = {"org.mobyproject.buildkit.device.autoallow": "true"}
    write(tmp_path / "a.json", made)
    if is_allowed:
        found = of(tmp_path, wanted, allowed=Allowed.of(allow))
        assert not found.missing
        if "alias" in "".join(allow):
            assert found.environment == {"A": "1"}
        return
    with pytest.raises(DockerfileError, match="nobody has allowed it") as caught:
        of(tmp_path, wanted, allowed=Allowed.of(allow))
    assert f"--allow device={KIND}=" in caught.value.hint


def test_an_alias_of_a_kind(tmp_path: Path) -> None:
    allowed = Allowed.of([f"device={KIND},alias=project.org/any"])
    assert allowed.resolved("project.org/any=x") == f"{KIND}=x"
    assert allowed.resolved("project.org/any") == KIND
    assert allowed.resolved("project.org/other=x") == "project.org/other=x"


@pytest.mark.parametrize(
    "text", ["security.insecure", "network.host", "device", f"device={KIND}", f"device={KIND}=a,alias=a/b=c"]
)
def test_entitlements(text: str) -> None:
    assert check_entitlement(text) == text


@pytest.mark.parametrize(
    "text", ["", "all", "device=", "device=x", "device=a/b,alias=x", "device=a/b,c/d", "device=alias=a/b", "devices"]
)
def test_what_is_nothing_that_could_be_allowed(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_entitlement(text)
    assert "device" in caught.value.hint


def test_keys_know_the_name_of_a_device_and_not_whether_it_must_be_there() -> None:
    def parts(body: str) -> object:
        step = evaluate(f"FROM scratch\n{body}\n").steps[0]
        return keys.run_parts(step.instruction, step, "default", ())  # type: ignore[arg-type]

    plain, required = (parts(f"RUN --device={KIND}=a{more} x") for more in ("", ",required"))
    assert plain == required
    assert plain != parts("RUN x")
    assert plain != parts(f"RUN --device={KIND}=b x")


def test_a_wrong_name_is_an_error_of_the_dockerfile() -> None:
    with pytest.raises(DockerceptionError, match="names no device"):
        evaluate("FROM scratch\nRUN --device=gpu x\n")
