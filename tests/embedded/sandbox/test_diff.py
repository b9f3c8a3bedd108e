"""What a run changed, as entries of a layer."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from dockerception.oci.entry import Entry
from dockerception.sandbox.messages import Mount

from .conftest import OLD, Lab


def diff(lab: Lab, script: str, **options: object) -> dict[str, Entry]:
    """The entries that a script leaves; without the root, the system directories, and copies that equal what is below.

    Overlay copies a directory up before something is made in it, and it stays when that is removed again.
    """
    found = lab.sandbox.diff(lab.change(script, **options))
    assert found.warnings == ()
    return {
        entry.path: entry
        for entry in found.toc
        if entry.path not in ("", "dev", "proc", "sys") and not (entry.path in ("etc", "tmp") and entry.mtime == OLD)
    }


def test_nothing_changed(lab: Lab) -> None:
    toc = lab.sandbox.diff(lab.change("true")).toc
    assert [entry.path for entry in toc if entry.path != "etc"] == [""]
    etc = toc.find("etc")
    assert etc is None or etc.mtime == OLD


def test_the_root_keeps_its_attributes(lab: Lab) -> None:
    os.chmod(lab.tree("busybox"), 0o750)
    os.chown(lab.tree("busybox"), 12, 34)
    root = lab.sandbox.diff(lab.change("true")).toc.find("")
    assert root is not None
    assert (root.mode, root.uid, root.gid, root.mtime) == (0o750, 12, 34, OLD)


def test_files_directories_and_links(lab: Lab) -> None:
    found = diff(
        lab,
        "umask 027; echo hello > /file; mkdir -p /new/sub; ln -s ../nowhere /new/link; : > /new/empty;"
        " touch -d @1234567890 /file; chmod 4755 /file; chown 7:8 /new; chmod 1777 /new",
    )
    assert sorted(found) == ["file", "new", "new/empty", "new/link", "new/sub"]
    file = found["file"]
    assert (file.kind, file.mode, file.size, file.mtime) == ("file", 0o4755, 6, 1_234_567_890)
    assert file.digest == hashlib.sha256(b"hello\n").digest()
    assert found["new/empty"].digest == hashlib.sha256(b"").digest()
    assert (found["new"].mode, found["new"].uid, found["new"].gid) == (0o1777, 7, 8)
    assert (found["new/link"].kind, found["new/link"].link) == ("symlink", "../nowhere")
    assert (found["new/sub"].mode, found["new/sub"].is_opaque) == (0o750, False)


def test_removed_files_and_directories(lab: Lab) -> None:
    found = diff(lab, "rm /data/one; rm -r /data/sub")
    assert [(path, entry.kind) for path, entry in found.items()] == [
        ("data", "directory"),
        ("data/one", "whiteout"),
        ("data/sub", "whiteout"),
    ]
    assert not found["data"].is_opaque


def test_a_directory_that_was_removed_and_made_again_is_opaque(lab: Lab) -> None:
    found = diff(lab, "rm -r /data; mkdir /data; echo x > /data/new")
    assert found["data"].is_opaque
    assert sorted(found) == ["data", "data/new"]
    assert found["data"].xattrs == ()


def test_a_directory_that_becomes_a_file_and_a_file_that_becomes_a_directory(lab: Lab) -> None:
    found = diff(lab, "rm -r /data/sub /data/one; echo x > /data/sub; mkdir /data/one")
    assert (found["data/sub"].kind, found["data/one"].kind) == ("file", "directory")


def test_a_directory_that_was_moved(lab: Lab) -> None:
    found = diff(lab, "mv /data /moved")
    assert found["data"].kind == "whiteout"
    assert (found["moved/one"].kind, found["moved/sub/two"].kind) == ("file", "file")
    assert found["moved"].xattrs == ()


def test_changes_of_mode_and_owner_only(lab: Lab) -> None:
    found = diff(lab, "chmod 600 /data/one; chown 5:6 /data/sub")
    assert (found["data/one"].mode, found["data/one"].size) == (0o600, 4)
    assert (found["data/sub"].uid, found["data/sub"].gid) == (5, 6)
    assert "data/sub/two" not in found


def test_hard_links(lab: Lab) -> None:
    found = diff(lab, "mkdir /b; echo x > /b/last; ln /b/last /a-first; ln /b/last /b/middle; ln -s x /b/s; ln /b/s /t")
    assert (found["a-first"].kind, found["a-first"].size) == ("file", 2)
    assert [(found[p].kind, found[p].link) for p in ("b/last", "b/middle")] == [("hardlink", "a-first")] * 2
    assert (found["b/s"].kind, found["t"].kind, found["t"].link) == ("symlink", "hardlink", "b/s")


def test_whiteouts_are_no_hard_links(lab: Lab) -> None:
    found = diff(lab, "rm /data/one /bin/ls /bin/cat")
    assert [found[path].kind for path in ("data/one", "bin/ls", "bin/cat")] == ["whiteout"] * 3


def test_canonical_order_decides_which_link_is_the_file(lab: Lab) -> None:
    # “a/x” comes before “a-b”, though “-” sorts before “/”.
    found = diff(lab, "mkdir /a; echo x > /a-b; ln /a-b /a/x")
    assert (found["a/x"].kind, found["a-b"].kind, found["a-b"].link) == ("file", "hardlink", "a/x")


def test_extended_attributes_and_capabilities(lab: Lab) -> None:
    tree = lab.tree("busybox") / "data/one"
    os.setxattr(tree, "user.note", b"below")
    upper = lab.change("touch /data/one /data/sub; echo > /new")
    # busybox has neither setfattr nor setcap; what they do to the merged root arrives in the upper directory as is.
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(f"{upper}/new", "security.capability", capability)
    os.setxattr(f"{upper}/new", "user.overlay.forged", b"x")
    found = lab.sandbox.diff(upper).toc
    new, one = found.find("new"), found.find("data/one")
    assert new is not None
    assert one is not None
    assert new.xattrs == (("security.capability", capability),)
    assert one.xattrs == (("user.note", b"below"),)


def test_device_nodes_fifos_and_sockets(lab: Lab) -> None:
    upper = lab.change("mknod -m 620 /null c 1 3; mknod /loop b 7 9; mkfifo -m 640 /pipe")
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        directory = os.open(upper, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{directory}/left")  # the path of a socket may have 107 bytes at most
        os.close(directory)
    found = lab.sandbox.diff(upper)
    kinds = {entry.path: (entry.kind, entry.mode, entry.device) for entry in found.toc}
    assert kinds["null"] == ("char", 0o620, (1, 3))
    assert kinds["loop"][::2] == ("block", (7, 9))
    assert kinds["pipe"][:2] == ("fifo", 0o640)
    assert "left" not in kinds
    assert len(found.warnings) == 1
    assert "“/left” is a socket" in found.warnings[0]


def test_a_name_like_a_whiteout_is_left_out_with_a_warning(lab: Lab) -> None:
    found = lab.sandbox.diff(lab.change("touch /.wh.bin /x"))
    assert ".wh.bin" not in found.toc
    assert "x" in found.toc
    assert "“/.wh.bin”" in found.warnings[0]


def test_big_and_sparse_files_have_their_digests(lab: Lab) -> None:
    script = "for n in 1 2 3 4 5; do head -c ${n}00000 /dev/urandom > /f$n; sha256sum /f$n; done; truncate -s 9M /hole"
    upper = lab.fresh()
    result, said = lab.sh(script, upper=upper, work=lab.fresh())
    assert result.returncode == 0
    toc = lab.sandbox.diff(upper).toc
    expected = {line.split()[1][1:]: line.split()[0] for line in said.splitlines()}
    assert {f"f{n}": toc.find(f"f{n}").digest.hex() for n in range(1, 6)} == expected  # type: ignore[union-attr]
    hole = toc.find("hole")
    assert hole is not None
    assert (hole.size, hole.digest) == (9 << 20, hashlib.sha256(bytes(9 << 20)).digest())


def test_very_deep_directories(lab: Lab) -> None:
    upper, name = lab.fresh(), "d" * 120
    os.mkdir(upper)
    before = os.getcwd()
    os.chdir(upper)
    for _ in range(60):  # a path of 7260 bytes, where system calls take 4095
        os.mkdir(name)
        os.chdir(name)
    Path("file").write_text("deep")
    os.chdir(before)
    found = [entry for entry in lab.sandbox.diff(upper).toc if entry.kind == "file"]
    assert [entry.path for entry in found] == ["/".join([name] * 60) + "/file"]
    lab.sandbox.delete([upper])
    assert not os.path.lexists(upper)


def test_names_that_are_not_utf8(lab: Lab) -> None:
    found = diff(lab, "touch $(printf '/caf\\351')")
    assert list(found) == ["caf\udce9"]


def test_mount_points_leave_nothing(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("here\n")
    (tmp_path / "source/file").chmod(0o644)
    cache = lab.root / "cache"
    mounts = (
        Mount(kind="bind", source=str(tmp_path / "source"), target="/made/for/bind", is_readonly=True),
        Mount(kind="bind", source=str(tmp_path / "source/file"), target="/data/single"),
        Mount(kind="tmpfs", target="/data/sub", size=1 << 20),
        Mount(kind="cache", source=str(cache), target="/var/cache/x", uid=33, gid=34, mode=0o750),
    )
    found = diff(
        lab,
        "cat /made/for/bind/file /data/single; echo x > /data/sub/x; echo kept > /var/cache/x/y;"
        " ! touch /made/for/bind/z && ! head -c 2M /dev/zero > /data/sub/big",
        mounts=mounts,
    )
    assert {path: entry.mtime for path, entry in found.items()} == {"data": OLD}
    assert (cache / "y").read_text() == "kept\n"
    status = cache.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o750, 33, 34)


def test_what_a_run_makes_beside_mount_points_stays(lab: Lab) -> None:
    mount = Mount(kind="tmpfs", target="/made/for/memory")
    found = diff(lab, "echo x > /made/beside; echo y > /etc/own", mounts=(mount,))
    assert sorted(found) == ["etc", "etc/own", "made", "made/beside"]
    assert found["etc"].mtime > OLD


def test_resolv_conf_of_the_image_is_untouched(lab: Lab) -> None:
    (lab.tree("busybox") / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    os.utime(lab.tree("busybox") / "etc", (OLD, OLD))
    found = diff(lab, "grep -v 192.0.2.1 /etc/resolv.conf > /copy")
    assert sorted(found) == ["copy"]
    assert (lab.tree("busybox") / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"


def test_links_of_the_image_lead_nowhere_else(lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (lab.tree("busybox") / "etc").rmdir()
    (lab.tree("busybox") / "etc").symlink_to(outside)
    (lab.tree("busybox") / "evil").symlink_to("../../../../../.." + str(outside))
    found = diff(lab, "ls /etc/hosts", mounts=(Mount(kind="tmpfs", target="/evil/deep"),))
    assert os.listdir(outside) == []
    assert found == {}


def test_a_run_that_replaces_a_parent_of_its_mount_points(lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "c").mkdir(parents=True)
    mounts = (Mount(kind="tmpfs", target="/a/b/c"),)
    found = diff(lab, f"mv /a/b /a/other && ln -s {outside} /a/b", mounts=mounts)
    assert os.listdir(outside) == ["c"]
    assert sorted(found) == ["a", "a/b", "a/other", "a/other/c"]
