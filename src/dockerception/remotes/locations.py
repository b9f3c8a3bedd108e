"""What a text that names something remote means (Dockerfile reference, "ADD"; Docker's manual, "Build context").

https://host/file                        a file: an archive, a Dockerfile, anything
https://host/repository.git#ref:subdir   a repository: by its suffix, ...
git://host/path   ssh://host/path   git@host:path     ... or by its scheme
https://host/repository.git?branch=main&subdir=docs   the same with names (Dockerfile 1.18)
"""

from __future__ import annotations

import posixpath
import re
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import msgspec

from ..dockerfile.instructions.sources import is_remote, is_scp_like
from ..errors import UsageError
from ..http.messages import shown

_WEB: Final = ("http://", "https://")
_UNNAMED: Final = "__unnamed__"
_GITHUB: Final = "github.com/"
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_TRUE: Final = {"": True, "1": True, "true": True, "0": False, "false": False}
_KINDS: Final[dict[str, Literal["any", "branch", "tag"]]] = {"ref": "any", "branch": "branch", "tag": "tag"}
_FULL: Final = {"any": "", "branch": "refs/heads/", "tag": "refs/tags/"}


class FileLocation(msgspec.Struct, frozen=True):
    """A file on a web server."""

    url: str

    @property
    def shown(self) -> str:
        """How messages may show it: without what can be secret."""
        return _shown(self.url)

    @property
    def name(self) -> str:
        """What ADD calls the file: the last part of the URL's path."""
        from urllib.parse import unquote

        name = posixpath.basename(unquote(urlsplit(self.url).path).rstrip("/")).replace("\0", "")
        return _UNNAMED if name in ("", ".", "..") else name


class GitLocation(msgspec.Struct, frozen=True, kw_only=True):
    """A directory of a repository as a commit has it.

    ``ref`` is a branch, a tag, a whole commit id, or any name below ``refs/``; empty for the default branch, or what
    the checksum names; ``ref_kind`` limits what it may be.  ``checksum`` is the id of the commit (or the first seven
    digits of it, or more) that the ref has to lead to, or that of an annotated tag on the way there.
    ``keeps_git_dir`` and ``has_submodules`` say what else the directory has.
    """

    remote: str
    ref: str = ""
    ref_kind: Literal["any", "branch", "tag"] = "any"
    subdir: str = ""
    checksum: str = ""
    keeps_git_dir: bool = False
    has_submodules: bool = True

    @property
    def address(self) -> str:
        """The repository's address as messages may show it: without what can be secret."""
        return _shown(self.remote)

    @property
    def shown(self) -> str:
        """How messages may show it, with the ref and the directory."""
        part = f"{self.ref}:{self.subdir}".rstrip(":")
        return f"{self.address}#{part}" if part else self.address


Location = FileLocation | GitLocation


def is_commit(checksum: str) -> bool:
    """Whether a checksum can be that of a repository: a commit id, or its first seven digits or more."""
    return _COMMIT.fullmatch(checksum) is not None


def parse(text: str, *, is_context: bool = False) -> Location | None:
    """What a text names; None if it is a path of this machine.

    ``is_context``: as the context of a build, where ``github.com/owner/repository`` names a repository too.
    Raises ``UsageError`` for what is remote and has a part that can't be.
    """
    if is_context and text.startswith(_GITHUB):
        text = f"https://{text}"
        return _repository(text)
    if not is_remote(text):
        return None
    try:
        parts = urlsplit(text)
        is_file = text.lower().startswith(_WEB) and not parts.path.endswith(".git")
    except ValueError as error:
        hint = "write [ and ] around an IPv6 address, and nowhere else"
        raise UsageError(f"“{shown(text)}” is not a URL: {error}.", hint=hint) from error
    return FileLocation(urlunsplit(parts._replace(fragment=""))) if is_file else _repository(text)


def _repository(text: str) -> GitLocation:
    before, _, fragment = text.partition("#")
    remote, _, query = before.partition("?")
    if not is_scp_like(remote) and not urlsplit(remote).hostname:
        raise _wrong(text, "it names no host")
    found = _of_query(text, GitLocation(remote=remote), query)
    ref, _, subdir = fragment.partition(":")
    if ref and found.ref and ref != _FULL[found.ref_kind] + found.ref:
        raise _wrong(text, f"“{ref}” after # is not what the part after ? names")
    if subdir and found.subdir and subdir != found.subdir:
        raise _wrong(text, f"“{subdir}” after # is not the directory that the part after ? names")
    return _checked(text, msgspec.structs.replace(found, ref=found.ref or ref, subdir=found.subdir or subdir))


def _of_query(text: str, location: GitLocation, query: str) -> GitLocation:
    changes: dict[str, object] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        match key:
            case "ref" | "branch" | "tag":
                kind = _KINDS[key]
                new: dict[str, object] = {"ref": value.removeprefix(_FULL[kind]), "ref_kind": kind}
            case "checksum" | "commit":
                new = {"checksum": value}
            case "subdir":
                new = {"subdir": value}
            case "keep-git-dir":
                new = {"keeps_git_dir": _is_true(text, key, value)}
            case "submodules":
                new = {"has_submodules": _is_true(text, key, value)}
            case _:
                raise _wrong(text, f"“{key}” is unknown after ?")
        if not changes.keys().isdisjoint(new):
            raise _wrong(text, f"“{key}” says again what is said before it")
        changes |= new
    return msgspec.structs.replace(location, **changes)


def _is_true(text: str, key: str, value: str) -> bool:
    if value.lower() not in _TRUE:
        raise _wrong(text, f"“{key}” is neither true nor false")
    return _TRUE[value.lower()]


def _checked(text: str, location: GitLocation) -> GitLocation:
    """The location with a clean ``subdir``; nothing in it can be taken for an option of git."""
    if location.remote.startswith("-") or location.ref.startswith("-") or set(location.ref) & set(" ~^:?*[\\"):
        raise _wrong(text, f"“{location.ref or location.remote}” is no name that git knows")
    subdir = posixpath.normpath(location.subdir.lstrip("/")) if location.subdir.strip("/") else ""
    if subdir == ".." or subdir.startswith("../"):
        raise _wrong(text, f"the directory “{location.subdir}” is outside the repository")
    if location.checksum and not is_commit(location.checksum):
        raise _wrong(text, f"“{location.checksum}” is no commit id")
    return msgspec.structs.replace(location, subdir="" if subdir == "." else subdir)


def _shown(text: str) -> str:
    return text if is_scp_like(text) else shown(text)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"The repository “{_shown(text)}” can't be used: {why}.",
        hint="write …/repository.git#REF:DIRECTORY, or …/repository.git?ref=REF&subdir=DIRECTORY"
        " (branch, tag, checksum, keep-git-dir, submodules)",
    )
