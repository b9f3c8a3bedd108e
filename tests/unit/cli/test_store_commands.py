"""The commands on images of the store: what they print, and what they leave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dockerception.library.space import usage
from dockerception.store.store import Store
from unit.cli.conftest import AddImage, Run


def test_images_lists_names_ids_ages_and_sizes(run: Run, add_image: AddImage) -> None:
    image = add_image("app:1", "registry.example.com/team/app:1", created="2001-02-03T04:05:06Z")
    lines = run("images").out.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["app", "1", image[7:19]],
        ["registry.example.com/team/app", "1", image[7:19]],
    ]
    assert all(line.endswith("years ago   6B") for line in lines[1:])


def test_images_without_a_name_are_listed_as_none(run: Run, add_image: AddImage) -> None:
    image = add_image()
    assert run("images").out.splitlines()[1].split()[:3] == ["<none>", "<none>", image[7:19]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("app", {"app:1", "app:2"}),
        ("app:2", {"app:2"}),
        ("ap*:1", {"app:1"}),
        ("other", {"other:latest"}),
        ("no", set()),
    ],
)
def test_images_filters_by_name(run: Run, add_image: AddImage, pattern: str, expected: set[str]) -> None:
    add_image("app:1", "app:2", "other")
    rows = [json.loads(line) for line in run("images", "--format", "json", pattern).out.splitlines()]
    assert {f"{row['Repository']}:{row['Tag']}" for row in rows} == expected


def test_images_quiet_prints_each_id_once(run: Run, add_image: AddImage) -> None:
    image = add_image("app:1", "app:2")
    assert run("images", "-q").out == f"{image[7:19]}\n"
    assert run("images", "-q", "--no-trunc").out == f"{image}\n"


def test_inspect_has_the_fields_of_docker(run: Run, add_image: AddImage) -> None:
    image = add_image("app", env=["PATH=/bin", "X=ü"], created="2001-02-03T04:05:06Z")
    [found] = json.loads(run("inspect", "app").out)
    assert found["Id"] == image
    assert found["RepoTags"] == ["app:latest"]
    assert found["RepoDigests"] == []
    assert found["Created"] == "2001-02-03T04:05:06Z"
    assert found["Config"] == {"Env": ["PATH=/bin", "X=ü"], "Cmd": ["/hello"]}
    assert (found["Architecture"], found["Os"], found["Size"]) == ("amd64", "linux", 6)
    assert found["RootFS"]["Type"] == "layers"
    assert len(found["RootFS"]["Layers"]) == 1


def test_an_image_is_found_by_the_beginning_of_its_id(run: Run, add_image: AddImage) -> None:
    image = add_image("app")
    assert json.loads(run("inspect", image[7:13]).out)[0]["Id"] == image
    assert json.loads(run("inspect", image).out)[0]["Id"] == image


def test_history_shows_the_newest_step_first(run: Run, add_image: AddImage) -> None:
    add_image("app")
    rows = [json.loads(line) for line in run("history", "--format", "json", "app").out.splitlines()]
    assert [(row["CreatedBy"], row["Size"], row["Comment"]) for row in rows] == [
        ('CMD ["/hello"]', 0, ""),
        ("COPY hello /", 6, "test"),
    ]
    assert run("history", "app").out.splitlines()[0].split() == ["CREATED", "CREATED", "BY", "SIZE", "COMMENT"]


def test_tag_gives_a_name_and_takes_it_from_another_image(run: Run, add_image: AddImage) -> None:
    first, second = add_image("one"), add_image("two", files={"x": b"x"})
    assert run("tag", "one", "both").code == 0
    assert run("tag", "two", "both").code == 0
    assert json.loads(run("inspect", "both").out)[0]["Id"] == second
    assert json.loads(run("inspect", "one").out)[0]["Id"] == first


def test_rm_takes_a_name_away_and_the_last_name_with_the_image(run: Run, add_image: AddImage) -> None:
    image = add_image("one", "two")
    assert run("rm", "one").out == "Untagged: one:latest\n"
    assert run("rm", "two").out == f"Untagged: two:latest\nDeleted: {image}\n"
    assert run("images", "-q").out == ""


def test_rm_by_id_of_an_image_with_several_names_takes_force(run: Run, add_image: AddImage) -> None:
    image = add_image("one", "two")
    refused = run("rm", image)
    assert (refused.code, refused.out) == (2, "")
    assert "one:latest, two:latest" in refused.err
    assert run("rm", "-f", image).out == f"Untagged: one:latest\nUntagged: two:latest\nDeleted: {image}\n"


def test_rm_goes_on_after_a_missing_image(run: Run, add_image: AddImage) -> None:
    add_image("app")
    ran = run("rm", "missing", "app")
    assert ran.code == 5
    assert "There is no image “missing”" in ran.err
    assert ran.out.startswith("Untagged: app:latest\n")
    assert run("rm", "--force", "missing").code == 0


def test_prune_gives_back_what_no_name_leads_to(run: Run, add_image: AddImage, store_root: Path) -> None:
    add_image("kept", files={"a": b"a" * 9000})
    add_image(files={"b": b"b" * 90000})
    before = {path.name for path in (store_root / "blobs" / "sha256").iterdir()}
    ran = run("prune", "--force")
    after = {path.name for path in (store_root / "blobs" / "sha256").iterdir()}
    assert ran.code == 0
    assert "Total reclaimed space: 1" in ran.out
    assert len(before - after) == 3  # the config, the layer and its list of entries
    assert run("images").out.count("\n") == 2


def test_prune_keeps_what_was_used_lately(run: Run, add_image: AddImage) -> None:
    add_image()
    assert "Removed 0 things." in run("prune", "--force", "--until", "1h").out
    assert run("images", "-q").out != ""


def test_prune_may_stop_when_enough_has_gone(run: Run, add_image: AddImage, store_root: Path) -> None:
    add_image("named", files={"a": os.urandom(90_000)})
    for number in range(3):
        add_image(files={"b": os.urandom(90_000 + number)})
    ran = run("prune", "--force", "--keep-storage", "300k")
    assert (ran.code, run("images", "-q").out.count("\n")) == (0, 3)
    assert "Total reclaimed space: 9" in ran.out
    assert "Removed 0 things." in run("prune", "--force", "--keep-storage", "300k").out
    assert "Removed 0 things." in run("prune", "--force", "--keep-storage", "0", "--until", "1h").out
    run("prune", "--force", "--keep-storage", "0")
    assert run("images").out.splitlines()[1:] == [line for line in run("images").out.splitlines() if "named" in line]
    assert run("prune", "--force", "--all", "--keep-storage", "0").code == 2


def test_a_build_makes_room_for_what_it_brings(run: Run, store_root: Path, tmp_path: Path) -> None:
    """Cache of earlier builds goes; what has a name stays, and so does what the build itself has just made."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")

    def assemble(*options: str) -> tuple[str, str]:
        (project / "file").write_bytes(os.urandom(100_000))
        ran = run("assemble", *options, "--progress", "plain", "--iidfile", str(tmp_path / "id"), str(project))
        assert ran.code == 0
        return (tmp_path / "id").read_text(), ran.err

    named, _ = assemble("-t", "named")
    first, _ = assemble()
    second, told = assemble("--keep-storage", "400k")
    assert "Old cache has made room" not in told, "all of it fits"
    rows = {row["Type"]: row for row in map(json.loads, run("df", "--format", "json").out.splitlines())}
    assert rows["blobs"]["Bytes"] > 300_000 > rows["blobs"]["Reclaimable"] > 200_000
    third, told = assemble("--keep-storage", "1k")
    assert "Old cache has made room in the store: 0.2 MB." in told
    left = {path.name for path in (store_root / "blobs" / "sha256").iterdir()}
    assert [each.removeprefix("sha256:") in left for each in (named, first, second, third)] == [
        True,
        False,
        False,
        True,
    ]


