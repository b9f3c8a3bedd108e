"""RUN, COPY and WORKDIR in a real sandbox: what they see, what they leave, what is executed again."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.engines.base import Built
from dockerception.errors import DockerfileError, StepError
from dockerception.progress import StepLog
from embedded.engine.conftest import BUSYBOX, NewLab
from unit.context.trees import Tree, file, folder, shown, text
from unit.engines.lab import Lab
from unit.engines.lab import folder as directory

Build = Callable[..., Built]

PROGRAM = """\
FROM busybox AS builder
WORKDIR /src
RUN echo prepare > /prepared
COPY main.c .
RUN cp main.c /out && echo built
FROM busybox
COPY --from=builder /out /app
RUN cat /app > /copied
CMD ["cat", "/app"]
"""


def said(lab: Lab) -> str:
    """All that the steps of the last build printed."""
    return b"".join(event.data for event in lab.events if isinstance(event, StepLog)).decode()


def new_files(lab: Lab, built: Built) -> dict[str, str]:
    """The files of an image but for those of busybox."""
    skipped = ("", "bin", "etc", "tmp", "dev", "proc", "sys")
    found = shown(lab.files(lab.image(built)))
    return {path: what for path, what in found.items() if path.partition("/")[0] not in skipped}


def test_an_image(lab: Lab, build: Build, tmp_path: Path) -> None:
    built = build(PROGRAM, directory(tmp_path / "c", {"main.c": "int main;"}))
    assert new_files(lab, built) == {"app": "int main;", "copied": "int main;"}
    assert "built\n" in said(lab)
    image = lab.image(built)
    assert len(image.config.rootfs.diff_ids) == 3
    assert [item.created_by for item in image.config.history[1:]] == [
        "COPY /out /app # buildkit",
        "RUN /bin/sh -c cat /app > /copied # buildkit",
        'CMD ["cat" "/app"]',
    ]


def test_nothing_changed(open_lab: NewLab, bases: dict[str, str], tmp_path: Path, calls: list[str]) -> None:
    with open_lab() as lab:
        first = lab.build(PROGRAM, directory(tmp_path / "c", {"main.c": "1"}), build_contexts=bases)
        image = lab.image(first)
    assert "RunCall" in calls
    calls.clear()
    with open_lab() as lab:
        second = lab.build(PROGRAM, directory(tmp_path / "c", {}), build_contexts=bases)
        assert lab.image(second) == image
        assert second.is_cached
        assert all(lab.steps().values())
    assert calls == [], "no container is started, nothing is unpacked, listed or read"


def test_a_changed_line(lab: Lab, build: Build, tmp_path: Path) -> None:
    build(PROGRAM, directory(tmp_path / "c", {"main.c": "1"}))
    built = build(PROGRAM, directory(tmp_path / "c", {"main.c": "2"}))
    cached = {name.partition("] ")[2]: is_cached for name, is_cached in lab.steps().items() if name.startswith("[")}
    assert cached == {
        "WORKDIR /src": True,
        "RUN echo prepare > /prepared": True,
        "COPY main.c .": False,
        "RUN cp main.c /out && echo built": False,
        "COPY --from=builder /out /app": False,
        "RUN cat /app > /copied": False,
    }
    assert new_files(lab, built) == {"app": "2", "copied": "2"}


def test_a_changed_line_that_changes_nothing(lab: Lab, build: Build, tmp_path: Path) -> None:
    text_ = PROGRAM.replace("cp main.c /out", "head -n 1 main.c > /out; touch -d @5 /out")
    build(text_, directory(tmp_path / "c", {"main.c": "same\n1\n"}))
    build(text_, directory(tmp_path / "c", {"main.c": "same\n2\n"}))
    cached = [name.partition("] ")[2] for name, is_cached in lab.steps().items() if is_cached]
    assert "COPY --from=builder /out /app" in cached
    assert "RUN cat /app > /copied" in cached


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("RUN pwd", "/\n"),
        ("WORKDIR /a/b\nRUN pwd", "/a/b\n"),
        ("USER me\nRUN id -u; id -g; id -G", "7\n8\n8 9\n"),
        ("USER 5:6\nRUN id -u; id -g", "5\n6\n"),
        ("ENV A=1\nARG B=2\nRUN echo $A$B", "13\n"),
        ("ARG B=2\nRUN echo $B", "3\n"),
        ('SHELL ["/bin/sh", "-xc"]\nRUN true', "+ true\n"),
        ('RUN ["echo", "a  b", "$A"]', "a  b $A\n"),
        ("RUN <<END\necho one\necho two\nEND\n", "one\ntwo\n"),
        ("RUN cat; echo end of stdin", "end of stdin\n"),
        ("RUN hostname", "buildkitsandbox\n"),
        ("RUN --network=none ls /sys/class/net", "lo\n"),
        ("RUN echo $http_proxy", "http://proxy\n"),
        ("ENV http_proxy=mine\nRUN echo $http_proxy", "mine\n"),
    ],
)
def test_what_a_run_sees(lab: Lab, build: Build, body: str, expected: str) -> None:
    build(BUSYBOX + body, Tree(), build_args={"B": "3"}, proxies={"http_proxy": "http://proxy"})
    assert said(lab) == expected


@pytest.mark.parametrize(
    ("body", "message", "hint", "output"),
    [
        ("RUN echo last words; exit 3", "failed with exit code 3", "", "last words"),
        ("RUN no-such-program", "exit code 127", "a command was not found", "not found"),
        ('RUN ["/no/such"]', "could not be started", "", ""),
        ("RUN sh -c 'kill -9 $$'; exit $?", "exit code 137", "SIGKILL", ""),
        ("RUN seq 1000; false", "exit code 1", "", "\n999\n1000"),
    ],
)
def test_a_failing_run(build: Build, body: str, message: str, hint: str, output: str) -> None:
    with pytest.raises(StepError) as caught:
        build(BUSYBOX + body, Tree())
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert output in caught.value.details
    assert f"2 | >>> {body}" in caught.value.details
    assert caught.value.exit_code == 1


def test_a_failed_run_is_not_remembered(lab: Lab, build: Build, bases: dict[str, str]) -> None:
    body = "RUN --mount=type=cache,target=/c test -e /c/again || { touch /c/again; exit 1; }"
    with pytest.raises(StepError):
        build(BUSYBOX + body, Tree())
    assert not build(BUSYBOX + body, Tree()).is_cached


def test_an_unknown_user(build: Build) -> None:
    with pytest.raises(DockerfileError, match="nobody") as caught:
        build(BUSYBOX + "USER nobody\nRUN true", Tree())
    assert "3 | >>> RUN true" in caught.value.details


def test_removals_and_links(lab: Lab, build: Build, tmp_path: Path) -> None:
    body = """\
