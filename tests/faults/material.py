"""What faulty builders write: archives made byte by byte, so that each has exactly one thing wrong, or merely odd."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.tools import need

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

APP: Final = random.Random(1).randbytes(200_000)
"""The contents of ``app`` in a good context: they do not compress."""

DOCKERFILE: Final = b'FROM scratch\nCOPY app /app\nCMD ["/app"]\n'
LONG: Final = f"{'d' * 120}/{'f' * 200}"
"""A name that fits into no field of a tar header."""

_CLOSING: Final = bytes(1024)
_SKIPPABLE_FRAME: Final = b"\x50\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"skipped"


def member(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    uid: int = 0,
    mode: int = 0o644,
    pax: Mapping[str, str] | None = None,
) -> bytes:
    """One member of an archive: its headers, its contents, their padding."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, link, len(content)
    header.uid = header.gid = uid
    header.mode, header.mtime, header.pax_headers = mode, 1_700_000_000, dict(pax or {})
    headers = header.tobuf(tarfile.GNU_FORMAT) if pax is None else header.tobuf(tarfile.PAX_FORMAT)
    return headers + content + bytes(-len(content) % 512)


def claim(name: str, size: int) -> bytes:
    """The header of a file of this many bytes, without them."""
    header = tarfile.TarInfo(name)
    header.size = size
    return header.tobuf(tarfile.GNU_FORMAT)


def closed(*members: bytes) -> bytes:
    """An archive of members, ended as POSIX says."""
    return b"".join(members) + _CLOSING


def context(*members: bytes, dockerfile: bytes = DOCKERFILE) -> bytes:
    """An archive of a Dockerfile, ``app`` and more members."""
    return closed(member("Dockerfile", dockerfile), member("app", APP), *members)


def make(project: Path) -> None:
    """Fill a project: ``out``, a good context; ``streams``, archives; ``Dockerfile``, a builder that works."""
    (project / "Dockerfile").write_text('FROM busybox\nCOPY . /\nCMD ["tar", "-cC", "/out", "."]\n')
    (project / "out").mkdir()
    (project / "out" / "Dockerfile").write_bytes(DOCKERFILE)
    (project / "out" / "app").write_bytes(APP)
    (project / "streams").mkdir()
    for name, stream in {**_wrong(), **_odd()}.items():
        (project / "streams" / name).write_bytes(stream)
    _make_sparse(project)


def _wrong() -> dict[str, bytes]:
    good = context()
    first = len(member("Dockerfile", DOCKERFILE))
    return {
        "log-first": b"+ make app\n" + good,
        "log-between": good[:first] + b"warning: late\n" + good[first:],
        "log-in-contents": good[: first + 5000] + b"warning: inside\n" + good[first + 5000 :],
        "log-after": good + b"done\n",
        "twice": good + good,
        "no-zero-block": good[:-1024],
        "one-zero-block": good[:-512],
        "cut-at-member": good[:first],
        "cut": good[:100_000],
        "cut-in-header": good[: first + 100],
        "cut.gz": gzip.compress(good)[:90_000],
        "log-after.gz": gzip.compress(good) + b"done\n",
        "wrong.gz": _flip(gzip.compress(good), 1000),
        "wrong.zst": _flip(zstd.compress(good, options={zstd.CompressionParameter.checksum_flag: 1}), 4),
        "endless": member("Dockerfile", b"FROM scratch") + claim("app", 8 << 30),
        "no-dockerfile": closed(member("app", APP), member("README", b"read me")),
        "dockerfile-too-deep": closed(
            member("a", kind=tarfile.DIRTYPE), member("a/b", kind=tarfile.DIRTYPE), member("a/b/Dockerfile", DOCKERFILE)
        ),
        "no-entries": closed(),
        "dotdot": context(member("../evil", b"evil")),
        "dotdot-inside": context(member("a/../../evil", b"evil")),
        "hard-link-out": context(member("evil", kind=tarfile.LNKTYPE, link="../../etc/passwd")),
        "hard-link-nowhere": context(member("evil", kind=tarfile.LNKTYPE, link="missing")),
        "below-a-file": context(member("app/more", b"more")),
        "below-a-link": context(member("l", kind=tarfile.SYMTYPE, link="/tmp"), member("l/evil", b"evil")),
        "long-path": context(member("/".join(["d" * 200] * 25), b"", pax={})),
        "bomb": context(_sparse_claim(1 << 50)),
        "overlay-xattr": context(member("x", b"x", pax={"SCHILY.xattr.trusted.overlay.opaque": "y"})),
        "unknown-type": context(member("x", kind=b"M")),
    }


