"""The fault table of the pipe, rows 2, 3, 5, 7, 9 and 13: builders whose stream is wrong, or odd and yet right.

Each builder is a real container that writes the stream to its stdout.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest

from faults import material
from faults.program import Done, Failure, Program, fails
from support.tools import need

pytestmark = pytest.mark.root

_LOGS = "send logs to stderr"
_EARLY = "stopped early"


class _Wrong(msgspec.Struct, frozen=True):
    """A stream of ``material``, and how the build must fail."""

    stream: str
    failure: Failure


def _stream(stream: str, message: str, hint: str = "") -> _Wrong:
    return _Wrong(stream, Failure(4, "stream", message, hint))


def _context(stream: str, message: str, hint: str = "") -> _Wrong:
    return _Wrong(stream, Failure(4, "context", message, hint))


_WRONG = {
    "2: a log line first": _stream("log-first", r"is not a tar archive \(found the text “\+ make app”\)", _LOGS),
    "2: a Dockerfile": _stream("../out/Dockerfile", "found the text “FROM scratch”", "dockerception assemble"),
    "2: binary noise": _stream("../out/app", r"is not a tar archive \(found the", _LOGS),
    "3: a log line between members": _stream(
        "log-between", r"at byte 1024, there is no tar header \(found the text “warning: late”\)", _LOGS
    ),
    "3: a log line in the last file": _stream("log-in-contents", "at byte 201536, a file's contents do not end", _LOGS),
    "3: a log line after the end": _stream(
        "log-after", r"at byte 202752, there are more bytes after the end of .* \(found the text “done”\)", _LOGS
    ),
    "3: a log line after gzip": _stream("log-after.gz", r"after the end of its gzip .*text “done”\)", _LOGS),
    "3: two archives": _stream("twice", "more bytes after the end of the archive", _LOGS),
    "5: cut in a file": _stream("cut", "truncated: it ends at byte 100000", _EARLY),
    "5: cut in a header": _stream("cut-in-header", "truncated: it ends at byte 1124", _EARLY),
    "5: cut at a member": _stream("cut-at-member", "at byte 1024, before its two closing zero blocks", _EARLY),
    "5: whole, but not closed": _stream("no-zero-block", "before its two closing zero blocks", _EARLY),
    "5: one zero block": _stream("one-zero-block", "truncated: .* after the first of two zero blocks", _EARLY),
    "5: cut gzip": _stream("cut.gz", "truncated: its gzip data ends early", _EARLY),
    "7: no Dockerfile": _context("no-dockerfile", "no Dockerfile at its top; there is: README, app", "--runtime-file"),
    "7: two directories down": _context("dockerfile-too-deep", "has no Dockerfile at its top; there is: a/"),
    "7: nothing at all": _context("no-entries", "has no Dockerfile at its top; there is: nothing"),
    "9: damaged gzip": _stream("wrong.gz", "is damaged: its gzip data"),
    "9: damaged zstd": _stream("wrong.zst", "is damaged: its zstd data"),
    "13: ..": _stream("dotdot", r"its name “\.\./evil” leads out of the archive"),
    "13: .. behind a name": _stream("dotdot-inside", r"its name “a/\.\./\.\./evil” leads out of the archive"),
    "13: a hard link out": _stream("hard-link-out", "“../../etc/passwd” leads out of the archive"),
    "13: a hard link to nothing": _stream("hard-link-nowhere", "hard link evil to missing, which is not in"),
    "13: an entry below a file": _stream("below-a-file", "entry app/more, but app is a file"),
    "13: an entry below a link": _stream("below-a-link", "entry l/evil, but l is a symlink"),
    "13: a path too long": _stream("long-path", "a name of 5024 bytes .* the limit is 4095"),
    "13: a bomb": _stream("bomb", "holds more than 68719476736 bytes of files", "--max-context"),
    "13: overlay attributes": _stream("overlay-xattr", "extended attribute trusted.overlay.opaque"),
    "13: an unknown type": _stream("unknown-type", "its type is “M”"),
}  # fmt: skip


@pytest.mark.parametrize("case", _WRONG)
def test_wrong_streams(program: Program, project: Path, tmp_path: Path, case: str) -> None:
    wrong = _WRONG[case]
    builder = tmp_path / "Dockerfile"
    builder.write_text(f"FROM busybox\nCOPY . /\nCMD {json.dumps(['cat', f'/streams/{wrong.stream}'])}\n")
    fails(program, wrong.failure, "build", "-f", builder, project, folder=tmp_path / "outputs")


@pytest.mark.parametrize("stream", ["log-first", "cut", "no-dockerfile"])
def test_wrong_streams_are_no_contexts_either(program: Program, project: Path, tmp_path: Path, stream: str) -> None:
    """``context`` gives out only what a build would believe; that a Dockerfile is there is not its business."""
    target = tmp_path / "context.tar"
    done = program.run("context", "-o", f"type=tar,dest={target}", project, "--", "cat", f"/streams/{stream}")
    assert done.code == (0 if stream == "no-dockerfile" else 4), done.errors
    assert target.exists() == (stream == "no-dockerfile")
    assert program.run("context", project, "--", "cat", "/streams/cut").stdout == b""
    program.has_no_leftovers()


_READABLE = ["good", "good.gz", "good.bz2", "good.xz", "good.zst", "padded", "global-header", "one-directory-down"]


@pytest.mark.parametrize("stream", _READABLE)
def test_every_kind_of_stream_gives_the_same_image(
    program: Program, project: Path, tmp_path: Path, stream: str
) -> None:
    """9: compressed, padded, with a global header (``git archive``); 7: one directory down."""
    done, files = _built(program, project, tmp_path, stream)
    assert list(files) == ["app"]
    assert files["app"] == (tarfile.REGTYPE, material.APP)
    if stream == "one-directory-down":
        done.has_said("note: The context has a single directory “project” at its top")
        done.has_said("note: .dockerignore left 1 entry out")


def test_other_dockerfiles_of_the_context(program: Program, project: Path, tmp_path: Path) -> None:
    """7: ``--runtime-file`` names one in the context, ``--runtime-dockerfile`` brings one."""
    _, files = _built(program, project, tmp_path, "other-name", "--runtime-file", "deploy/Dockerfile.run")
    assert list(files) == ["app"]
    (tmp_path / "brought").write_text("FROM scratch\nCOPY README /doc/\n")
    _, files = _built(program, project, tmp_path, "no-dockerfile", "--runtime-dockerfile", str(tmp_path / "brought"))
    assert list(files) == ["doc", "doc/README"]


def test_an_ignore_file_of_the_context_counts(program: Program, project: Path, tmp_path: Path) -> None:
    """8: and the build says how much it left out."""
    done, files = _built(program, project, tmp_path, "dockerignore")
    assert sorted(files) == ["app", "public"]
    done.has_said("note: .dockerignore left 5 entries out of the context that the builder emitted")


def test_long_names_links_and_attributes_arrive(program: Program, project: Path, tmp_path: Path) -> None:
    """9: what old readers of tar lose."""
    everything = tmp_path / "everything"
    everything.write_text("FROM scratch\nCOPY . /\n")
    whole = ("--runtime-dockerfile", str(everything))
    for stream in ("long-name-gnu", "long-name-pax"):
        assert _built(program, project, tmp_path, stream, *whole)[1][material.LONG] == (tarfile.REGTYPE, b"long")
    assert _built(program, project, tmp_path, "hard-link", *whole)[1]["hard"] == (tarfile.LNKTYPE, b"app")
    for stream in ("sparse-gnu", "sparse-posix"):
        contents = _built(program, project, tmp_path, stream)[1]["sparse"][1]
        assert contents == bytes(1 << 20) + b"middle" + bytes((2 << 20) - 6)
    _built(program, project, tmp_path, "xattr", *whole)
    with tarfile.open(tmp_path / "files.tar") as archive:
        assert archive.getmember("x").pax_headers["SCHILY.xattr.user.colour"] == "blue"


def test_hostile_names_are_made_harmless(program: Program, project: Path, tmp_path: Path) -> None:
    """13: absolute names are relative to the context, the last of two entries counts."""
    everything = tmp_path / "everything"
    everything.write_text("FROM scratch\nCOPY . /\n")
    whole = ("--runtime-dockerfile", str(everything))
    assert _built(program, project, tmp_path, "absolute", *whole)[1]["etc/motd"][1] == b"hello"
    assert _built(program, project, tmp_path, "dots", *whole)[1]["a/c"][1] == b"c"
    assert _built(program, project, tmp_path, "twice-the-same-name", *whole)[1]["twice"][1] == b"second"
    links = _built(program, project, tmp_path, "links", *whole)[1]
    assert links["out"] == (tarfile.SYMTYPE, b"../../../../etc/passwd")
    assert links["absolute"] == (tarfile.SYMTYPE, b"/etc/passwd")


_WHERE = "in the context that the builder emitted"
_COPIES = {
    "13: a link out of the tree": ("links", "COPY out /", f"“out” is not {_WHERE}"),
    "13: an absolute link out of the tree": ("links", "COPY absolute /", f"“absolute” is not {_WHERE}"),
    "13: a link to itself": ("links", "COPY loop /", f"The links of loop {_WHERE} go round in circles"),
}


@pytest.mark.parametrize("case", _COPIES)
def test_copies_of_hostile_entries(program: Program, project: Path, tmp_path: Path, case: str) -> None:
    stream, copy, message = _COPIES[case]
    (tmp_path / "run").write_text(f"FROM scratch\n{copy}\n")
    options = ("--runtime-dockerfile", tmp_path / "run")
    arguments = ("build", *options, project, "--", "cat", f"/streams/{stream}")
    done = fails(program, Failure(4, "context", message), *arguments, folder=tmp_path / "outputs")
    done.has_said(f">>> +{copy}")


@pytest.mark.parametrize("copy", ["COPY null pipe /", "COPY . /"])
def test_devices_are_entries_like_any_other(program: Program, project: Path, tmp_path: Path, copy: str) -> None:
    """13: of the image that is, as with BuildKit; no node is made here."""
    (tmp_path / "run").write_text(f"FROM scratch\n{copy}\n")
    _, files = _built(program, project, tmp_path, "device", "--runtime-dockerfile", str(tmp_path / "run"))
    assert files["null"] == (tarfile.CHRTYPE, b"")
    assert files["pipe"] == (tarfile.FIFOTYPE, b"")


def test_a_link_is_resolved_inside_of_the_context(program: Program, project: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("FROM scratch\nCOPY inside /copied\n")
    _, files = _built(program, project, tmp_path, "links", "--runtime-dockerfile", str(tmp_path / "run"))
    assert files == {"copied": (tarfile.REGTYPE, material.APP)}


def test_real_git_archive(program: Program, tmp_path: Path) -> None:
    """9: the stream of ``git archive``, as a user would pipe it in."""
    git = need("git")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    identity = ["-c", "user.name=a", "-c", "user.email=b@c", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([git, *identity, *arguments], cwd=repository, check=True)
    stream = subprocess.run([git, "archive", "HEAD"], cwd=repository, check=True, capture_output=True).stdout
    program.succeed("assemble", "-o", f"type=tar,dest={tmp_path / 'files.tar'}", "-", stdin=stream)
    assert list(_files(tmp_path / "files.tar")) == ["Dockerfile"]


def _built(
    program: Program, project: Path, folder: Path, stream: str, *options: str
) -> tuple[Done, dict[str, tuple[bytes, bytes]]]:
    """Build from a stream; returns what was said, and the runtime image's files: type, and contents or link."""
    target = folder / "files.tar"
    done = program.succeed(
        "build",
        "--progress",
        "plain",
        "-o",
        f"type=tar,dest={target}",
        *options,
        project,
        "--",
        "cat",
        f"/streams/{stream}",
    )
    program.has_no_leftovers()
    return done, _files(target)


def _files(archive: Path) -> dict[str, tuple[bytes, bytes]]:
    files = {}
    with tarfile.open(archive) as opened:
        for entry in opened:
            reader = opened.extractfile(entry) if entry.isreg() else None
            files[entry.name] = (entry.type, reader.read() if reader else entry.linkname.encode())
    return files
