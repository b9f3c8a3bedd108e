"""The lower rungs of the ladders give what the highest ones give: the same layer, the same view from inside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from dockerception.context.image import layered_context
from dockerception.engines.embedded.changes import made_by_run
from dockerception.errors import MachineError
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.sandbox import marks
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import Ability, Hidden, Mount, RunRequest

from .conftest import OLD, Lab
from .test_lifetime import processes, start, wait_for_end

NOW = 1_500_000_000
"""Seconds; a later time of an entry is that of the test."""

NO = Ability(works=False, reason="a test says so")
PLACES = {"containers on copies": ("oci", False, True), "chroot on an overlay": ("chroot", True, True),
          "chroot on copies": ("chroot", False, True), "no namespaces": ("chroot", False, False)}  # fmt: skip

CHANGES = """
set -e
echo new > /new; mkdir -p /deep/er; echo x > /deep/er/x; ln -s nowhere /deep/link; chown 7:8 /deep; chmod 4750 /new
rm /data/one; rm -r /data/sub; mkdir /data/sub; echo again > /data/sub/three
mkfifo /fifo; mknod /node c 1 3; mknod /etc/block b 7 9
echo more >> /linked/grows; ln /linked/first /linked/third; rm /linked/gone; echo own >> /linked/second
mv /moved/inside /moved/outside; mv /moved/file /moved/renamed
rm -r /becomes-file; echo f > /becomes-file; rm /becomes-folder; mkdir /becomes-folder
chmod 700 /only-mode; touch -d @1234567890 /only-time; : > /emptied
rm -r /hides; mkdir /hides; rmdir /hides
rm -r /replaced; mkdir -p /replaced/fresh
"""


def prepare(lab: Lab) -> None:
    """A layer with much to change, below one with marks of its own."""
    tree = lab.tree("busybox")
    for folder in ("linked", "moved/inside/deeper", "becomes-file", "only-mode", "hides/x", "replaced/old", "gone/x"):
        (tree / folder).mkdir(parents=True)
    for file in ("linked/grows", "linked/first", "linked/gone", "moved/file", "moved/inside/deeper/x", "becomes-folder",
                 "only-time", "emptied", "replaced/old/x", "hides/x/y", "hidden", "gone/x/y"):  # fmt: skip
        (tree / file).write_text(file)
    os.link(tree / "linked/first", tree / "linked/second")
    top = lab.tree("top")
    (top / "gone").mkdir(parents=True)
    (top / "gone/new").write_text("new")
    marks.hide(str(top / "hidden"))
    descriptor = os.open(top / "gone", os.O_RDONLY)
    marks.make_opaque(descriptor)
    os.close(descriptor)
    for path in (*tree.rglob("*"), *top.rglob("*"), tree, top):
        os.utime(path, (OLD, OLD), follow_symlinks=False)


@contextmanager
def standing_on(lab: Lab, place: str) -> Iterator[Sandbox]:
    """A sandbox on certain rungs, because a note in the store says that the higher ones do not work."""
    isolation, has_overlay, has_namespaces = PLACES[place]
    found = lab.sandbox.probe()
    noted = msgspec.structs.replace(
        found,
        overlay=found.overlay if has_overlay else NO,
        helper=found.helper if has_namespaces else NO,
    )
    note = lab.root / "machine.json"
    note.write_bytes(msgspec.json.encode(noted))
    with Sandbox(str(lab.root), isolation=isolation) as sandbox:  # type: ignore[arg-type]
        yield sandbox
    note.unlink()


def layer(lab: Lab, sandbox: Sandbox, script: str) -> list[Entry]:
    """What a layer of the script's changes would hold, as the engine finds it out; without new entries' times."""
    upper = lab.fresh()
    request = RunRequest(layers=("busybox", "top"), args=("sh", "-c", script), upper=upper, work=lab.fresh())
    result = sandbox.run(request, None, 2, 2)
    assert (result.returncode, result.message) == (0, "")
    trees = [sandbox.diff(str(lab.tree(name))).toc for name in request.layers]
    below = layered_context([_Listed(toc) for toc in trees], origin="below")
    found = sandbox.diff(upper).toc
    return [msgspec.structs.replace(e, mtime=min(e.mtime, NOW)) for e in made_by_run(found, below)]


class _Listed(msgspec.Struct, frozen=True):
    listed: Toc

    def toc(self) -> Toc:
        return self.listed

    def read(self, entry: Entry) -> Iterator[bytes]:
        raise AssertionError(entry)


@pytest.mark.parametrize("place", PLACES)
def test_the_same_layer(lab: Lab, place: str) -> None:
    prepare(lab)
    expected = layer(lab, lab.sandbox, CHANGES)
    assert len(expected) > 30
    with standing_on(lab, place) as sandbox:
        assert layer(lab, sandbox, CHANGES) == expected
        assert layer(lab, sandbox, "true") == layer(lab, lab.sandbox, "true")


@pytest.mark.parametrize("place", ["containers on copies", "no namespaces"])
def test_the_next_run_goes_on_with_the_copy_of_the_last_one(lab: Lab, place: str) -> None:
    prepare(lab)
    with standing_on(lab, place) as sandbox:
        upper = lab.fresh()
        request = RunRequest(layers=("busybox", "top"), args=("sh", "-c", CHANGES), upper=upper, work=lab.fresh())
        assert sandbox.run(request, None, 2, 2).returncode == 0
        kept = lab.root / "tmp/kept-copy"
        busybox = (kept / "root/bin/busybox").stat().st_ino
        os.rename(upper, lab.tree("changed"))
        (lab.tree("above") / "new").mkdir(parents=True)
        stacks = [("busybox", "top", "changed", "above"), ("busybox", "top")]
        listing = "find / -xdev \\( -path /dev -o -path /proc -o -path /sys -o -path /etc \\) -prune -o -print | sort"
        listing += " | xargs stat -c '%n %F %a %u %g'"
        seen = []
        for each in (sandbox, lab.sandbox):
            for stack in stacks:
                seen.append(_output(each, RunRequest(layers=stack, args=("sh", "-c", listing), upper=lab.fresh())))
                if each is sandbox and stack == stacks[0]:
                    assert (kept / "root/bin/busybox").stat().st_ino == busybox
        assert seen[:2] == seen[2:]
        assert "/becomes-folder directory" in seen[0]
        assert "/becomes-folder regular file" in seen[1]
    assert not kept.exists()


def _output(sandbox: Sandbox, request: RunRequest) -> str:
    read_end, write_end = os.pipe()
    run = sandbox.begin(request, None, write_end, write_end)
    os.close(write_end)
    with open(read_end, "rb") as reader:
        said = reader.read().decode()
    assert run.wait().returncode == 0, said
    return said


CWD = ["made", "made/for", "made/for/it"]
SEEN = """
cat /run/secret; stat -c '%a %u' /run/secret; cat /copied/one; cat /host/file; ls /cache; echo kept > /cache/new
echo lost > /memory/x; echo lost > /copied/lost; touch /host/lost 2>/dev/null; stat -c %a /memory
grep -c buildkitsandbox /etc/hosts; echo quiet > /dev/null; head -c 3 /dev/zero | wc -c; id -u; pwd; echo done > /mine
sh /dev/pipes/script; cat /copied/deep/er/file
"""


@pytest.mark.parametrize("place", ["oci", *PLACES])
def test_what_a_run_is_shown(lab: Lab, place: str, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("host\n")
    cache = tmp_path / "store/tmp/test-cache"
    cache.mkdir()
    (cache / "old").touch()
    (lab.tree("busybox") / "etc/hosts").write_text("the image's own\n")
    upper = lab.fresh()
    request = RunRequest(
        layers=("busybox",),
        args=("sh", "-c", SEEN),
        upper=upper,
        work=lab.fresh(),
        cwd="/made/for/it",
        mounts=(
            Mount(kind="secret", target="/run/secret", content=Hidden(b"s\n"), mode=0o400),
            Mount(kind="layers", target="/copied", layers=("busybox",), inner="data"),
            Mount(kind="bind", target="/host", source=str(tmp_path / "host"), is_readonly=True),
            Mount(kind="cache", target="/cache", source=str(cache)),
            Mount(kind="tmpfs", target="/memory", mode=0o711),
            Mount(kind="script", target="/dev/pipes/script", content=Hidden(b"echo run")),
            Mount(kind="secret", target="/copied/deep/er/file", content=Hidden(b"nested")),
        ),
    )
    with standing_on(lab, place) if place != "oci" else Sandbox(str(lab.root)) as sandbox:
        read_end, write_end = os.pipe()
        result = sandbox.run(request, None, write_end, write_end)
        os.close(write_end)
        with open(read_end, "rb") as reader:
            said = reader.read().decode()
        found = {e.path: e for e in sandbox.diff(upper).toc}
    assert (result.returncode, said) == (0, "s\n400 0\none\nhost\nold\n711\n1\n3\n0\n/made/for/it\nrun\nnested")
    assert sorted(os.listdir(cache)) == ["new", "old"]
    assert os.listdir(tmp_path / "host") == ["file"]
    assert (lab.tree("busybox") / "etc/hosts").read_text() == "the image's own\n"
    unchanged = {"", "etc", "etc/hosts", "data", "dev", "proc", "sys"}  # copied up, or moved aside and back
    assert sorted(found.keys() - unchanged) == ["made", "made/for", "made/for/it", "mine"]
    assert [e.path for e in found.values() if e.path.startswith(("dev/", "proc/", "sys/"))] == []


def test_a_chroot_has_no_capability_and_no_network_more_than_a_container(lab: Lab) -> None:
    script = "grep CapBnd /proc/self/status; ls /sys/class/net; hostname; ip link set lo down 2>&1; exec /nowhere"
    request = RunRequest(layers=("busybox",), args=("sh", "-c", script), network="none", hostname="its-own")
    seen = []
    for place in ("oci", "chroot on an overlay"):
        with standing_on(lab, place) if place != "oci" else Sandbox(str(lab.root)) as sandbox:
            read_end, write_end = os.pipe()
            assert sandbox.run(request, None, write_end, write_end).returncode == 127
            os.close(write_end)
            with open(read_end, "rb") as reader:
                seen.append(reader.read().decode().replace("\nlo\n", "\n", 1))
    assert "its-own" in seen[0]
    assert seen[0].splitlines()[0] == seen[1].splitlines()[0]


def test_users_and_programs_that_are_not_there(lab: Lab) -> None:
    with standing_on(lab, "no namespaces") as sandbox:
        script = 'test "$(id -u) $(id -g) $(id -G)" = "1 2 2 3" && ! touch /x 2>/dev/null && kill -9 $$'
        request = RunRequest(layers=("busybox",), args=("sh", "-c", script), uid=1, gid=2, additional_gids=(3,))
        assert sandbox.run(request).returncode == 137
        for args, expected in ((("/nowhere",), (127, "not-found")), (("/etc",), (126, "not-executable"))):
            result = sandbox.run(msgspec.structs.replace(request, args=args))
            assert (result.returncode, result.not_started) == expected
        with pytest.raises(MachineError, match="network"):
            sandbox.run(msgspec.structs.replace(request, network="none"))
        writable = Mount(kind="bind", target="/x", source=str(lab.root))
        with pytest.raises(MachineError, match="can't be mounted for writing"):
            sandbox.run(msgspec.structs.replace(request, mounts=(writable,)))


@pytest.mark.parametrize("victim", ["parent", "helper", "worker", "process"])
def test_a_kill_leaves_nothing_without_namespaces(lab: Lab, victim: str) -> None:
    with standing_on(lab, "no namespaces"):
        lab.sandbox.close()
        parent = start(lab, "isolation", "chroot")
        process = _sleeper(lab.root)
        worker = _parent_of(process)
        pids = {"parent": parent.pid, "helper": _parent_of(worker), "worker": worker, "process": process}
        assert len({*pids.values()}) == 4
        assert _parent_of(pids["helper"]) == parent.pid
        os.kill(pids[victim], signal.SIGKILL)
        assert parent.wait(10) != 0
        wait_for_end(lab.root)
        if parent.stdout is not None:
            parent.stdout.close()


def _sleeper(root: Path) -> int:
    """The step's process: it says that it is there just before it becomes what it is."""
    for _ in range(1000):
        found = [pid for pid, line in processes(root).items() if line.startswith("sleep ")]
        if found:
            return min(found)
        time.sleep(0.01)
    pytest.fail("the step's process is not there")


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_marks_where_devices_can_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mknod", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)
    (tmp_path / ".wh.file").touch()
    marks.hide(str(tmp_path / "gone"))
    root = os.open(tmp_path, os.O_RDONLY)
    assert (marks.is_hidden(root, "gone"), marks.is_hidden(root, "file"), marks.is_opaque(root)) == (True, False, False)
    marks.make_opaque(root)
    marks.make_opaque(root)
    assert marks.is_opaque(root)
    seen = {name: marks.hidden_by(name, os.lstat(tmp_path / name), root) for name in os.listdir(root)}
    os.close(root)
    assert seen == {".wh.gone": "gone", ".wh.file": None, ".wh..wh..opq": ""}