def _odd() -> dict[str, bytes]:
    good = context()
    return {
        "good": good,
        "good.gz": gzip.compress(good, mtime=0),
        "good.bz2": bz2.compress(good),
        "good.xz": lzma.compress(good, preset=0),
        "good.zst": _SKIPPABLE_FRAME + zstd.compress(good[:50_000]) + zstd.compress(good[50_000:]),
        "padded": good + bytes(64 << 10),
        "global-header": _global_header() + good,
        "long-name-gnu": context(member(LONG, b"long")),
        "long-name-pax": context(member(LONG, b"long", pax={"mtime": "1700000000.5"})),
        "hard-link": context(member("hard", kind=tarfile.LNKTYPE, link="app")),
        "xattr": context(member("x", b"x", pax={"SCHILY.xattr.user.colour": "blue"})),
        "absolute": context(member("/etc/motd", b"hello")),
        "dots": context(member("./a/./b//../c", b"c")),
        "twice-the-same-name": context(member("twice", b"first"), member("twice", b"second")),
        "device": context(_device("null"), member("pipe", kind=tarfile.FIFOTYPE)),
        "links": context(
            member("out", kind=tarfile.SYMTYPE, link="../../../../etc/passwd"),
            member("absolute", kind=tarfile.SYMTYPE, link="/etc/passwd"),
            member("inside", kind=tarfile.SYMTYPE, link="/app"),
            member("loop", kind=tarfile.SYMTYPE, link="loop"),
        ),
        "one-directory-down": closed(
            member("project/", kind=tarfile.DIRTYPE, mode=0o755),
            member("project/Dockerfile", DOCKERFILE),
            member("project/app", APP),
            member("project/.dockerignore", b"secret\n"),
            member("project/secret", b"s"),
        ),
        "other-name": closed(member("app", APP), member("deploy/Dockerfile.run", DOCKERFILE)),
        "dockerignore": context(
            member(".dockerignore", b"secret*\nDockerfile\n.dockerignore\n"),
            member("secret", b"s"),
            member("secrets/more", b"s"),
            member("public", b"p"),
            dockerfile=b"FROM scratch\nCOPY . /\n",
        ),
        "owners": context(
            member("nobody", b"n", uid=65_534),
            member("high", b"h", uid=4_000_000_000),
            member("secret", b"s", uid=1234, mode=0o600, pax={"SCHILY.xattr.security.capability": "x"}),
            member("closed", kind=tarfile.DIRTYPE, uid=77, mode=0o700),
            member("closed/in", b"i", uid=77, mode=0o4755),
            dockerfile=b"FROM scratch\nCOPY . /\n",
        ),
    }


def _global_header() -> bytes:
    """What ``git archive`` begins with."""
    buffer = io.BytesIO()
    commit = {"comment": "1f0c2a2ba1ed25e9f1ad6ad3bff1b5bd33bbd1c1"}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=commit):
        pass
    return buffer.getvalue()[:1024]


def _device(name: str) -> bytes:
    header = tarfile.TarInfo(name)
    header.type, header.devmajor, header.devminor = tarfile.CHRTYPE, 1, 3
    return header.tobuf(tarfile.GNU_FORMAT)


def _sparse_claim(size: int) -> bytes:
    """A file that says that it has this many bytes, all of them holes."""
    records = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(size)}
    records |= {"GNU.sparse.map": f"{size},0", "GNU.sparse.numblocks": "1", "GNU.sparse.name": "bomb"}
    return member("bomb", pax=records)


def _flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


def _make_sparse(project: Path) -> None:
    """Streams of GNU tar with a file of 3 MiB that has 6 bytes of data."""
    tar = need("tar")
    folder = project / "sparse"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY sparse /\n")
    with (folder / "sparse").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"middle")
        file.truncate(3 << 20)
    for layout in ("gnu", "posix"):
        command = [tar, "-cSf", os.fspath(project / "streams" / f"sparse-{layout}"), f"--format={layout}", "."]
        subprocess.run(command, cwd=folder, check=True)