RUN mkdir /d && echo 1 > /d/a && echo 2 > /d/b && ln /d/a /d/z && mkfifo /d/fifo
RUN rm /d/b && ln /d/a /d/c && rm -r /tmp
RUN rm -r /d && mkdir /d && echo new > /d/only
"""
    built = build(BUSYBOX + body, Tree())
    image = lab.image(built)
    assert new_files(lab, built) == {"d": "/", "d/only": "new\n"}
    assert lab.files(image).find("tmp") is None
    middle = lab.faces.view(image.layers[:3], "the middle")
    assert shown(middle, "d") == {"d": "/", "d/a": "1\n", "d/c": "== d/a", "d/fifo": "fifo", "d/z": "1\n"}
    for layer, diff_id in zip(image.layers, image.config.rootfs.diff_ids, strict=True):
        with tarfile.open(lab.store.blobs.path(diff_id)) as archive:
            members = {member.name: member for member in archive}
            links = [member.linkname for member in members.values() if member.islnk()]
        assert set(links) <= set(members), f"a hard link of {layer} names what the layer does not have"


def test_copies_below_a_run_are_mounted_with_owners_and_modes(lab: Lab, build: Build) -> None:
    context = Tree(folder("d", mode=0o2750), file("d/x", "x", mode=0o4711))
    build(BUSYBOX + "COPY --chown=me d /d\nRUN stat -c '%a %u %g %n' /d /d/x", context)
    assert said(lab).splitlines() == ["755 7 8 /d", "4711 7 8 /d/x"]


def test_working_directories_belong_to_the_user(lab: Lab, build: Build) -> None:
    built = build(BUSYBOX + "USER me\nWORKDIR /a/b\nRUN touch x", Tree())
    found = lab.files(lab.image(built))
    assert [(entry.path, entry.uid, entry.gid) for entry in found.walk("a")] == [
        ("a", 7, 8),
        ("a/b", 7, 8),
        ("a/b/x", 7, 8),
    ]


def test_the_destination_goes_through_links_that_a_run_made(lab: Lab, build: Build) -> None:
    built = build(BUSYBOX + "RUN mkdir /real && ln -s real /link\nCOPY x /link/y", Tree(file("x", "x")))
    assert new_files(lab, built) == {"real": "/", "real/y": "x", "link": "-> real"}


def test_two_stores_give_the_same_image(open_lab: NewLab, bases: dict[str, str], tmp_path: Path) -> None:
    body = "COPY x /x\nRUN mkdir /d && cp /x /d/y && touch -d @9 /d/y && touch -d @9 /d\n"
    found = []
    for name in ("one", "two"):
        with open_lab(tmp_path / name) as lab:
            found.append(lab.image(lab.build(BUSYBOX + body, Tree(file("x", "x")), build_contexts=bases)))
    assert found[0].config.rootfs == found[1].config.rootfs
    assert found[0].image == found[1].image


def test_triggers_are_executed(lab: Lab, build: Build) -> None:
    built = build("FROM busybox AS one\nONBUILD RUN echo trigger > /made\nFROM one", Tree())
    assert new_files(lab, built) == {"made": "trigger\n"}
    with pytest.raises(StepError) as caught:
        build("FROM busybox AS one\nONBUILD RUN false\nFROM one\nLABEL a=b", Tree())
    assert "3 | >>> FROM one" in caught.value.details


def test_a_lost_tree_is_made_again(lab: Lab, build: Build, calls: list[str]) -> None:
    import shutil

    body = "RUN echo 1 > /one\n"
    image = lab.image(build(BUSYBOX + body, Tree()))
    shutil.rmtree(lab.store.layers.tree_path(image.layers[-1]))
    calls.clear()
    built = build(BUSYBOX + body + "RUN cat /one > /two", Tree())
    assert calls.count("RunCall") == 1
    assert text(lab.files(lab.image(built)), "two") == "1\n"


def test_nothing_is_left_in_the_scratch_directory(lab: Lab, build: Build, tmp_path: Path) -> None:
    build(PROGRAM, directory(tmp_path / "c", {"main.c": "1"}))
    with pytest.raises(StepError):
        build(BUSYBOX + "RUN touch /x; false", Tree())
    lab.engine.close()
    left = [name for name in os.listdir(lab.store.scratch) if not name.endswith(".upper")]
    assert left == []


def test_a_base_is_unpacked_in_a_step_of_its_own(lab: Lab, build: Build) -> None:
    """Once, where something runs on it; whatever only copies, or is cached, unpacks nothing."""
    build(f"{BUSYBOX}COPY x /\n", Tree(file("x", "x")))
    assert not any(name.startswith("unpack") for name in lab.steps())
    build("FROM busybox AS base\nCOPY x /x\nFROM base\nRUN true\n", Tree(file("x", "x")))
    assert [name.partition(",")[0] for name in lab.steps() if name.startswith("unpack")] == ["unpack busybox: 1 layer"]
    assert [is_cached for name, is_cached in lab.steps().items() if name.startswith("unpack")] == [False]
    build(f"{BUSYBOX}RUN echo again\n", Tree())
    assert not any(name.startswith("unpack") for name in lab.steps())
