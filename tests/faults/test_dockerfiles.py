"""Dockerfiles, contexts and options that are wrong: what the command says, its exit code, and that nothing is left."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from faults import material
from faults.program import Failure, Program, fails

pytestmark = pytest.mark.root


class _Wrong(msgspec.Struct, frozen=True):
    """A Dockerfile, and how ``assemble`` must fail; ``marked`` is the line that the excerpt points to."""

    text: bytes
    failure: Failure
    marked: str = ""
    options: tuple[str, ...] = ()


def _dockerfile(text: str, message: str, hint: str = "", marked: str = "") -> _Wrong:
    return _Wrong(text.encode(), Failure(3, "dockerfile", message, hint), marked)


def _context(text: str, message: str, hint: str = "", marked: str = "") -> _Wrong:
    return _Wrong(text.encode(), Failure(4, "context", message, hint), marked)


def _step(text: str, message: str, details: str = "", hint: str = "", marked: str = "") -> _Wrong:
    return _Wrong(text.encode(), Failure(1, "step-failed", message, hint, details), marked)


_WRONG = {
    "empty": _dockerfile("", "Dockerfile is empty", "begin it with FROM"),
    "only a comment": _dockerfile("# nothing\n\n", "Dockerfile is empty", "begin it with FROM"),
    "binary": _Wrong(b"\0\1\2\3", Failure(3, "dockerfile", "is not a Dockerfile: line 1 holds a NUL", "a text file")),
    "a program": _Wrong(b"\x7fELF\2\1\1\0", Failure(3, "dockerfile", "is not a Dockerfile: .* a program", "text file")),
    "no FROM": _dockerfile("RUN true\n", "RUN stands before FROM", "only ARG", "RUN true"),
    "unknown instruction": _dockerfile(
        "FROM busybox\nCOPPY a b\n", "Dockerfile:2: Unknown instruction: COPPY", "did you mean COPY", "COPPY a b"
    ),
    "unknown flag": _dockerfile(
        "FROM busybox\nCOPY --form=x a b\n", "COPY has no flag --form", "did you mean --from", "COPY --form=x a b"
    ),
    "missing argument": _dockerfile("FROM busybox\nENV A\n", "ENV A has no value", "ENV A=VALUE", "ENV A"),
    "bad port": _dockerfile("FROM busybox\nEXPOSE http\n", "“http” is not a port", "up to 65535", "EXPOSE http"),
    "open here-document": _dockerfile("FROM busybox\nRUN <<EOF\ntrue\n", "<<EOF has no end", "only EOF", "RUN <<EOF"),
    "FROM nothing": _dockerfile("ARG X\nFROM $X\n", "FROM “.*” names no image", "gives it a default", r"FROM \$X"),
    "bad digest": _dockerfile("FROM busybox@sha256:12\n", "is not a digest", "64 lower-case hex", "FROM busybox@"),
    "unknown user": _dockerfile(
        "FROM busybox\nUSER nobodys\nRUN true\n", "user “nobodys” is not in /etc/passwd", "create it", "RUN true"
    ),
    "unknown stage": _Wrong(
        b"FROM busybox AS one\n", Failure(3, "dockerfile", "no stage “two”", "name one"), "", ("--target", "two")
    ),
    "BUILD of everything": _Wrong(
        b"FROM busybox\nBUILD /\n", Failure(3, "dockerfile", "can't take / as a context", "has filled"), "BUILD /"
    ),
    "missing source": _context(
        "FROM busybox\nCOPY missing /x\n", "“missing” is not in the context directory", "inside the context only",
        "COPY missing /x",
    ),
    "ignored source": _context(
        "FROM scratch\nCOPY ignored /x\n", "“ignored” is not in the context", "dockerignore", "COPY ignored /x"
    ),
    "source outside": _context("FROM scratch\nCOPY ../../../etc/passwd /\n", "is not in the context", "", "COPY"),
    "link outside": _context("FROM scratch\nCOPY link /\n", "“link” is not in the context", "", "COPY link /"),
    "missing source of a stage": _context(
        "FROM busybox AS a\nFROM scratch\nCOPY --from=a /lost /\n", "lost” is not in the stage a", "", "COPY --from=a"
    ),
    "a directory over a file": _context(
        "FROM busybox\nCOPY . /etc/passwd\n", "/?etc/passwd", "", "COPY . /etc/passwd"
    ),
    "damaged archive": _Wrong(
        b"FROM scratch\nADD cut.tar.gz /\n", Failure(4, "stream", "“cut.tar.gz” is truncated"), "ADD cut.tar.gz /"
    ),
    "missing context": _Wrong(
        b"FROM scratch\nCOPY --from=x a /\n", Failure(4, "context", "context x=/nowhere is not a dir", "oci-layout"),
        "COPY --from=x a /", ("--build-context", "x=/nowhere"),
    ),
    "failing RUN": _step(
        "FROM busybox\nRUN echo to stdout; echo to stderr >&2; \\\n  exit 7\n",
        "“RUN .*” failed with exit code 7", r"to std(out|err)\nto std(out|err)\n", "", "RUN echo to stdout",
    ),
    "failing RUN, much output": _step(
        "FROM busybox\nRUN seq 1 5000; exit 1\n", "failed with exit code 1", r"4999\n5000\n", "", "RUN seq"
    ),
    "killed RUN": _step(
        "FROM busybox\nRUN sh -c 'kill -9 $$'; exit $?\n", "exit code 137", "Killed", "SIGKILL", "RUN sh -c"
    ),
    "RUN of nothing known": _step(
        "FROM busybox\nRUN make all\n", "failed with exit code 127", "make: not found", "not found", "RUN make all"
    ),
    "RUN of no program": _step(
        'FROM busybox\nRUN ["/make"]\n', "could not be started: “/make” is not found in the image", "", "", "RUN"
    ),
    "RUN without a shell": _step(
        "FROM scratch\nRUN true\n", "could not be started: “/bin/sh” is not found", "", "", "RUN true"
    ),
    "RUN without the secret it needs": _Wrong(
        b"FROM busybox\nRUN --mount=type=secret,id=key,required true\n",
        Failure(2, "usage", "requires the secret “key”", "add --secret id=key,src=FILE"), "RUN --mount=type=secret",
    ),
    "RUN without the agent it needs": _Wrong(
        b"FROM busybox\nRUN --mount=type=ssh,required true\n",
        Failure(2, "usage", "requires the ssh agent “default”", "add --ssh default"), "RUN --mount=type=ssh",
    ),
    "another language": _Wrong(
        b"# syntax=example/lang\nFROM busybox\n",
        Failure(3, "not-supported", "syntax=example/lang” asks for another front end", "remove the directive"),
        "# syntax=example/lang",
    ),
    "text in another encoding": _Wrong(
        b"FROM busybox\nENV a=\xff\n", Failure(3, "dockerfile", "is not UTF-8 text: line 2", "save the file as UTF-8")
    ),
    "a broken pattern": _context("FROM busybox\nCOPY [a /\n", "“\\[a” is not a valid pattern", "write a set", "COPY"),
    "missing source of a mount": _context(
        "FROM busybox\nRUN --mount=source=lost,target=/x true\n", "“lost” is not in the context", "dockerignore",
        "RUN --mount=source=lost",
    ),
    "BUILD of a missing directory": _context(
        "FROM busybox\nBUILD /lost\n", "/lost is not there in the image", "make it in a RUN before", "BUILD /lost"
    ),
    "BUILD of a file": _context(
        "FROM busybox\nBUILD /etc/passwd\n", "/etc/passwd is a file in the image", "make it in a RUN", "BUILD /etc"
    ),
    "BUILD without a Dockerfile": _context(
        "FROM busybox\nBUILD /home\n", "/home that level 0 has built has no Dockerfile", "write it there", "BUILD /home"
    ),
    "RUN in a stage beside": _step(
        "FROM busybox AS a\nRUN exit 9\nFROM busybox\nRUN sleep 60\nCOPY --from=a /x /\n",
        "“RUN exit 9” failed with exit code 9", "", "", "RUN exit 9",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A context with a file, a link out of it, an ignored file and half an archive."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "file").write_text("file")
    (folder / "ignored").write_text("ignored")
    (folder / ".dockerignore").write_text("ignored\n")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "cut.tar.gz").write_bytes(gzip.compress(material.context())[:90_000])
    return folder


@pytest.mark.parametrize("case", _WRONG)
def test_wrong_dockerfiles(program: Program, source: Path, tmp_path: Path, case: str) -> None:
    wrong = _WRONG[case]
    path = tmp_path / "Dockerfile"
    path.write_bytes(wrong.text)
    options = ("-f", str(path), *wrong.options)
    done = fails(program, wrong.failure, "assemble", *options, str(source), folder=tmp_path / "outputs")
    if wrong.marked:
        done.has_said(rf"\| >>> {wrong.marked}")


def test_the_log_that_a_failure_names_has_all_of_the_output(program: Program, source: Path, tmp_path: Path) -> None:
    """The error shows the last lines."""
    path = tmp_path / "Dockerfile"
    path.write_text("FROM busybox\nRUN seq 1 3000; exit 1\n")
    done = program.run("assemble", "--progress", "quiet", "-f", path, source)
    assert "\n2999\n" in done.errors
    assert "\n2000\n" not in done.errors
    log = Path(done.errors.rpartition("log: ")[2].strip()).read_text()
    assert "  1\n" in log.replace(" 1\n", "  1\n")
    assert " 2000\n" in log


def test_a_failure_in_the_second_level_names_nothing(program: Program, project: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("FROM busybox\nRUN exit 4\n")
    failure = Failure(1, "step-failed", "failed with exit code 4")
    options = ("--runtime-dockerfile", tmp_path / "run", "--builder-tag=unwanted-builder")
    fails(program, failure, "build", *options, project, folder=tmp_path / "outputs")


_LINES = {
    "no such directory": (("assemble", "nowhere"), 4, "context", "The context nowhere does not exist"),
    "a file": (("assemble", "file"), 4, "context", "The context file is a file"),
    "no Dockerfile": (("assemble", "."), 3, "dockerfile", "There is no Dockerfile in"),
    "no such Dockerfile": (("assemble", "-f", "nowhere", "."), 3, "dockerfile", "nowhere can't be read: No such file"),
    "a directory as Dockerfile": (("assemble", "-f", ".", "."), 3, "dockerfile", "can't be read: Is a directory"),
    "no path": (("build",), 2, "usage", "PATH is missing"),
    "an unknown command": (("biuld", "."), 2, "usage", "no command “biuld”. Did you mean “build”"),
    "an unknown option": (("build", "--tga", "x", "."), 2, "usage", "No such option '--tga'"),
    "an unknown value": (("build", "--progress", "loud", "."), 2, "usage", "'--progress': 'loud' is not one of"),
    "an unknown network": (("build", "--network", "bridge", "."), 2, "usage", "'--network': 'bridge' is not one of"),
    "a bad size": (("build", "--max-context", "much", "."), 2, "usage", "'--max-context': .*much"),
    "a bad duration": (("build", "--emit-timeout", "soon", "."), 2, "usage", "'--emit-timeout': .*soon"),
    "a bad name": (("build", "-t", "Not/A:Name:", "."), 2, "usage", "'-t' / '--tag'|Not/A:Name:"),
    "a bad output": (("build", "-o", "type=zip,dest=x", "."), 2, "usage", "zip"),
    "a bad platform": (("assemble", "--platform", "linux/amd64,pdp/11", "."), 2, "usage", "pdp/11. is not a platform"),
    "both of stdin": (("assemble", "-f", "-", "-"), 2, "usage", "stdin can't be both"),
    "no such runtime": (
        ("assemble", "--runtime", "/bin/no-runtime", "-f", "run", "."),
        7,
        "machine",
        "runtime /bin/no-runtime is no program",
    ),
}


@pytest.mark.parametrize("case", _LINES)
def test_wrong_command_lines(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    (tmp_path / "file").write_text("FORM busybox\n")
    (tmp_path / "run").write_text("FROM busybox\nRUN true\n")
    monkeypatch.chdir(tmp_path)
    words, code, kind, message = _LINES[case]
    Failure(code, kind, message).check(program.run(*words))
    program.has_no_leftovers()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "run"]
