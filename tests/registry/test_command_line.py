"""The commands that speak to registries, as processes: pull, push, login, logout, FROM, --pull and --push."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from dockerception.testing import Registry
from registry.lab import Lab, inspect, raw_manifest, skopeo
from support.registry import PASSWORD, USERNAME, running_registry
from unit.transports.images import sha256, tar_of

ONE = tar_of({"etc/one": b"1"})
OTHER = tar_of({"etc/other": b"2"})


class Ran(msgspec.Struct, frozen=True):
    """What a command line came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A function that runs dockerception with a store of the test's own; ``stdin`` is text."""

    def run_line(*arguments: str, stdin: str = "") -> Ran:
        done = subprocess.run(
            [Path(sys.executable).with_name("dockerception"), *arguments],
            input=stdin,
            env={**os.environ, "DOCKERCEPTION_HOME": str(tmp_path / "home"), "COLUMNS": "200"},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run_line


@pytest.fixture
def base(lab: Lab, registry: str, repository: str) -> str:
    """The name of an image in the registry."""
    name = f"{registry}/{repository}/base:1"
    lab.push(lab.add(ONE), name)
    return name


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    with running_registry(tmp_path / "guarded", has_password=True) as address:
        yield address


def test_pull_tag_push(run: Run, base: str) -> None:
    digest = inspect(base)["Digest"]
    pulled = run("pull", base)
    assert (pulled.code, pulled.out) == (0, f"{base}@{digest}\n")
    assert f"pull {base}" in pulled.err
    assert run("tag", base, f"{base}-copy").code == 0
    pushed = run("push", f"{base}-copy")
    assert (pushed.code, pushed.out) == (0, f"{base}-copy@{digest}\n")
    assert raw_manifest(f"{base}-copy") == raw_manifest(base)


def test_quiet_pulls_and_pushes_print_ids_only(run: Run, base: str) -> None:
    manifest = json.loads(raw_manifest(base))
    pulled = run("pull", "--quiet", base)
    assert (pulled.out, pulled.err) == (f"{manifest['config']['digest']}\n", "")
    pushed = run("push", "--quiet", base)
    assert (pushed.out, pushed.err) == (f"{inspect(base)['Digest']}\n", "")


def test_from_pulls_and_push_pushes(run: Run, registry: str, repository: str, base: str, tmp_path: Path) -> None:
    dockerfile = f"FROM {base}\nCOPY --from={base} /etc/one /etc/copy\nLABEL a=b\n"
    name = f"{registry}/{repository}/new:1"
    built = run("assemble", "-t", name, "--push", "--metadata-file=meta", "-f", "-", stdin=dockerfile)
    assert built.code == 0, built.err
    metadata = json.loads((tmp_path / "meta").read_text())
    assert metadata["containerimage.descriptor"] == {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": inspect(name)["Digest"],
        "size": len(raw_manifest(name)),
    }
    assert f"Pushed {name}@{inspect(name)['Digest']}" in built.err
    assert inspect(name)["Layers"][0] == inspect(base)["Layers"][0]
    assert inspect(name)["Labels"] == {"a": "b"}


def test_a_base_is_pulled_once_unless_pull_says_so(run: Run, lab: Lab) -> None:
    with Registry() as own:
        name = own.name("base:1")
        lab.push(lab.add(ONE, name="a"), name)

        def build(*options: str) -> str:
            built = run("assemble", "-q", *options, "-f", "-", stdin=f"FROM {name}\n")
            assert built.code == 0, built.err
            return built.out.strip()

        first = build()
        lab.push(lab.add(OTHER, name="b"), name)
        own.requests.clear()
        assert build() == first
        assert own.requests == []
        assert build("--pull") != first
        assert own.requests[0] == "GET /v2/"


def test_a_base_that_is_nowhere(run: Run, registry: str) -> None:
    failed = run("assemble", "-f", "-", stdin=f"FROM {registry}/nobody/nothing:1\n")
    assert failed.code == 5
    for place in ("no named context", "no earlier stage", "not in the store", f"the registry {registry} has not given"):
        assert place in failed.err
    assert ">>> FROM" in failed.err
    assert f"--build-context {registry}/nobody/nothing:1=" in failed.err


def test_a_base_by_another_name(run: Run, base: str) -> None:
    for value in (f"docker-image://{base}", f"docker://{base}"):
        built = run("assemble", "-q", "--build-context", f"app={value}", "-f", "-", stdin="FROM app\nLABEL x=y\n")
        assert built.code == 0, built.err


def test_outputs_to_registries(run: Run, registry: str, repository: str, tmp_path: Path) -> None:
    names = [f"{registry}/{repository}/{letter}:1" for letter in "abc"]
    (tmp_path / "file").write_text("contents" * 1000)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    built = run(
        *("assemble", "--metadata-file=meta", "-o", f"type=image,push=true,name={names[0]}"),
        *("-o", f'type=registry,compression=zstd,"name={names[1]},{names[2]}",annotation.a=b', "."),
    )
    assert built.code == 0, built.err
    assert json.loads(raw_manifest(names[0]))["layers"][0]["mediaType"].endswith("tar+gzip")
    assert json.loads(raw_manifest(names[1]))["layers"][0]["mediaType"].endswith("tar+zstd")
    assert json.loads(raw_manifest(names[1]))["annotations"] == {"a": "b"}
    assert raw_manifest(names[1]) == raw_manifest(names[2])
    metadata = json.loads((tmp_path / "meta").read_text())
    assert metadata["image.name"] == ",".join(names)
    assert metadata["containerimage.digest"] == inspect(names[2])["Digest"]


@pytest.mark.parametrize(("compression", "suffix"), [("gzip", "+gzip"), ("zstd", "+zstd"), ("uncompressed", "")])
def test_layouts_are_compressed_as_wanted(run: Run, tmp_path: Path, compression: str, suffix: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    built = run("assemble", "-o", f"type=oci,compression={compression},dest=app.tar", ".")
    assert built.code == 0, built.err
    manifest = json.loads(skopeo("inspect", "--raw", f"oci-archive:{tmp_path / 'app.tar'}"))
    assert [each["mediaType"] for each in manifest["layers"]] == [f"application/vnd.oci.image.layer.v1.tar{suffix}"]
    skopeo("copy", f"oci-archive:{tmp_path / 'app.tar'}", f"dir:{tmp_path / 'copy'}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--push",), "no name to push to"),
        (("-o", "type=registry"), "no name to push to"),
        (("-o", "type=registry,compression=lzma,name=a"), "“lzma” is not a compression"),
        (("-o", "type=registry,compression-level=99,name=a"), "gzip has no such level"),
        (("-o", "type=registry,wat=1,name=a"), "has no attribute “wat”"),
        (("-o", "type=registry,oci-mediatypes=false,compression=zstd,name=a"), "know no layers in zstd"),
        (("-o", "type=registry,dest=a"), "has a dest"),
        (("-o", "type=image,push=maybe"), "push=maybe is neither"),
    ],
)
def test_outputs_that_make_no_sense_are_refused_before_anything_is_built(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM nothing-like-this\n")
    failed = run("assemble", *options, ".")
    assert failed.code == 2
    assert message in failed.err
    assert not (tmp_path / "home").exists()


def test_login_pull_logout(run: Run, lab: Lab, guarded: str, docker_config: Path) -> None:
    wrong = run("login", "-u", USERNAME, "--password-stdin", guarded, stdin="wrong\n")
    assert wrong.code == 5
    assert "error[unauthorized]" in wrong.err
    assert not docker_config.exists()
    right = run("login", "-u", USERNAME, "--password-stdin", guarded, stdin=f"{PASSWORD}\n")
    assert (right.code, right.err) == (0, "")
    assert PASSWORD not in right.out
    lab.push(lab.add(ONE), f"{guarded}/app:1")
    assert run("pull", f"{guarded}/app:1").code == 0
    assert run("logout", guarded).out == f"Logged out from {guarded}.\n"
    failed = run("pull", f"{guarded}/app:1")
    assert failed.code == 5
    assert f"dockerception login {guarded}" in failed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("login", "host:1"), "Nobody is here to be asked"),
        (("login", "--password-stdin", "host:1"), "--password-stdin needs a user"),
        (("login", "-u", "a", "-p", "b", "UPPER CASE"), "is not a registry"),
        (("push", f"app@{sha256(b'')}"), "has a digest"),
        (("push", "nobody/nothing"), "There is no image “nobody/nothing”"),
        (("pull", "UPPER"), "names are lower case"),
    ],
)
def test_mistakes(run: Run, arguments: tuple[str, ...], message: str) -> None:
    failed = run(*arguments)
    assert failed.code in (2, 5)
    assert message in failed.err