def test_df_adds_up_to_what_the_disk_says(add_image: AddImage, store_root: Path) -> None:
    add_image("app", files={"a": os.urandom(300_000)})
    with Store(str(store_root)) as store:
        found = {each.kind: each for each in usage(store)}
        statuses = [os.lstat(path) for path in (store_root, *store_root.rglob("*"))]
    assert sum(each.size for each in found.values()) == sum(status.st_blocks * 512 for status in statuses)
    assert (found["blobs"].count, found["layer trees"].count, found["contexts"].count) == (3, 0, 0)
    assert found["blobs"].size > 300_000


def test_df_prints_a_total(run: Run, add_image: AddImage, store_root: Path) -> None:
    add_image("app")
    lines = run("df").out.splitlines()
    assert lines[0] == str(store_root)
    assert lines[-3].split()[0] == "total"
    assert lines[-1].endswith("(a tenth of the disk); nothing would go to keep it.")
    rows = [json.loads(line) for line in run("df", "--format", "json").out.splitlines()]
    assert {"Type": "blobs", "Count": 3}.items() <= rows[1].items()


def test_no_such_image_says_so_where_the_store_of_another_user_could_have_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".local/share/dockerception").mkdir(parents=True)
    (home / ".local/share/dockerception/store.db").touch()
    monkeypatch.delenv("DOCKERCEPTION_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SUDO_USER", "somebody")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(home) if path == "~somebody" else path)
    ran = run("inspect", "app")
    assert ran.code == 5
    assert f"somebody's store is {home}/.local/share/dockerception" in ran.err


def test_no_such_image_tells_an_ordinary_user_of_roots_store(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKERCEPTION_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "what was built with sudo is in root's own store" in run("history", "app").err


def test_store_option_beats_the_variable(run: Run, add_image: AddImage, tmp_path: Path) -> None:
    add_image("app")
    assert run("images", "-q", "--store", str(tmp_path / "other")).out == ""
    assert (tmp_path / "other" / "store.db").exists()
