"""``RUN --mount`` in a real sandbox: what is shown, what is executed again, and that secrets are kept by nobody."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.context.directory import DirectoryContext
from dockerception.engines.base import Built, Secret
from dockerception.errors import DockerceptionError, ImageNotFoundError, StepError, UsageError
from dockerception.progress import Notice
from embedded.engine.conftest import BUSYBOX, NewLab
from embedded.engine.test_steps import new_files
from unit.context.trees import Tree
from unit.engines.lab import Lab
from unit.engines.lab import folder as directory

Build = Callable[..., Built]
VALUE = "the-very-secret-value"


def executed(lab: Lab) -> list[str]:
    """The RUNs of the last build that were executed."""
    return [name.split("RUN ", 1)[1] for name, cached in lab.steps().items() if "RUN " in name and not cached]


def test_a_mount_is_executed_again_when_what_it_shows_has_changed(lab: Lab, build: Build, tmp_path: Path) -> None:
    text = (
        "FROM busybox AS made\nCOPY a /d/a\nCOPY b /b\nRUN ls /d > /dev/null\n"
        "FROM busybox\nRUN --mount=from=made,source=/d,target=/m cat /m/a > /1\n"
        "RUN --mount=source=sub,target=/m cat /m/f > /2\n"
    )
    files = {"a": "one", "b": "x", "sub/f": "two", "other": "y"}
    build(text, directory(tmp_path / "1", files))
    assert len(executed(lab)) == 3
    build(text, directory(tmp_path / "2", {**files, "other": "changed"}))
    assert executed(lab) == []
    # What lies beside the part that is bound changes the stage, and not the RUN that mounts the other part.
    build(text, directory(tmp_path / "3", {**files, "b": "changed"}))
    assert executed(lab) == ["ls /d > /dev/null"]
    built = build(text, directory(tmp_path / "4", {**files, "a": "new"}))
    assert executed(lab) == [
        "ls /d > /dev/null",
        "--mount=from=made,source=/d,target=/m cat /m/a > /1",
        "--mount=source=sub,target=/m cat /m/f > /2",
    ]
    assert new_files(lab, built) == {"1": "new", "2": "two"}


def test_a_context_is_copied_once_for_all_that_bind_it(lab: Lab, build: Build, tmp_path: Path) -> None:
    context = directory(tmp_path / "c", {"a": "1", "sub/b": "2"})
    text = BUSYBOX + "".join(f"RUN --mount=target=/m{number} ls /m{number}\n" for number in range(3))
    build(text, context)
    trees = set(os.listdir(os.path.join(lab.store.root, "trees")))
    # Three RUNs, the base, and the one tree of the context.
    assert len(trees) == 5
    build(text + "RUN --mount=target=/other cat /other/a\n", context)
    assert len(set(os.listdir(os.path.join(lab.store.root, "trees"))) - trees) == 1


def test_only_what_has_changed_of_a_context_is_copied_again(lab: Lab, build: Build, tmp_path: Path) -> None:
    context = tmp_path / "c"
    files = {f"big/{number}": f"{number}" * 1000 for number in range(9)}
    text = f"{BUSYBOX}RUN --mount=target=/m (cd /m && find . -type f | sort | xargs sha256sum && ls -Ra) > /facts\n"

    def shown_now() -> tuple[str, int]:
        facts = new_files(lab, build(text, DirectoryContext(str(context))))["facts"]
        trees = Path(lab.store.root, "trees").rglob("*")
        return facts, sum(each.stat().st_size for each in trees if each.is_file())

    directory(context, {**files, "old/sub/a": "1", "file": "2", "folder/b": "3", "kept": "4"})
    before, size = shown_now()
    shutil.rmtree(context / "old")
    (context / "file").unlink()
    shutil.rmtree(context / "folder")
    directory(context, {"file/c": "5", "folder": "6", "new/d": "7", "kept": "changed"})
    after, more = shown_now()
    assert more - size < 3000
    assert after != before
    shutil.copytree(context, tmp_path / "elsewhere")
    whole = build(text, DirectoryContext(str(tmp_path / "elsewhere")), no_cache=True)
    assert new_files(lab, whole)["facts"] == after


def test_stages_that_mounts_read_are_built_at_the_same_time(lab: Lab, build: Build, tmp_path: Path) -> None:
    # Each waits for the other in a cache that both have: one after the other neither would end.
    wait = "--mount=type=cache,id=meet,target=/c touch /c/{} && until [ -e /c/{} ]; do sleep 0.01; done && touch /{}\n"
    text = (
        f"FROM busybox AS one\nRUN {wait.format('a', 'b', 'one')}"
        f"FROM busybox AS two\nRUN {wait.format('b', 'a', 'two')}"
        "FROM busybox\nRUN --mount=from=one,target=/1 --mount=from=two,target=/2 ls /1/one /2/two > /found\n"
    )
    built = build(text, Tree())
    assert new_files(lab, built) == {"found": "/1/one\n/2/two\n"}


def test_private_and_locked_caches(open_lab: NewLab, bases: dict[str, str], tmp_path: Path) -> None:
    # Those with private caches wait for each other, so that both are in use at once; those with locked ones can't.
    meet = "--mount=type=cache,id=meet,target=/m {} touch /m/{}; until [ -e /m/{} ]; do sleep 0.01; done;"

    def contents(sharing: str, prefix: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []

        def one(name: str, other: str) -> None:
            cache = f"--mount=type=cache,id={sharing},sharing={sharing},target=/c"
            begin = prefix.format(cache, name, other) or cache
            text = f"{BUSYBOX}RUN {begin} ls /c > /before; touch /c/{name}; sleep 0.2; ls /c > /after\n"
            with open_lab() as lab:
                built = lab.build(text, Tree(), build_contexts=bases)
                found.append(new_files(lab, built))

        threads = [threading.Thread(target=one, args=names) for names in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(found, key=lambda each: len(each["before"]))

    first, second = contents("locked", "")
    assert first["before"] == ""
    assert second["before"] == first["after"]
    assert sorted(each["after"] for each in contents("private", meet)) == ["a\n", "b\n"]


def test_devices_and_privileges(lab: Lab, build: Build, tmp_path: Path) -> None:
    text = (
        f"{BUSYBOX}RUN --security=insecure grep CapEff /proc/self/status > /insecure && mount -t tmpfs none /tmp"
        " && ! grep ' /proc/sys ' /proc/mounts && [ -c /dev/kmsg ] && echo kmsg >> /insecure\n"
        "RUN --device=vendor.com/gpu=all grep CapEff /proc/self/status > /sandbox; ! mount -t tmpfs none /tmp\n"
    )
    built = build(text, Tree(), allow=frozenset({"security.insecure"}))
    files = new_files(lab, built)
    assert files["insecure"].endswith("\nkmsg\n")
    sandbox, insecure = (int(files[name].split()[1], 16) for name in ("sandbox", "insecure"))
    assert sandbox & 1 << 21 == 0  # CAP_SYS_ADMIN
    assert insecure & 1 << 21
    assert [event.text for event in lab.events if isinstance(event, Notice)] == [
        "The step runs without the device vendor.com/gpu=all: this machine has none."
    ]


def test_a_secret_is_read_and_kept_nowhere(
    lab: Lab, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(VALUE)
    monkeypatch.setenv("OF_OURS", VALUE)
    given = (Secret(id="file", file=str(tmp_path / "secret")), Secret(id="variable", env="OF_OURS"))
    text = (
        f"{BUSYBOX}RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN"
        " --mount=type=secret,id=variable,env=BOTH,target=/both,mode=0440"
        " cat /run/secrets/file | tr a-z A-Z > /upper; echo $TOKEN | wc -c >> /upper;"
        " [ $(cat /both) = $BOTH ] && ls /run/secrets >> /upper && stat -c %a /both >> /upper\n"
        "RUN echo TOKEN=$TOKEN > /after\nUSER me\nRUN --mount=type=secret,id=file cat /run/secrets/file\n"
    )
    context = Tree()
    with pytest.raises(StepError, match="exit code 1") as caught:
        build(text, context, secrets=given)
    assert VALUE not in str(caught.value)
    built = build(text.partition("USER")[0], context, secrets=given)
    assert executed(lab) == []
    size = len(VALUE) + 1
    assert new_files(lab, built) == {"upper": f"{VALUE.upper()}{size}\nfile\n440\n", "after": "TOKEN=\n"}
    everything = [
        path for folder, _, files in os.walk(lab.store.root) for path in (f"{folder}/{each}" for each in files)
    ]
    assert len(everything) > 20
    assert [path for path in everything if VALUE.encode() in Path(path).read_bytes()] == []
    assert VALUE not in repr(lab.events) + repr(built)


@pytest.mark.parametrize(
    ("mount", "given", "error", "message", "hint"),
    [
        ("type=secret,id=s,required", (), UsageError, "requires the secret “s”", "--secret id=s,src=FILE"),
        ("type=ssh,required", (), UsageError, "requires the ssh agent “default”", "--ssh default"),
        ("type=secret,id=s", (Secret(id="s", file="/none/such"),), UsageError, "/none/such of the secret “s”", ""),
        ("type=secret,id=s", (Secret(id="s", env="NONE_SUCH"),), UsageError, "NONE_SUCH, which is not set", "export"),
        ("type=secret,id=s", (Secret(id="s", file="/dev/zero"),), UsageError, "larger than 500 KiB", "bind"),
        ("type=secret,id=s,env=E", (Secret(id="s", file="/bin/true"),), UsageError, "not UTF-8 text", "leave env= out"),
        ("from=none-such.invalid/x,target=/m", (), ImageNotFoundError, "none-such.invalid/x", "--build-context"),
        ("source=none,target=/m", (), DockerceptionError, "“none” is not in", ".dockerignore"),
        ("target=/m,source=a --mount=target=/m/x", (), StepError, "could not be started", ""),
    ],
)
def test_errors(
    build: Build, tmp_path: Path, mount: str, given: object, error: type[DockerceptionError], message: str, hint: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        build(f"{BUSYBOX}RUN --mount={mount} true\n", directory(tmp_path / "c", {"a": ""}), secrets=given)
    assert f"   2 | >>> RUN --mount={mount} true" in caught.value.details
    assert hint in caught.value.hint
