"""What the store takes on the disk, against ``du``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dockerception.library import space
from dockerception.store.store import Store
from dockerception.store.usage import disk_usage
from unit.store.things import add_blob_layer, add_tree_layer, config, toc


def _du(path: str) -> int:
    return int(subprocess.run(["du", "-s", "-B1", path], capture_output=True, check=True, text=True).stdout.split()[0])


def test_a_tree_with_everything_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100_000))
    os.link(tmp_path / "file", tmp_path / "link")
    (tmp_path / "sub").mkdir()
    os.link(tmp_path / "file", tmp_path / "sub" / "link")
    (tmp_path / "long").symlink_to("x" * 200)
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "fifo")
    with open(tmp_path / "sparse", "wb") as file:
        file.seek(10_000_000)
        file.write(b"end")
    assert disk_usage(str(tmp_path)) == _du(str(tmp_path))


def test_a_file_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100_000))
    assert disk_usage(str(tmp_path / "file")) == _du(str(tmp_path / "file"))
    assert disk_usage(str(tmp_path / "nothing")) == 0


def test_df_adds_up_to_what_the_disk_says(store: Store, root: str) -> None:
    store.blobs.put(os.urandom(200_000))
    store.images.add(config(), [add_blob_layer(store).layer, add_tree_layer(store).layer])
    spool = store.contexts.new_spool()
    Path(spool).write_bytes(os.urandom(50_000))
    store.contexts.keep(toc("a"), spool)
    Path(store.temporary()).write_bytes(os.urandom(10_000))
    Path(root, "logs", "1.log").write_bytes(b"log")
    with store.mounts.use("/cache", "locked") as folder:
        os.mkdir(folder)
    lines = {line.kind: line for line in space.usage(store)}
    assert sum(line.size for line in lines.values()) == _du(root)
    assert lines["blobs"].size == _du(os.path.join(root, "blobs", "sha256"))
    assert lines["layer trees"].size == _du(os.path.join(root, "trees"))
    assert lines["layer trees"].count == 1
    assert lines["blobs"].count == len(os.listdir(os.path.join(root, "blobs", "sha256")))
    assert lines["contexts"].count == 1
    assert lines["cache mounts"].count == 1
    assert lines["database"].size >= os.stat(os.path.join(root, "store.db")).st_blocks * 512
