"""Stages and builds at the same time.  Who waits for whom is settled by files in cache mounts, never by the clock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockerception.engines.base import Built
from dockerception.errors import StepError
from dockerception.store.images import StoredImage
from embedded.engine.conftest import BUSYBOX, NewLab
from unit.context.trees import Tree, file, text
from unit.engines.lab import Lab

Build = Callable[..., Built]

CACHE = "--mount=type=cache,target=/c"
WAIT = "timeout 60 sh -c 'until [ -e /c/{} ]; do sleep 0.02; done'"


def together(open_lab: NewLab, bases: dict[str, str], *texts: str) -> list[StoredImage]:
    """The images of several builds in one store at the same time, each with an engine of its own."""

    def one(text: str) -> StoredImage:
        with open_lab() as lab:
            return lab.image(lab.build(text, Tree(file("x", "x")), build_contexts=bases))

    with ThreadPoolExecutor(len(texts)) as pool:
        return list(pool.map(one, texts))


def test_stages_that_wait_for_each_other(lab: Lab, build: Build) -> None:
    body = f"""\
FROM busybox AS one
RUN {CACHE} touch /c/one; {WAIT.format("two")} && echo 1 > /one
FROM busybox AS two
RUN {CACHE} touch /c/two; {WAIT.format("one")} && echo 2 > /two
FROM busybox
COPY --from=one /one /
COPY --from=two /two /
"""
    files = lab.files(lab.image(build(body, Tree())))
    assert text(files, "one") + text(files, "two") == "1\n2\n"


def test_a_failing_stage_ends_the_others(lab: Lab, build: Build) -> None:
    body = f"""\
FROM busybox AS long
RUN {CACHE} touch /c/started; sleep 99991
FROM busybox AS failing
RUN {CACHE} {WAIT.format("started")}; exit 3
FROM busybox
COPY --from=long /x /
COPY --from=failing /x /
"""
    with pytest.raises(StepError, match="failed with exit code 3") as caught:
        build(body, Tree())
    assert "4 | >>> RUN" in caught.value.details
    assert not is_running("99991")


def test_a_failure_ends_what_the_target_itself_runs(lab: Lab, build: Build) -> None:
    body = f"""\
FROM busybox AS failing
RUN {CACHE} {WAIT.format("started")}; exit 4
FROM busybox
RUN {CACHE} touch /c/started; sleep 99992
COPY --from=failing /x /
"""
    with pytest.raises(StepError, match="failed with exit code 4"):
        build(body, Tree())
    assert not is_running("99992")


def is_running(argument: str) -> bool:
    """Whether there is a process with this argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().split(b"\0"))
        except OSError:
            continue  # it has just ended
    return any(argument.encode() in arguments for arguments in found)


def test_equal_builds_at_once(open_lab: NewLab, bases: dict[str, str]) -> None:
    images = together(open_lab, bases, *[BUSYBOX + "COPY x /x\nRUN cp /x /y\n"] * 4)
    with open_lab() as lab:
        for image in images:
            assert text(lab.files(lab.store.images.get(image.image)), "y") == "x"
        again = lab.build(BUSYBOX + "COPY x /x\nRUN cp /x /y\n", Tree(file("x", "x")), build_contexts=bases)
        assert again.is_cached


def test_different_builds_at_once(open_lab: NewLab, bases: dict[str, str]) -> None:
    images = together(open_lab, bases, *(f"{BUSYBOX}RUN echo {number} > /n\nCOPY x /x\n" for number in range(4)))
    assert len({image.image for image in images}) == 4
    with open_lab() as lab:
        assert [text(lab.files(image), "n") for image in images] == ["0\n", "1\n", "2\n", "3\n"]


def test_a_shared_cache_is_used_by_two_builds_at_once(open_lab: NewLab, bases: dict[str, str]) -> None:
    images = together(
        open_lab,
        bases,
        *(
            f"{BUSYBOX}RUN {CACHE} touch /c/{mine}; {WAIT.format(other)} && ls /c > /seen"
            for mine, other in (("one", "two"), ("two", "one"))
        ),
    )
    with open_lab() as lab:
        assert [text(lab.files(image), "seen") for image in images] == ["one\ntwo\n"] * 2


