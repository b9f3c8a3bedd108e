"""Builds nested in a Dockerfile, on every engine: levels, directories, stages across them, IN and PUBLISH."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from faults.program import Failure

# One file and one dynamic one: a directory behind a link and a variable, an ignore file, owners, levels and stages of
# earlier levels, and a stream in the end.
NESTED = """\
FROM busybox AS tools
RUN mkdir -p /real/sub && echo app >/real/app && echo tool >/tool && echo no >/real/ignored && chown 7:7 /real/app \\
 && printf 'ignored\\n.dockerignore\\n' >/real/.dockerignore && ln -s /real /link
ARG WHERE=nowhere
ENV BASE=/link
BUILD $BASE/$WHERE
FROM busybox AS middle
ARG TEXT
COPY . /out/
COPY --from=tools /tool /out/tool
COPY --from=level:0 /real/ignored /out/of-level
RUN test ! -e /out/ignored && echo "$TEXT" >/out/text && cd /out && mv tool sub/tool \\
 && printf 'FROM scratch\\nCOPY . /\\nCOPY --from=middle /bin/busybox /busybox\\nLABEL a=b\\n' >Dockerfile
CMD ["tar", "-cC", "/out", "."]
BUILD -
"""

ROOTS = """\
FROM busybox
IN /image {
  FROM busybox
  ENV INNER=1
  RUN mkdir -p /etc/inner && echo inner >/etc/inner/file && echo inner >/changed
  CMD ["/bin/true"]
}
RUN cat /image/etc/inner/file >/image/outer && echo outer >/image/changed && chown 3:4 /image/outer && echo lost >/lost
PUBLISH /image
"""

DELETED = ROOTS.replace("echo lost >/lost", "rm -r /image/etc/inner")
OCCUPIED = "FROM busybox\nRUN mkdir /image && echo x >/image/there\nWORKDIR /image\nIN . {\n  FROM busybox\n}\n"


def project(folder: Path, dockerfile: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def built(lab: Lab, verb: str, source: Path, target: Path, *arguments: str) -> Path:
    lab.succeed(verb, *arguments, "-o", f"type=docker,dest={target}", source, bases=["busybox"])
    return target


def files(lab: Lab, verb: str, source: Path, target: Path, *arguments: str) -> dict[str, tuple[int, int, bytes]]:
    """The regular files of an image outside of bin: owner, group, contents."""
    lab.succeed(verb, *arguments, "-o", f"type=tar,dest={target}", source, bases=["busybox"])
    with tarfile.open(target) as archive:
        members = [member for member in archive if member.isfile() and "bin/" not in member.name]
        return {each.name: (each.uid, each.gid, _read(archive, each)) for each in members}


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def test_what_is_in_the_images(embedded: Lab, tmp_path: Path) -> None:
    arguments = ("--build-arg", "WHERE=.", "--build-arg", "TEXT=told")
    facts = tmp_path / "facts.json"
    more = ("--metadata-file", str(facts))
    found = files(embedded, "build", project(tmp_path / "nested", NESTED), tmp_path / "nested.tar", *arguments, *more)
    # What comes from earlier levels does not come from outside.
    assert {each["name"] for each in json.loads(facts.read_text())["dockerception.materials"]} == {"busybox"}
    assert found.pop("busybox")[:2] == (0, 0)
    found.pop("Dockerfile")
    assert found == {
        "app": (0, 0, b"app\n"),
        "of-level": (0, 0, b"no\n"),
        "sub/tool": (0, 0, b"tool\n"),
        "text": (0, 0, b"told\n"),
    }
    whole = files(embedded, "assemble", project(tmp_path / "roots", ROOTS), tmp_path / "roots.tar")
    assert whole["outer"] == (3, 4, b"inner\n")
    assert whole["changed"] == (0, 0, b"outer\n")
    assert whole["etc/inner/file"] == (0, 0, b"inner\n")
    assert "lost" not in whole
    less = files(embedded, "assemble", project(tmp_path / "deleted", DELETED), tmp_path / "deleted.tar")
    assert {name for name in whole if name not in less} == {"etc/inner/file"}


def test_the_published_root_shares_its_base_and_has_its_config(embedded: Lab, tmp_path: Path) -> None:
    embedded.succeed("assemble", "-t", "base", project(tmp_path / "base", "FROM busybox\n"), bases=["busybox"])
    embedded.succeed("assemble", "-t", "roots", project(tmp_path / "roots", ROOTS), bases=["busybox"])
    base, image = (json.loads(embedded.succeed_plain("inspect", name).stdout)[0] for name in ("base", "roots"))
    layers = base["RootFS"]["Layers"]
    assert image["RootFS"]["Layers"][: len(layers)] == layers
    assert len(image["RootFS"]["Layers"]) == len(layers) + 2
    assert image["Config"]["Cmd"] == ["/bin/true"]
    assert "INNER=1" in image["Config"]["Env"]


def test_levels(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    source = project(tmp_path / "nested", NESTED)
    arguments = ("--build-arg", "WHERE=.", "--build-arg", "TEXT=told", "-t", "nested", "--builder-tag")
    images = [built(each, "build", source, tmp_path / f"{each.name}.tar", *arguments) for each in (embedded, lab)]
    assert differences(lab, *images) == []
    wanted = {"nested:latest", "nested-builder:latest", "nested-builder:latest-1"}
    assert wanted <= set(lab.names())
    assert lab.containers() == []
    lab.remove(*wanted)


def test_a_root_in_a_root(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    source = project(tmp_path / "roots", ROOTS)
    images = [built(each, "assemble", source, tmp_path / f"{each.name}.tar") for each in (embedded, lab)]
    assert differences(lab, *images) == []


def test_what_only_we_can_say_is_refused(lab: Lab, tmp_path: Path) -> None:
    source = project(tmp_path / "occupied", OCCUPIED)
    failure = Failure(
        3, "dockerfile", "/image of IN must be absent or empty .* there is: /image/there", "another", ">>> IN"
    )
    failure.check(lab.run("assemble", source, bases=["busybox"]))
    done = lab.run("assemble", project(tmp_path / "deleted", DELETED), bases=["busybox"])
    if lab.name == "embedded":
        assert done.code == 0, done.errors
    else:
        Failure(3, "not-supported", "can't publish .* deleted: /etc/inner", "embedded engine", ">>> PUBLISH").check(
            done
        )


@pytest.mark.parametrize("directory", ["/missing", "/bin/busybox"])
def test_a_directory_that_is_none(lab: Lab, tmp_path: Path, directory: str) -> None:
    source = project(tmp_path / "missing", f"FROM busybox\nBUILD {directory}\nFROM scratch\nCOPY . /\n")
    done = lab.run("build", source, "-t", "unwanted", bases=["busybox"])
    assert done.code == 4, done.errors
    assert ">>> BUILD " in done.errors
    assert "unwanted:latest" not in lab.names()
    assert lab.containers() == []
