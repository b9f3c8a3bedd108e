"""Layer tars become trees; hostile ones become errors and touch nothing else."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import ImageError, StreamError
from dockerception.oci import tarwriter
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.sandbox.messages import Unpacked

from .conftest import Lab

MTIME = 1_234_567_890


def tar(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A pax archive of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            info, content = member if isinstance(member, tuple) else (member, b"")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A header; ``fields`` are attributes of ``TarInfo``."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, 0o644, MTIME
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def unpack(lab: Lab, archive: bytes, name: str = "new", below: tuple[str, ...] = ()) -> tuple[Path, Unpacked]:
    """Unpack in small pieces; returns the tree."""
    pieces = [archive[start : start + 1000] for start in range(0, len(archive), 1000)]
    done = lab.sandbox.unpack(str(lab.tree(name)), pieces, below=below, origin="The layer under test")
    return lab.tree(name), done


def test_every_kind_of_entry(lab: Lab) -> None:
    capability = "\x01\x00\x00\x02\x00\x20" + "\x00" * 14
    tree, done = unpack(
        lab,
        tar(
            member("dir", tarfile.DIRTYPE, mode=0o2750, uid=12, gid=34),
            (member("dir/file", uid=1000, gid=2000, mode=0o4755), b"content"),
            (member("dir/private", mode=0o000, pax_headers={"SCHILY.xattr.user.note": "hello"}), b"x"),
            (member("ping", mode=0o755, uid=5, pax_headers={"SCHILY.xattr.security.capability": capability}), b"elf"),
            member("link", tarfile.SYMTYPE, linkname="/dir/file", uid=3),
            member("hard", tarfile.LNKTYPE, linkname="dir/file"),
            member("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o620),
            member("loop", tarfile.BLKTYPE, devmajor=7, devminor=9),
            member("pipe", tarfile.FIFOTYPE, mode=0o640),
        ),
    )
    assert (done.entries, done.size, done.absent, done.absent_xattrs) == (9, 11, (), ())
    status = {name: os.lstat(tree / name) for name in ("dir", "dir/file", "ping", "link", "null", "loop", "pipe")}
    assert (stat.S_IMODE(status["dir"].st_mode), status["dir"].st_uid, status["dir"].st_gid) == (0o2750, 12, 34)
    file = status["dir/file"]
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid, file.st_nlink) == (0o4755, 1000, 2000, 2)
    assert (tree / "dir/file").read_bytes() == b"content"
    assert os.getxattr(tree / "dir/private", "user.note") == b"hello"
    assert os.getxattr(tree / "ping", "security.capability") == capability.encode("latin-1")
    assert (os.readlink(tree / "link"), status["link"].st_uid) == ("/dir/file", 3)
    assert (tree / "hard").samefile(tree / "dir/file")
    assert stat.S_ISCHR(status["null"].st_mode)
    assert status["null"].st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE(status["null"].st_mode) == 0o620
    assert stat.S_ISBLK(status["loop"].st_mode)
    assert stat.S_ISFIFO(status["pipe"].st_mode)
    assert {each.st_mtime for each in status.values()} == {float(MTIME)}


def test_whiteouts_and_opaque_directories(lab: Lab) -> None:
    tree, _ = unpack(
        lab,
        tar(
            member("data", tarfile.DIRTYPE, mode=0o755),
            member("data/.wh.one"),
            member("data/sub", tarfile.DIRTYPE, mode=0o755),
            member("data/sub/.wh..wh..opq"),
            (member("data/sub/three"), b"3"),
            member(".wh..wh.plnk", tarfile.DIRTYPE),
            member(".wh..wh.plnk/1.2"),
        ),
    )
    assert not (tree / ".wh..wh.plnk").exists()
    status = os.lstat(tree / "data/one")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert os.getxattr(tree / "data/sub", "user.overlay.opaque") == b"y"
    _, said = lab.sh("ls /data /data/sub", layers=("busybox", "new"))
    assert said.split() == ["/data:", "sub", "/data/sub:", "three"]


def test_a_whiteout_hides_only_what_lies_below(lab: Lab) -> None:
    for number, order in enumerate(((0, 1), (1, 0))):
        parts = (
            (member("data/.wh.sub"), member("data/sub", tarfile.DIRTYPE, mode=0o755)),
            ((member("data/sub/three"), b"3"),),
        )
        archive = tar(*[each for index in order for each in parts[index]])
        unpack(lab, archive, f"new-{number}")
        assert lab.sh("ls /data/sub", layers=("busybox", f"new-{number}"))[1].split() == ["three"]
    unpack(lab, tar((member("data/one"), b"1"), member("data/.wh.one")), "files")
    assert lab.sh("cat /data/one", layers=("busybox", "files"))[1] == "1"


def test_the_last_entry_of_a_path_wins(lab: Lab) -> None:
    tree, _ = unpack(
        lab,
        tar(
            (member("a"), b"first"),
            (member("a"), b"second"),
            member("b", tarfile.DIRTYPE, mode=0o700),
            (member("b/inside"), b"gone"),
            (member("b"), b"now a file"),
            member("c", tarfile.SYMTYPE, linkname="/etc"),
            member("c", tarfile.DIRTYPE, mode=0o755),
            (member("c/real"), b"here"),
            member("d", tarfile.DIRTYPE, mode=0o700),
            member("d", tarfile.DIRTYPE, mode=0o711),
        ),
    )
    assert (tree / "a").read_bytes() == b"second"
    assert (tree / "b").read_bytes() == b"now a file"
    assert not (tree / "c").is_symlink()
    assert (tree / "c/real").read_bytes() == b"here"
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o711


def test_holes_stay_holes(lab: Lab) -> None:
    size = 64 << 20
    source = lab.root / "tmp/test-sparse"
    with source.open("wb") as file:
        file.write(b"start")
        file.seek(size // 2)
        file.write(b"middle")
        file.truncate(size)
    os.system(f"cd {source.parent} && tar --sparse -cf test-sparse.tar test-sparse")
    tree, _ = unpack(lab, (source.parent / "test-sparse.tar").read_bytes())
    status = (tree / "test-sparse").stat()
    assert status.st_size == size
    assert status.st_blocks * 512 < 1 << 20
    assert (tree / "test-sparse").read_bytes() == source.read_bytes()


def test_implied_directories_look_as_below(lab: Lab) -> None:
    os.chmod(lab.tree("busybox") / "data/sub", 0o710)
    os.chown(lab.tree("busybox") / "data/sub", 7, 8)
    os.utime(lab.tree("busybox") / "data/sub", (1_000_000_000, 1_000_000_000))
    os.chmod(lab.tree("busybox"), 0o711)
    tree, _ = unpack(lab, tar((member("data/sub/new/file"), b"x")), below=("busybox",))
    status = (tree / "data/sub").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o710, 7, 8)
    assert stat.S_IMODE((tree / "data/sub/new").stat().st_mode) == 0o755
    assert stat.S_IMODE(tree.stat().st_mode) == 0o711


def test_nothing_inherits_a_group(lab: Lab) -> None:
    """Neither from a directory of the layers below nor from where the store lies."""
    shared = member("shared", tarfile.DIRTYPE, mode=0o2775, gid=34, mtime=MTIME - 1)
    unpack(lab, tar(shared), "below")
    os.chmod(lab.tree("new").parent, 0o2755)
    os.chown(lab.tree("new").parent, -1, 56)
    link = member("fresh/link", tarfile.SYMTYPE, linkname="x")
    new = [member("shared/file"), member("shared/in", tarfile.DIRTYPE, mode=0o755), link]
    tree, _ = unpack(lab, tar(*new), below=("below",))
    found = {path: os.lstat(tree / path) for path in ("", "shared", "shared/file", "shared/in", "fresh", "fresh/link")}
    assert {path: status.st_gid - os.getgid() for path, status in found.items() if path != "shared"} == dict.fromkeys(
        ("", "shared/file", "shared/in", "fresh", "fresh/link"), 0
    )
    assert stat.S_IMODE(found["shared/in"].st_mode) == 0o755
    assert stat.S_IMODE(found["shared"].st_mode) == 0o2775
    assert found["shared"].st_mtime == MTIME - 1


def test_links_within_the_layer_are_followed(lab: Lab) -> None:
    tree, _ = unpack(
        lab,
        tar(
            member("usr/lib", tarfile.DIRTYPE, mode=0o755),
            member("lib", tarfile.SYMTYPE, linkname="/usr/lib"),
            (member("lib/so"), b"library"),
            member("run-link", tarfile.SYMTYPE, linkname="/run/later"),
            (member("run-link/pid"), b"1"),
        ),
    )
    assert (tree / "usr/lib/so").read_bytes() == b"library"
    assert (tree / "run/later/pid").read_bytes() == b"1"


def test_a_link_to_the_host_stays_inside(lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    up = "../" * 30
    tree, _ = unpack(
        lab,
        tar(
            member("absolute", tarfile.SYMTYPE, linkname=str(outside)),
            (member("absolute/victim"), b"overwritten"),
            member("relative", tarfile.SYMTYPE, linkname=f"{up}{outside}"),
            (member("relative/other"), b"escaped"),
            member("file-link", tarfile.SYMTYPE, linkname=str(outside / "victim")),
            (member("file-link"), b"replaces the link"),
            member(f"absolute/.wh.{outside.name}"),
        ),
    )
    assert (outside / "victim").read_text() == "safe"
    assert sorted(os.listdir(outside)) == ["victim"]
    assert (tree / str(outside)[1:] / "victim").read_bytes() == b"overwritten"
    assert (tree / "file-link").read_bytes() == b"replaces the link"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([(member("../escape"), b"x")], "leads out of the archive"),
        ([member("etc/shadow", tarfile.LNKTYPE, linkname="../../etc/shadow")], "leads out of the archive"),
        ([member("hard", tarfile.LNKTYPE, linkname="etc/passwd")], "not in this layer"),
        ([(member("file"), b"x"), (member("file/below"), b"y")], "not a directory"),
        ([member("x", tarfile.CHRTYPE, devmajor=0, devminor=0)], "device 0:0"),
        ([(member("x", pax_headers={"SCHILY.xattr.user.overlay.opaque": "y"}), b"")], "user.overlay.opaque"),
        ([(member("x", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/"}), b"")], "trusted.overlay.redirect"),
        ([member("loop", tarfile.SYMTYPE, linkname="loop"), (member("loop/x"), b"")], "can't be made"),
        ([(member("n" * 300), b"")], "can't be made"),
        ([member("odd", b"Z")], "type"),
        ([member("data/.wh.")], "name of a file"),
        ([member(".wh...")], "name of a file"),
    ],
)
def test_hostile_entries(lab: Lab, members: list[tarfile.TarInfo], message: str) -> None:
    with pytest.raises((ImageError, StreamError), match=message) as caught:
        unpack(lab, tar(*members))
    assert "The layer under test" in str(caught.value)


def test_absolute_names_are_relative_to_the_tree(lab: Lab) -> None:
    tree, _ = unpack(lab, tar((member("/absolute/file"), b"x")))
    assert (tree / "absolute/file").read_bytes() == b"x"


@pytest.mark.parametrize("length", [100, 700, 1500])
def test_a_truncated_tar(lab: Lab, length: int) -> None:
    archive = tar((member("file"), b"x" * 1000))
    with pytest.raises(StreamError, match="truncated"):
        unpack(lab, archive[:length])


def test_an_error_of_the_stream_is_the_callers_own(lab: Lab) -> None:
    def stream() -> Iterator[bytes]:
        yield tar((member("file"), b"x"))[:512]
        raise ImageError("the digest is wrong")

    with pytest.raises(ImageError, match="the digest is wrong"):
        lab.sandbox.unpack(str(lab.tree("new")), stream())


def test_an_early_error_does_not_wait_for_the_stream(lab: Lab) -> None:
    def stream() -> Iterator[bytes]:
        yield tar((member("../x"), b""))
        while True:
            yield bytes(1 << 20)

    with pytest.raises(StreamError, match="leads out"):
        lab.sandbox.unpack(str(lab.tree("new")), stream())


def test_unpacking_and_writing_out_is_the_identity(lab: Lab, tmp_path: Path) -> None:
    upper = lab.change(
        "mkdir -p /a/b; echo x > /a/b/c; ln /a/b/c /a/d; ln -s b /a/l; mkfifo /a/p; rm -r /data; mkdir /data;"
        " head -c 700000 /dev/urandom > /a/big; chmod 4711 /a/big; chown 3:4 /a/big; rm /bin/ls"
    )
    toc = lab.sandbox.diff(upper).toc
    path = tmp_path / "layer.tar"
    with path.open("wb") as file:
        written = lab.sandbox.write_tar(upper, toc, file.fileno())
    assert path.stat().st_size == written.size
    tree, done = unpack(lab, path.read_bytes())
    assert lab.sandbox.diff(str(tree)).toc.encode() == toc.encode()
    assert done.size == toc.size


def test_writing_a_tar_checks_the_files(lab: Lab, tmp_path: Path) -> None:
    import hashlib

    from dockerception.errors import StoreError

    def contents(entry: Entry) -> list[bytes]:
        return [Path(upper, entry.path).read_bytes()]

    upper = lab.change("echo one > /file; echo two > /other")
    toc = lab.sandbox.diff(upper).toc
    with (tmp_path / "layer.tar").open("wb") as file:
        written = lab.sandbox.write_tar(upper, toc, file.fileno())
    expected = b"".join(tarwriter.write(toc, contents))
    assert (tmp_path / "layer.tar").read_bytes() == expected
    assert written.digest == hashlib.sha256(expected).digest()
    for change in ("other", "on", "twice as long"):
        Path(upper, "file").write_text(change)
        with pytest.raises(StoreError, match="has changed"):
            lab.sandbox.write_tar(upper, toc, os.open(os.devnull, os.O_WRONLY))
    Path(upper, "file").unlink()
    with pytest.raises(StoreError, match="“file” can't be read"):
        lab.sandbox.write_tar(upper, Toc.of(toc), os.open(os.devnull, os.O_WRONLY))


def test_reading_a_file(lab: Lab, tmp_path: Path) -> None:
    tree = lab.tree("busybox")
    (tmp_path / "secret").write_text("secret")
    (tree / "evil").symlink_to(tmp_path)
    (tree / "evil-file").symlink_to(tmp_path / "secret")
    with open(lab.sandbox.read(str(tree), "data/sub/two"), "rb") as file:
        assert file.read() == b"two\n"
    for path in ("evil/secret", "evil-file", "data", "data/missing", "../../x"):
        with pytest.raises(ImageError, match=path):
            lab.sandbox.read(str(tree), path)


def test_deleting_trees(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("safe")
    unpack(lab, tar(member("d", tarfile.DIRTYPE, mode=0), (member("d/f", uid=9, mode=0), b"x")))
    (lab.tree("new") / "link").symlink_to(tmp_path / "outside")
    lab.sandbox.delete([str(lab.tree("new")), str(lab.tree("never was"))])
    assert not lab.tree("new").exists()
    assert (tmp_path / "outside/file").read_text() == "safe"
    lab.sandbox.delete([])
