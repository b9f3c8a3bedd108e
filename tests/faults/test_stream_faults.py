"""Builders that do it wrong, as real processes on a pipe: every row of the fault table that the stream decides."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dockerception.context.stream_faults import Source
from dockerception.context.tarstream import receive
from dockerception.errors import StreamError
from faults.streams import written_by
from support.tools import need


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a context in ``out`` and the same as ``good.tar``."""
    root = tmp_path_factory.mktemp("faults")
    (root / "out").mkdir()
    (root / "out" / "Dockerfile").write_text("FROM scratch\nCOPY app /\n")
    (root / "out" / "app").write_bytes(os.urandom(200_000))
    need("tar")
    assert os.system(f"tar -C {root}/out -cf {root}/good.tar Dockerfile app") == 0
    return root


_FAULTS: dict[str, tuple[str, Source, str]] = {
    "2: a log line first": ("echo '+ make app'; cat good.tar", "emitted", "found the text “\\+ make app”(.|\n)*stderr"),
    "2: tar -v on stdout": ("tar -C out -cvf - . 2>&1", "emitted", r"not a tar archive .*“\./"),
    "2: a Dockerfile": ("cat out/Dockerfile", "stdin", "this is a Dockerfile: use -f -"),
    "3: a log line between": (
        "head -c 1024 good.tar; echo 'warning: late'; tail -c +1025 good.tar",
        "emitted",
        r"at byte 1024, there is no tar header \(found the text “warning: late”\)",
    ),
    "3: a log line after": ("cat good.tar; echo done", "emitted", "more bytes after the end of the archive .*“done”"),
    "3: two archives": ("cat good.tar good.tar", "emitted", "more bytes after the end of the archive"),
    "3: a log line after gzip": ("gzip -c good.tar; echo bye", "emitted", "after the end of its gzip data .*“bye”"),
    "5: stopped in the middle": ("head -c 100000 good.tar", "emitted", "is truncated: it ends at byte 100000"),
    "5: cut at a member": (
        "head -c 512 good.tar",
        "emitted",
        "truncated: it ends at byte 512, before its two closing",
    ),
    "5: killed": ("head -c 100000 good.tar; kill -9 $$", "emitted", "is truncated: it ends at byte 100000"),
    "9: gzip cut short": ("gzip -c good.tar | head -c 90000", "emitted", "truncated: its gzip data ends early"),
    "9: a broken zstd stream": ("zstd -q -c good.tar | tr '\\000' '\\001'", "emitted", "zstd data"),
    "13: out of the tree": ("cd out; tar -P -cf - ../out/app", "emitted", "leads out of the archive"),
    "14: a server": ("echo 'Listening on :8001'", "emitted", "“Listening on :8001”(.|\n)*“dockerception assemble”"),
    "14: nothing": ("true", "emitted", "wrote nothing to stdout"),
    "15: no tar": ("nosuchtar -c . 2>/dev/null", "emitted", "wrote nothing to stdout"),
}


@pytest.mark.parametrize("case", _FAULTS)
def test_faults(work: Path, case: str, tmp_path: Path) -> None:
    command, source, message = _FAULTS[case]
    with (
        pytest.raises(StreamError, match=message),
        written_by(["sh", "-c", command], cwd=str(work), spool=str(tmp_path / "spool"), source=source),
    ):
        pytest.fail("the stream was believed")


def test_a_terminal(work: Path, tmp_path: Path) -> None:
    """1: what ``docker run -t`` does to a stream."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("cat", ["cat", f"{work}/good.tar"])

    def read(size: int) -> bytes:
        try:
            return os.read(terminal, size)
        except OSError:
            return b""  # how a terminal says that nobody has it open any more

    descriptor = os.open(tmp_path / "spool", os.O_RDWR | os.O_CREAT)
    try:
        with pytest.raises(StreamError, match=r"hint: every line feed has a carriage return before it.*no -t"):
            receive(read, spool=descriptor, origin="The context", source="emitted")
    finally:
        os.close(descriptor)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_an_error_does_not_wait_for_a_builder_that_goes_on() -> None:
    """The builder is still running, and may be for ever, when its stream is found to be wrong."""
    command = ["sh", "-c", "yes 'log line' | head -c 4096; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        stdout = process.stdout.fileno()
        too_late = threading.Timer(60, process.terminate)
        too_late.start()
        with pytest.raises(StreamError, match="found the text “log line”"):
            receive(lambda size: os.read(stdout, size), spool=-1, origin="The context", source="emitted")
        assert process.poll() is None
        too_late.cancel()
        process.terminate()


def test_memory_stays_flat(tmp_path: Path) -> None:
    """10: half a gigabyte of context takes a few megabytes of memory."""
    need("python3")
    script = tmp_path / "receive.py"
    script.write_text(
        "import os, re, sys\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])\n"
        "from dockerception.context.tarstream import receive\n"
        "before = peak()\n"
        "spool = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC)\n"
        "got = receive(lambda n: os.read(0, n), spool=spool, origin='x', source='stdin')\n"
        "print(len(got.toc), peak() - before)\n"
    )
    writer = (
        "import sys, tarfile, io\n"
        "t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')\n"
        "for n in range(512):\n"
        "    i = tarfile.TarInfo(f'f{n}'); i.size = 1 << 20; t.addfile(i, io.BytesIO(bytes(1 << 20)))\n"
        "t.close()\n"
    )
    (tmp_path / "write.py").write_text(writer)
    with subprocess.Popen([sys.executable, str(tmp_path / "write.py")], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "spool")], stdin=source.stdout, capture_output=True, check=True
        )
    entries, kibibytes = map(int, done.stdout.split())
    assert entries == 512
    assert kibibytes < 40 << 10
    os.unlink(tmp_path / "spool")