def test_a_private_cache_is_another_one_for_the_second(open_lab: NewLab, bases: dict[str, str]) -> None:
    private = "--mount=type=cache,id=private,target=/p,sharing=private"
    images = together(
        open_lab,
        bases,
        *(
            f"{BUSYBOX}RUN {CACHE} {private} touch /p/{mine} /c/{mine}; {WAIT.format(other)} && ls /p > /seen"
            for mine, other in (("one", "two"), ("two", "one"))
        ),
    )
    with open_lab() as lab:
        assert [text(lab.files(image), "seen") for image in images] == ["one\n", "two\n"]
        text_ = f"{BUSYBOX}RUN {private} ls /p | wc -l > /seen"
        later = lab.image(lab.build(text_, Tree(), build_contexts=bases))
        assert text(lab.files(later), "seen") == "1\n", "one of the two is used again"


def test_a_locked_cache_has_one_user_at_a_time(open_lab: NewLab, bases: dict[str, str]) -> None:
    locked = "--mount=type=cache,target=/c,sharing=locked"
    step = "mkdir /c/busy && sleep 0.2 && rmdir /c/busy && echo >> /c/users && wc -l < /c/users > /nth"
    images = together(open_lab, bases, *(f"{BUSYBOX}RUN {locked} : {number}; {step}" for number in range(3)))
    with open_lab() as lab:
        assert sorted(text(lab.files(image), "nth") for image in images) == ["1\n", "2\n", "3\n"]


def test_two_stages_with_one_locked_cache(lab: Lab, build: Build) -> None:
    locked = "--mount=type=cache,target=/c,sharing=locked"
    step = "mkdir /c/busy && sleep 0.1 && rmdir /c/busy && echo"
    body = f"""\
FROM busybox AS one
RUN {locked} {step} 1 > /one
FROM busybox AS two
RUN {locked} {step} 2 > /two
FROM busybox
COPY --from=one /one /
COPY --from=two /two /
"""
    files = lab.files(lab.image(build(body, Tree())))
    assert text(files, "one") + text(files, "two") == "1\n2\n"


def test_what_is_in_a_cache_is_in_no_layer(lab: Lab, build: Build) -> None:
    body = "RUN --mount=type=cache,target=/deep/c,uid=7,mode=0700 stat -c '%u %a' /deep/c > /seen; touch /deep/c/x\n"
    files = lab.files(lab.image(build(BUSYBOX + body, Tree())))
    assert text(files, "seen") == "7 700\n"
    assert files.find("deep") is None
    again = lab.files(lab.image(build(BUSYBOX + body, Tree(), no_cache=True)))
    assert text(again, "seen") == "7 700\n"
    same = build(f"{BUSYBOX}RUN --mount=type=cache,target=/deep/c,uid=7,mode=0700 ls /deep/c > /seen", Tree())
    assert text(lab.files(lab.image(same)), "seen") == "x\n"
    other = build(f"{BUSYBOX}RUN --mount=type=cache,target=/deep/c ls /deep/c > /seen", Tree())
    assert text(lab.files(lab.image(other)), "seen") == "", "as in BuildKit, another owner or mode is another cache"


def test_one_cache_mounted_twice_does_not_wait_for_itself(lab: Lab, build: Build) -> None:
    mounts = " ".join(f"--mount=type=cache,id=one,sharing=locked,target={target}" for target in ("/a", "/b"))
    built = build(f"{BUSYBOX}RUN {mounts} touch /a/x && ls /b > /seen", Tree())
    assert text(lab.files(lab.image(built)), "seen") == "x\n"


def test_a_failure_ends_the_waiting_for_a_cache(lab: Lab, build: Build) -> None:
    locked = "--mount=type=cache,id=theirs,target=/l,sharing=locked"
    body = f"""\
FROM busybox AS waiting
RUN {locked} true
FROM busybox AS failing
RUN exit 5
FROM busybox
COPY --from=waiting /x /
COPY --from=failing /x /
"""
    with lab.store.mounts.use("theirs", "locked"), pytest.raises(StepError, match="failed with exit code 5"):
        build(body, Tree())
