"""The cases of ``tests/dockerfiles``: one folder each, no Python needed to add one.

A folder holds a build context with its ``Dockerfile``, and beside it three names that are not part of the context:

``expect.json``
    ``rule``: one sentence, which rule the case is for.  All else is optional: ``bases`` (default ``["busybox"]``);
    ``arguments`` for the build command, where ``{context}`` stands for the context's path; ``stream``: the context is
    given as a tar on stdin; ``fails``: both must fail, ours with this exit code.  What we do otherwise on purpose, with
    a ``reason``: ``differences``, a list of ``where`` (as the judge names it, ``*`` allowed), and ``refused``, the
    ``exit`` code that we end with though the peer builds an image.  ``elsewhere``: what a place lacks for the case, by
    its name (``user``, ``single-id``, ``container``): a ``reason``, and ``differences`` there, or the ``exit`` code and
    what the error ``says``.
``prepare``
    A shell script that makes what git can't keep: special modes, links, empty directories, archives.
``base/``
    A context of its own that is built first, as the image ``<case>-base``.

Nothing may make the peer's BuildKit panic, as an empty pattern does (``${v#}``): its daemon ends for all other tests.

What is expected of an image is not written anywhere: the peer's result is.  ``PYTHONPATH=tests python -m peers.cases``
writes the table of all rules, ``tests/dockerfiles/README.md``.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parents[1] / "dockerfiles"
_SOCKET = "DOCKERCEPTION.socket"
_NOT_CONTEXT = ("expect.json", "prepare", "base")


class Deliberate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A difference that is meant to be, and why."""

    where: str
    reason: str


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error that is meant to be where the peer sees none: our exit code, and why."""

    exit: int
    reason: str


class Lacking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a place can't do for a case, and why: an error with this exit code that says this, or these differences."""

    reason: str
    exit: int = 0
    says: str = ""
    differences: tuple[str, ...] = ()


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``expect.json``."""

    rule: str
    bases: tuple[str, ...] = ("busybox",)
    arguments: tuple[str, ...] = ()
    stream: bool = False
    fails: int = 0
    refused: Refused | None = None
    differences: tuple[Deliberate, ...] = ()
    elsewhere: dict[str, Lacking] = {}


class Case(msgspec.Struct, frozen=True):
    """A case, ready to be built: ``context`` and ``base`` (if any) are copies that a test may change."""

    name: str
    expect: Expect
    context: Path
    base: Path | None

    @property
    def arguments(self) -> list[str]:
        """The build command's arguments with the context's path filled in."""
        return [argument.replace("{context}", str(self.context)) for argument in self.expect.arguments]

    def context_tar(self, target: Path) -> Path:
        """Write the context as a tar, as GNU tar run by some user would; returns ``target``."""
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(self.context, arcname=".", filter=_owned_by_a_user)
        return target


def names() -> list[str]:
    """The names of all cases."""
    return sorted(path.parent.name for path in FOLDER.glob("*/expect.json"))


def table() -> str:
    """The README of the folder: which rule each case is for, and what we do otherwise on purpose."""
    lines = [
        "# Which rule each case is for",
        "",
        "Made by `tests/peers/cases.py`, which says what a case consists of.",
        "",
    ]
    lines += ["| case | rule | on purpose not as the peer |", "| --- | --- | --- |"]
    for name in names():
        expect = _expect(name)
        reasons = [f"`{one.where}`: {one.reason}" for one in expect.differences]
        if expect.refused:
            reasons.append(f"exit {expect.refused.exit}: {expect.refused.reason}")
        lines.append(f"| {name} | {expect.rule} | {'; '.join(reasons)} |")
    return "\n".join(lines) + "\n"


def load(name: str, work: Path) -> Case:
    """Copy a case into the empty folder ``work`` and prepare it there."""
    source = FOLDER / name
    context = work / "context"
    shutil.copytree(source, context, ignore=lambda folder, _: _NOT_CONTEXT if Path(folder) == source else ())
    _set_plain_modes(context)
    if (source / "prepare").exists():
        subprocess.run(["sh", "-eu", source / "prepare"], cwd=context, check=True, umask=0o022)
    base = work / "base" if (source / "base").exists() else None
    if base:
        shutil.copytree(source / "base", base)
    return Case(name, _expect(name), context, base)


def pack(case: Case, target: Path) -> Path:
    """Write the prepared context and base as one tar that :func:`unpack` reads; returns ``target``."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for folder in filter(None, (case.context, case.base)):
            archive.add(folder, arcname=folder.name)
            for path in filter(Path.is_socket, folder.rglob("*")):  # which tars have no type for
                member = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder)}")
                member.mode, member.pax_headers = path.stat().st_mode & 0o7777, {_SOCKET: "1"}
                archive.addfile(member)
    return target


def unpack(name: str, packed: Path, work: Path) -> Case:
    """The case that was packed, in the empty folder ``work``; its files belong to whoever unpacks it."""
    with tarfile.open(packed) as archive:
        archive.extraction_filter = lambda member, _: member  # all modes; extractall(filter=…) is newer than 3.11.2
        archive.extractall(work)
        for member in archive:
            if _SOCKET in member.pax_headers:
                (work / member.name).unlink()
                os.mknod(work / member.name, stat.S_IFSOCK)
                (work / member.name).chmod(member.mode)
    base = work / "base"
    return Case(name, _expect(name), work / "context", base if base.exists() else None)


def _expect(name: str) -> Expect:
    return msgspec.json.decode((FOLDER / name / "expect.json").read_bytes(), type=Expect)


def _set_plain_modes(folder: Path) -> None:
    """The same modes on every machine, whatever its umask."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _owned_by_a_user(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid, member.gid, member.uname, member.gname = 1000, 1000, "somebody", "somebody"
    return member


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(table())
