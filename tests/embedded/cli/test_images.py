"""Archives, the chain over pipes, and doctor, with the real program."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from embedded.cli.conftest import Command
from support.tools import need

pytestmark = pytest.mark.root


def identifier(command: Command, name: str) -> str:
    found: str = json.loads(command("inspect", name).stdout)[0]["Id"]
    return found


def test_build_is_context_piped_into_assemble(command: Command, builder: str, project: Path) -> None:
    emitted = command("context", "-q", str(project))
    assert emitted.returncode == 0
    done = command("assemble", "-q", "-", stdin=emitted.stdout, SOURCE_DATE_EPOCH="1700000000")
    again = command("build", "-q", str(project), SOURCE_DATE_EPOCH="1700000000")
    assert done.stdout == again.stdout != b""


def test_context_into_a_directory(command: Command, builder: str, project: Path, tmp_path: Path) -> None:
    assert command("context", "-o", str(tmp_path / "out"), str(project)).returncode == 0
    assert (tmp_path / "out" / "hello").read_text() == "hello\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Dockerfile", "hello"]


def test_a_dockerfile_where_a_tar_was_expected(command: Command) -> None:
    done = command("assemble", "-", stdin=b"FROM scratch\nCOPY a /\n" * 40)
    assert done.returncode == 4
    assert b"-f -" in done.stderr


@pytest.mark.parametrize("form", ["docker", "oci"])
@pytest.mark.parametrize("way", ["file", "pipe", "gzip"])
def test_save_and_load(command: Command, builder: str, tmp_path: Path, form: str, way: str) -> None:
    images = {name: identifier(command, name) for name in ("app", "builder")}
    path = tmp_path / "images.tar"
    assert command("save", "--format", form, "-o", str(path), "app", "builder").returncode == 0
    data = path.read_bytes()
    other = str(tmp_path / "other")
    if way == "file":
        loaded = command("load", "-i", str(path), "--store", other)
    else:
        loaded = command("load", "--store", other, stdin=gzip.compress(data, 1) if way == "gzip" else data)
    assert sorted(loaded.stdout.decode().splitlines()) == ["Loaded image: app:latest", "Loaded image: builder:latest"]
    for name, image in images.items():
        assert json.loads(command("inspect", "--store", other, name).stdout)[0]["Id"] == image
    assert command("save", "--store", other, "--format", form, "app", "builder").stdout == data


def test_saved_images_are_read_by_skopeo(command: Command, builder: str, tmp_path: Path) -> None:
    for form, transport in (("docker", "docker-archive"), ("oci", "oci-archive")):
        path = tmp_path / f"{form}.tar"
        command("save", "--format", form, "-o", str(path), "app")
        done = subprocess.run(
            [need("skopeo"), "inspect", "--config", f"{transport}:{path}"], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["config"]["Cmd"] == ["/hello"]


def test_save_writes_no_file_when_an_image_is_missing(command: Command, builder: str, tmp_path: Path) -> None:
    done = command("save", "-o", str(tmp_path / "x.tar"), "app", "missing")
    assert done.returncode == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The archive on stdin is empty."),
        (
            b"Error: No such image: app\n",
            "The archive on stdin is no archive (found the text “Error: No such image: app”).",
        ),
        (b"\0" * 10240, "The archive on stdin is not a Docker archive: it has no manifest.json."),
    ],
)
def test_load_refuses_what_is_no_archive(command: Command, data: bytes, message: str) -> None:
    done = command("load", stdin=data)
    assert (done.returncode, done.stdout) == (5, b"")
    assert done.stderr.decode().startswith(f"error[image]: {message}\n")


def test_a_failing_step_is_shown_with_its_lines_and_the_log(command: Command, project: Path, tmp_path: Path) -> None:
    (project / "failing").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "echo out; echo err >&2; exit 3"]\n'
    )
    done = command(
        "build", "-t", "never", "--iidfile", str(tmp_path / "id"), "-f", str(project / "failing"), str(project)
    )
    errors = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "error[step-failed]" in errors
    assert ">>> RUN" in errors
    log = errors.splitlines()[-1].removeprefix("log: ")
    assert " err\n" in Path(log).read_text()
    assert not (tmp_path / "id").exists()
    assert command("inspect", "never").returncode == 5


def test_outputs(command: Command, builder: str, project: Path, tmp_path: Path) -> None:
    outputs = ["-o", f"{tmp_path}/files", "-o", f"type=docker,dest={tmp_path}/d.tar", "-o", "-"]
    done = command("build", "--progress", "quiet", *outputs, str(project))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "hello").read_text() == "hello\n"
    with tarfile.open(tmp_path / "d.tar") as archive:
        assert "manifest.json" in archive.getnames()
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert [name.removeprefix("./") for name in archive.getnames() if "hello" in name] == ["hello"]


def test_doctor_knows_that_run_works(command: Command) -> None:
    done = command("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0
    assert all(checks[name]["works"] for name in ("store", "xattrs", "namespaces", "overlay", "isolation"))
    assert "RUN and builders work here." in command("doctor").stdout.decode()


def test_completion_is_a_script_that_bash_accepts(command: Command) -> None:
    script = command("completion", "bash").stdout
    assert b"complete" in (script if isinstance(script, bytes) else script.encode())
    subprocess.run(["bash", "-n"], input=script, check=True)
