"""Progress renderers: whole lines, marked with their step, whatever comes in whichever pieces."""

from __future__ import annotations

import json
import threading

from hypothesis import given
from hypothesis import strategies as st

from dockerception.cli.progress.json_lines import JsonRenderer
from dockerception.cli.progress.lines import LineBuffer, without_controls
from dockerception.cli.progress.plain import PlainRenderer
from dockerception.cli.progress.tty import TtyRenderer
from dockerception.cli.summary import Summary
from dockerception.errors import StepError
from dockerception.progress import (
    LevelFinished,
    Notice,
    StepExplained,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_are_marked_and_timed() -> None:
    written: list[str] = []
    clock = Clock()
    render = PlainRenderer(written.append, clock)
    render(StepStarted(step=3, level=0, name="[builder 2/5] RUN make"))
    clock.now += 0.1234
    render(StepLog(step=3, data=b"cc -c a.c\ncc -c"))
    render(StepLog(step=3, data=b" b.c\n", stream=2))
    render(StepLog(step=3, data=b"no end", stream=1))
    render(StepFinished(step=3, seconds=0.42))
    assert "".join(written) == (
        "#3 [builder 2/5] RUN make\n#3 0.123 cc -c a.c\n#3 0.123 cc -c b.c\n#3 0.123 no end\n#3 DONE 0.4s\n\n"
    )


def test_plain_names_the_step_again_where_another_came_between() -> None:
    written: list[str] = []
    render = PlainRenderer(written.append, Clock())
    render(StepStarted(step=1, level=0, name="one"))
    render(StepStarted(step=2, level=0, name="two"))
    render(StepLog(step=1, data=b"half"))
    render(StepLog(step=2, data=b"whole\n"))
    render(StepLog(step=1, data=b" line\n"))
    render(StepFinished(step=2, cached=True))
    render(StepFinished(step=1, error="exit code 1\nmore"))
    assert "".join(written) == (
        "#1 one\n\n#2 two\n#2 0.000 whole\n\n#1 one\n#1 0.000 half line\n\n#2 two\n#2 CACHED\n\n"
        "#1 one\n#1 ERROR: exit code 1\n\n"
    )


def test_plain_progress_of_bytes_comes_seldom_and_at_the_end() -> None:
    written: list[str] = []
    clock = Clock()
    render = PlainRenderer(written.append, clock)
    render(StepStarted(step=1, level=0, name="receive"))
    for done in range(1, 9):
        clock.now += 1
        render(
            StepProgress(step=1, done_bytes=done * 1_000_000, total_bytes=8_000_000, files=done * 500, note="context")
        )
    render(StepFinished(step=1, seconds=8))
    assert "".join(written) == (
        "#1 receive\n#1 5MB / 8MB, 2,500 files, context\n#1 8MB / 8MB, 4,000 files, context\n#1 DONE 8.0s\n\n"
    )


def test_plain_shows_notices_and_what_a_cut_off_step_has_said() -> None:
    written: list[str] = []
    render = PlainRenderer(written.append, Clock())
    render(Notice(text="look", severity="warning"))
    render(StepStarted(step=1, level=0, name="one"))
    render(StepLog(step=1, data=b"last words"))
    render(LevelFinished(level=0, image="", size=1, is_last=False, cached=False))
    render.close()
    assert "".join(written) == "warning: look\n#1 one\n#1 0.000 last words\n"


def test_plain_writes_whole_lines_from_many_threads() -> None:
    written: list[str] = []
    render = PlainRenderer(written.append, Clock())
    for step in range(4):
        render(StepStarted(step=step, level=0, name=f"step {step}"))

    def log(step: int) -> None:
        for number in range(200):
            render(StepLog(step=step, data=f"{step} {number} ".encode()))
            render(StepLog(step=step, data=b"end\n"))

    threads = [threading.Thread(target=log, args=(step,)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line.split() for line in "".join(written).splitlines() if line.endswith(" end")]
    assert len(lines) == 800
    assert all(line[0] == f"#{line[2]}" and line[4:] == ["end"] for line in lines)
    assert all(text.endswith("\n") for text in written)


@given(st.lists(st.binary(max_size=30)))
def test_lines_do_not_depend_on_how_output_is_cut(chunks: list[bytes]) -> None:
    whole, pieces = LineBuffer(), LineBuffer()
    expected = whole.add(b"".join(chunks)) + whole.flush()
    assert [line for chunk in chunks for line in pieces.add(chunk)] + pieces.flush() == expected


def test_a_carriage_return_starts_the_line_over() -> None:
    assert LineBuffer().add(b"10%\r50%\r100%\r\nnext\n") == ["100%", "next"]


def test_a_line_without_end_is_given_out_in_pieces() -> None:
    buffer = LineBuffer()
    assert buffer.add(b"x" * 65536) == []
    assert [len(line) for line in buffer.add(b"xx")] == [65538]


def test_controls_are_taken_out() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\x08b\tc\x1b[2K\x00"
    assert without_controls(text) == "red ab  c"


def test_json_objects_carry_the_events() -> None:
    written: list[str] = []
    render = JsonRenderer(written.append, lambda: 5.0)
    render(StepStarted(step=1, level=0, name="one"))
    render(StepExplained(step=1, cause="files", text="a is new", paths=("a",)))
    render(StepLog(step=1, data="ü".encode()[:1], stream=1))
    render(StepLog(step=1, data="ü".encode()[1:] + b"\xff\n", stream=1))
    render(StepProgress(step=1, done_bytes=1, total_bytes=2, files=3, note="n"))
    render(StepFinished(step=1, cached=True, seconds=0.5))
    render(Notice(text="t", severity="warning"))
    render(LevelFinished(level=1, image="sha256:1", size=2, is_last=True, cached=False))
    render.finish(Summary(image="sha256:1", size=2))
    assert render.fail(StepError("m", details="d", hint="h"), "/log") is True
    assert all(text.endswith("\n") and text.count("\n") == 1 for text in written)
    events = [json.loads(text) for text in written]
    assert all(event.pop("time") == 5.0 for event in events)
    assert events.pop(1) == {
        "event": "step-explained", "step": 1, "cause": "files", "text": "a is new", "paths": ["a"],
    }  # fmt: skip
    assert events[:7] == [
        {"event": "step-started", "step": 1, "level": 0, "name": "one"},
        {"event": "step-log", "step": 1, "stream": "stdout", "text": ""},
        {"event": "step-log", "step": 1, "stream": "stdout", "text": "ü\ufffd\n"},
        {"event": "step-progress", "step": 1, "done_bytes": 1, "total_bytes": 2, "files": 3, "note": "n"},
        {"event": "step-finished", "step": 1, "cached": True, "seconds": 0.5, "error": ""},
        {"event": "notice", "severity": "warning", "text": "t"},
        {"event": "level-finished", "level": 1, "image": "sha256:1", "size": 2, "is_last": True, "cached": False},
    ]
    assert events[7]["metadata"]["containerimage.config.digest"] == "sha256:1"
    assert events[8] == {
        "event": "error", "code": "step-failed", "exit_code": 1, "message": "m", "details": "d", "hint": "h",
        "log": "/log",
    }  # fmt: skip


def test_tty_prints_what_is_quick_without_drawing() -> None:
    written: list[str] = []
    render = TtyRenderer(written.append)
    render(StepStarted(step=1, level=0, name="one\x1b[2J"))
    render(StepFinished(step=1, cached=True))
    render(StepStarted(step=2, level=0, name="two"))
    render(StepExplained(step=2, cause="files", text="a\x1b[2J is new"))
    render(StepFinished(step=2, error="exit code 1"))
    render(Notice(text="look"))
    render.close()
    assert written == [
        "\x1b[32m✓\x1b[0m one\x1b[2m  CACHED\x1b[0m\n",
        "\x1b[31m✗ two\x1b[0m  exit code 1\n",
        "\x1b[2m  not cached: a is new\x1b[0m\n",
        "\x1b[33mnote:\x1b[0m look\n",
    ]
