"""Every case of ``tests/dockerfiles``, built by Docker and by dockerception: the images must be the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from peers import cases
from peers.archive import read_image
from peers.compare import differences
from peers.oracle import Oracle
from peers.program import assemble, succeed
from support.bases import Base
from support.place import HERE

Bases = Callable[[str], Base]


@pytest.mark.parametrize("name", cases.names())
def test_both_build_the_same_image(name: str, tmp_path: Path, oracle: Oracle, base: Bases, store: Path) -> None:
    case = oracle.case(name, tmp_path)
    expect, lacking = case.expect, case.expect.elsewhere.get(HERE)
    expected = oracle.image(case)
    done, target = by_dockerception(case, [base(each) for each in expect.bases], store)
    code = expect.fails or (expect.refused.exit if expect.refused else lacking.exit if lacking else 0)
    assert (expected is None) == bool(expect.fails), "expect.json and the peer are not of one mind"
    if code:
        assert done.returncode == code, done.stderr.decode(errors="replace")
        assert not target.exists()
        assert lacking is None or lacking.says in done.stderr.decode()
        return
    succeed(done)
    assert expected is not None
    found = differences(expected, read_image(target))
    allowed = [one.where for one in expect.differences] + list(lacking.differences if lacking else ())
    surprises = [str(one) for one in found if not any(fnmatchcase(one.where, pattern) for pattern in allowed)]
    assert not surprises, "\n".join([expect.rule, *surprises])
    stale = [pattern for pattern in allowed if not any(fnmatchcase(one.where, pattern) for one in found)]
    assert not stale, f"declared in expect.json, but not a difference any more: {stale}"


def by_dockerception(
    case: cases.Case, bases: Sequence[Base], store: Path
) -> tuple[subprocess.CompletedProcess[bytes], Path]:
    """Build with the program under test; returns how that ended, and where the image then is."""
    target = case.context.parent / "got.tar"
    if case.base:
        succeed(assemble(case.base, f"{case.name}-base", bases, store))
    context = case.context_tar(case.context.parent / "context.tar") if case.expect.stream else case.context
    return assemble(context, f"case-{case.name}", bases, store, output=target, arguments=case.arguments), target
