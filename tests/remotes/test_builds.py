"""Builds from elsewhere, with the real command: contexts that a URL names, named contexts, and ADD."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from faults.program import Failure, Program
from support.web import Web, commit_of

EVERYTHING = "FROM scratch\nADD {0} /x/\nCOPY --from=other / /other/\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The command with a store that has nothing."""
    return Program(store=tmp_path / "home")


@pytest.fixture
def address(web: Web) -> str:
    return f"{web.address}/git/project.git"


def files(program: Program, image: str, tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """The modes and contents of an image's files."""
    target = tmp_path / "files.tar"
    program.succeed(
        "assemble",
        "-q",
        "-o",
        f"type=tar,dest={target}",
        "--build-context",
        f"i=docker-image://{image}",
        "-f",
        "-",
        stdin=b"FROM i\n",
    )
    with tarfile.open(target) as archive:
        return {each.name: (each.mode, archive.extractfile(each).read()) for each in archive if each.isfile()}  # type: ignore[union-attr]


def test_a_repository_is_a_context(program: Program, address: str, tmp_path: Path) -> None:
    program.succeed("assemble", "-t", "whole", address)
    assert files(program, "whole", tmp_path) == {"run": (0o755, b"#!/bin/sh\n"), "text": (0o644, b"two\n")}
    program.succeed("assemble", "-t", "old", "-f", "Dockerfile", f"{address}#v1")
    assert files(program, "old", tmp_path)["text"] == (0o644, b"one\n")
    again = program.succeed("assemble", "--progress=plain", "-t", "whole", address)
    assert "Everything was cached" in again.errors


def test_a_directory_of_a_repository_with_a_dockerfile_from_outside(
    program: Program, address: str, tmp_path: Path
) -> None:
    program.succeed("assemble", "-t", "part", "-f", "-", f"{address}#v1:docs", stdin=b"FROM scratch\nCOPY . /d/\n")
    assert files(program, "part", tmp_path) == {"d/text": (0o644, b"one\n")}


def test_an_archive_is_a_context_and_a_text_is_a_dockerfile(
    program: Program, web: Web, site: Path, tmp_path: Path
) -> None:
    with tarfile.open(site / "context.tar.gz", "w:gz") as archive:
        for name in ("Dockerfile", "run", "docs"):
            archive.add(site / "project" / name, f"project/{name}")
    done = program.succeed("assemble", "--progress=plain", "-t", "archive", f"{web.address}/context.tar.gz")
    assert "it is the root" in done.errors
    assert files(program, "archive", tmp_path)["text"] == (0o644, b"two\n")
    (site / "plain").write_text("FROM scratch\nLABEL a=b\nWORKDIR /made\n")
    program.succeed("assemble", "-t", "text", f"{web.address}/plain")
    inspected = json.loads(program.succeed("inspect", "text").stdout)
    assert inspected[0]["Config"]["Labels"] == {"a": "b"}


def test_add_takes_files_and_repositories(program: Program, web: Web, site: Path, address: str, tmp_path: Path) -> None:
    (site / "a b.sh").write_bytes(b"#!/bin/sh\n")
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "Dockerfile").write_text(
        "FROM scratch\n"
        f"ADD --chmod=755 --checksum=sha256:{digest} {web.address}/a%20b.sh /bin/tool\n"
        f"ADD --exclude=docs {address}#v1 /src\n"
        f"ADD --checksum={commit_of(site / 'project.git', 'v1')} {address}?tag=v1&subdir=docs /docs/\n"
        "COPY --from=other text /other\n"
    )
    for _ in range(2):
        done = program.succeed(
            "assemble", "--progress=plain", "-t", "added", "--build-context", f"other={address}#v1:docs", tmp_path / "c"
        )
    assert "Everything was cached" in done.errors
    assert files(program, "added", tmp_path) == {
        "bin/tool": (0o755, b"#!/bin/sh\n"),
        "src/run": (0o755, b"#!/bin/sh\n"),
        "src/Dockerfile": (0o644, b"FROM scratch\nCOPY run docs /\n"),
        "docs/text": (0o644, b"one\n"),
        "other": (0o644, b"one\n"),
    }


def test_a_file_that_changes_is_added_again_and_only_then(
    program: Program, web: Web, site: Path, tmp_path: Path
) -> None:
    dockerfile = f"FROM scratch\nADD {web.address}/changing /x\n".encode()
    for text in (b"1", b"1", b"2"):
        (site / "changing").write_bytes(text)
        program.succeed("assemble", "-t", "changing", "-f", "-", stdin=dockerfile)
        assert files(program, "changing", tmp_path) == {"x": (0o600, text)}
    assert web.bodies("/changing") == 2


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("ADD {web}/nothing /x", Failure(5, "transport", "the server answers 404", "address", ">>> ADD")),
        ("ADD --checksum=sha256:" + "0" * 64 + " {web}/git/project.git /x", Failure(3, "dockerfile", "no commit id")),
        ("ADD --checksum=sha256:00 {web}/plain /x", Failure(3, "dockerfile", "no checksum of a file", "", ">>> ADD")),
        ("ADD --checksum=sha256:00 plain /x", Failure(3, "dockerfile", "is for one remote source", "own", ">>> ADD")),
        ("ADD {web}/git/project.git#../x:y /x", Failure(4, "context", "has no branch", "", ">>> ADD")),
        ("ADD {web}/git/project.git#-x /x", Failure(3, "dockerfile", "no name that git knows", "REF", ">>> ADD")),
        ("COPY --from=other / /", Failure(4, "context", "which is no tar archive", "ADD URL")),
    ],
)
def test_what_can_not_be_added(program: Program, web: Web, site: Path, line: str, failure: Failure) -> None:
    (site / "plain").write_text("text\n")
    text = f"FROM scratch\n{line.format(web=web.address)}\n".replace(">>> ", "")
    failure.check(
        program.run("assemble", "--build-context", f"other={web.address}/plain", "-f", "-", stdin=text.encode())
    )


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/git/project.git#nothing", Failure(4, "context", "has no branch, tag or other ref “nothing”")),
        ("/git/project.git#v1:docs", Failure(4, "context", "has no Dockerfile at its top; there is: text")),
        ("/empty", Failure(4, "context", "is empty; a tar archive or a Dockerfile was expected")),
        ("/none", Failure(5, "transport", "the server answers 404")),
        ("/git/none.git", Failure(5, "transport", "can't be read", "check its address")),
    ],
)
def test_what_is_no_context(program: Program, web: Web, site: Path, path: str, failure: Failure) -> None:
    (site / "empty").write_bytes(b"")
    failure.check(program.run("build", f"{web.address}{path}"))


def test_a_url_of_a_kind_that_is_not_known(program: Program) -> None:
    Failure(4, "context", "is a URL of a kind that is not known", "https://HOST/NAME.git").check(
        program.run("build", "ftp://example.org/x.tar")
    )
