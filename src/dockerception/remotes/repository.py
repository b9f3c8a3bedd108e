"""Repositories of git: which commit a name leads to, and the files of that commit.

The user's own git does it, with the user's configuration: credentials, proxies, ssh keys and agents are found as when
they clone by hand.  Only the protocols http, https, ssh and git are allowed, and no hook runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import ContextError, TransportError
from ..process import Completed, require, run
from .locations import GitLocation

_WHOLE_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MISSING: Final = re.compile(rb"not found|does not exist|does not appear to be a git repository", re.IGNORECASE)
_REFUSED: Final = re.compile(rb"could not read (Username|Password)|Authentication failed|Permission denied|40[13]")
# What a hook or a tool around us may have set for a repository of its own would lead git astray.
_FOREIGN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
_OPTIONS: Final = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.autocrlf=false"),
    *("-c", "core.symlinks=true"),
    *("-c", "advice.detachedHead=false"),
    *("-c", "http.lowSpeedLimit=1"),  # a server that has died must not be waited for without end
    *("-c", "http.lowSpeedTime=60"),
)


class Repository:
    """The repository of a location.  Raises ``TransportError`` for what git can't reach, and ``MachineError`` where
    there is no git."""

    def __init__(self, location: GitLocation) -> None:
        self._location = location
        self._git = require("git", "git", f"for the repository {self.name}")

    @property
    def name(self) -> str:
        """The repository's address as messages may show it."""
        return self._location.address

    def resolve(self) -> tuple[str, str]:
        """The commit that the location's ref leads to, and the full name of the ref; empty for a commit id.

        A branch goes before a tag of its name.  Raises ``ContextError`` if there is no such ref, or if it leads to
        something else than the checksum says.
        """
        location = self._location
        ref = location.ref or location.checksum
        if location.ref_kind == "any" and _WHOLE_ID.fullmatch(ref):
            self._check(ref)
            return ref, ""
        names = [ref, f"{ref}^{{}}"] if location.ref else ["HEAD"] if not location.checksum else []
        listed = self._run(["ls-remote", "--quiet", "--", location.remote, *names])
        lines = (line.partition("\t") for line in listed.stdout.decode(errors="replace").splitlines())
        ids = {name: commit for commit, _, name in lines}
        full = next((full for full in _candidates(location, ids) if full in ids), "")
        if not full:
            raise ContextError(
                f"The repository {self.name} has no {_described(location)}.",
                hint="name a branch, a tag, or a whole commit id",
            )
        commit = ids.get(f"{full}^{{}}", ids[full])
        self._check(commit, ids[full])
        return commit, full

    def _check(self, commit: str, *others: str) -> None:
        if not any(each.startswith(self._location.checksum) for each in (commit, *others)):
            raise ContextError(
                f"The repository {self.name} has the commit {commit} there, not {self._location.checksum}.",
                hint="if that is meant, change the checksum",
            )

    def check_out(self, commit: str, ref: str, folder: str) -> int:
        """Put the files of a commit into a new folder; returns the commit's time in seconds since 1970.

        History is not fetched where the server allows it.
        """
        location = self._location
        self._run(["init", "--quiet", "--template=", folder])
        inside = ["-C", folder]
        self._run([*inside, "remote", "add", "origin", self.name if location.keeps_git_dir else location.remote])
        self._fetch(inside, commit, ref)
        done = self._run([*inside, "checkout", "--quiet", "--detach", commit], check=False)
        if done.returncode:
            raise ContextError(
                f"The repository {self.name} has no commit {commit}.",
                details=_tail(done),
                hint="a ref may have moved meanwhile; try again",
            )
        if location.has_submodules and os.path.exists(os.path.join(folder, ".gitmodules")):
            self._run([*inside, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])
        return int(self._run([*inside, "show", "--no-patch", "--format=%ct", commit]).stdout)

    def _fetch(self, inside: Sequence[str], commit: str, ref: str) -> None:
        fetch = [*inside, "fetch", "--quiet", "--no-tags"]
        remote = self._location.remote
        if self._run([*fetch, "--depth=1", "--", remote, ref or commit], check=False).returncode:
            # Not every server gives a commit by its id, or one without those before it.
            self._run([*fetch, "--", remote, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"])

    def _run(self, arguments: Sequence[str], *, check: bool = True) -> Completed:
        done = run([self._git, *_OPTIONS, *arguments], environment=_environment(os.environ), check=False)
        if check and done.returncode:
            raise self._failure(done)
        return done

    def _failure(self, done: Completed) -> TransportError:
        hint = "try “git ls-remote” with it"
        if _REFUSED.search(done.stderr):
            hint = "let git know the credentials (a credential helper, or an ssh agent): it is not asked for them here"
        elif _MISSING.search(done.stderr):
            hint = "check its address; servers also say so of repositories that one may not see"
        return TransportError(f"The repository {self.name} can't be read.", details=_tail(done), hint=hint)


def _candidates(location: GitLocation, ids: Mapping[str, str]) -> list[str]:
    """The full names that a ref can have, the first before the others; those of ``ids`` that a checksum alone names."""
    ref = location.ref
    if not ref:
        named = [name.removesuffix("^{}") for name, found in ids.items() if found.startswith(location.checksum)]
        return [*named, "HEAD"]
    found = {"branch": [f"refs/heads/{ref}"], "tag": [f"refs/tags/{ref}"]}
    return found.get(location.ref_kind, [*found["branch"], *found["tag"], f"refs/{ref.removeprefix('refs/')}"])


def _described(location: GitLocation) -> str:
    if not location.ref:
        return "default branch"
    kind = {"branch": "branch", "tag": "tag"}.get(location.ref_kind, "branch, tag or other ref")
    return f"{kind} “{location.ref}”"


def _tail(done: Completed) -> str:
    return done.stderr[-1000:].decode(errors="replace").strip()


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _FOREIGN}
    ours = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "http:https:ssh:git", "GIT_LFS_SKIP_SMUDGE": "1"}
    return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **kept, **ours, "LC_ALL": "C"}
