"""The tar that goes to a builder that takes nothing else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from dockerception.context.directory import DirectoryContext
from dockerception.engines.daemon import context_tar


def sent(folder: Path, dockerfile: bytes = b"FROM a\n", **more: bytes) -> dict[str, tuple[int, int, bytes]]:
    """Owners and bytes of what is sent."""
    stream = io.BytesIO(b"".join(context_tar.chunks(DirectoryContext(str(folder)), dockerfile, ".ours", more)))
    with tarfile.open(fileobj=stream) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            found[member.name] = (member.uid, member.gid, file.read() if file is not None else b"")
        return found


def test_files_belong_to_root_and_the_dockerfile_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("x")
    (tmp_path / "Dockerfile").write_text("the user's")
    found = sent(tmp_path)
    assert found["below/file"] == (0, 0, b"x")
    assert found["Dockerfile"] == (0, 0, b"the user's")
    assert found[".ours"] == (0, 0, b"FROM a\n")
    assert found[".dockerignore"] == (0, 0, b".dockerignore\n.ours\n")


def test_an_ignore_file_of_the_context_stays_with_one_more_line(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes(b"secret\n")
    found = sent(tmp_path)
    assert found[".dockerignore"][2] == b"secret\n.ours\n"
    assert list(found).count(".dockerignore") == 1


def test_next_to_the_ignore_file_of_podman_that_of_docker_is_an_ordinary_file(tmp_path: Path) -> None:
    """Its rules have been applied, or those of another file were."""
    (tmp_path / ".dockerignore").write_bytes(b"secret\n")
    context = DirectoryContext(str(tmp_path))
    stream = io.BytesIO(b"".join(context_tar.chunks(context, b"", ".ours", ignore_file=context_tar.PODMAN_IGNORE_FILE)))
    with tarfile.open(fileobj=stream) as archive:
        found = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in archive}
    assert found[".dockerignore"] == b"secret\n"
    assert found[".containerignore"] == b".containerignore\n.ours\n"


def test_more_files_are_forgotten_as_well(tmp_path: Path) -> None:
    found = sent(tmp_path, secret=b"value")
    assert found["secret"] == (0, 0, b"value")
    assert found[".dockerignore"][2] == b".dockerignore\n.ours\nsecret\n"
