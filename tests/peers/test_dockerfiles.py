"""Every case of ``tests/dockerfiles``, built by Docker and by dockerception: the images must be the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from peers import cases
from peers.compare import compare
from peers.program import assemble, succeed
from support.bases import Base
from support.docker import Docker, DockerFailed

Bases = Callable[[str], Base]


@pytest.mark.parametrize("name", cases.names())
def test_both_build_the_same_image(name: str, tmp_path: Path, docker: Docker, docker_base: Bases, store: Path) -> None:
    case = cases.load(name, tmp_path)
    bases = [docker_base(base) for base in case.expect.bases]
    if case.expect.fails:
        with pytest.raises(DockerFailed):
            by_docker(case, docker, tmp_path / "expected.tar")
        check_refusal(case, bases, store, case.expect.fails)
        return
    expected = by_docker(case, docker, tmp_path / "expected.tar")
    if case.expect.refused:
        check_refusal(case, bases, store, case.expect.refused.exit)
        return
    got = by_dockerception(case, bases, store, tmp_path / "got.tar")
    found = compare(expected, got)
    deliberate = [one.where for one in case.expect.differences]
    surprises = [str(one) for one in found if not any(fnmatchcase(one.where, pattern) for pattern in deliberate)]
    assert not surprises, "\n".join([case.expect.rule, *surprises])
    stale = [pattern for pattern in deliberate if not any(fnmatchcase(one.where, pattern) for one in found)]
    assert not stale, f"declared in expect.json, but not a difference any more: {stale}"


def check_refusal(case: cases.Case, bases: Sequence[Base], store: Path, code: int) -> None:
    """We fail with that exit code and write no image."""
    target = case.context.parent / "got.tar"
    done = assemble(case.context, f"case-{case.name}", bases, store, output=target, arguments=case.arguments)
    assert done.returncode == code, done.stderr.decode(errors="replace")
    assert not target.exists()


def by_docker(case: cases.Case, docker: Docker, target: Path) -> Path:
    """Build and save with the oracle."""
    if case.base:
        docker.build(case.base, tag=f"{case.name}-base")
    context = case.context_tar(case.context.parent / "context.tar").read_bytes() if case.expect.stream else case.context
    return docker.save(docker.build(context, *case.arguments), target)


def by_dockerception(case: cases.Case, bases: Sequence[Base], store: Path, target: Path) -> Path:
    """Build and save with the program under test."""
    if case.base:
        succeed(assemble(case.base, f"{case.name}-base", bases, store))
    context = case.context_tar(case.context.parent / "context.tar") if case.expect.stream else case.context
    succeed(assemble(context, f"case-{case.name}", bases, store, output=target, arguments=case.arguments))
    return target
