"""What holds behind the table of options: the emitting container, streams, ``assemble -f -``, ``context -o``."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from faults.program import Failure
from nested.bench import Bench, context_error

LAST = "echo -e 'FROM scratch\\nCOPY . /' >/o/Dockerfile"


def emitting(steps: str, command: str) -> str:
    """A builder whose command writes files below /o, which are then emitted."""
    make = "mkdir -m 777 /o && touch /o/Dockerfile && chmod 666 /o/Dockerfile"
    return f"FROM busybox\nRUN {make}\n{steps}CMD {command} && {LAST} && tar -cC /o .\n"


# The emitting container gets the image's user, working directory and environment, no build arguments.


def test_the_builder_runs_as_its_image_says(bench: Bench) -> None:
    steps = "WORKDIR /w\nUSER 7:8\nENV A=env\nARG B=default\nARG C\n"
    told = 'echo "$(id -u):$(id -g) $PWD $A ${B-unset} ${C-unset}" >/o/told'
    made = bench.build(emitting(steps, told), "--build-arg", "C=given")
    assert made.files["told"] == "7:8 /w env unset unset\n"


def test_its_entrypoint_and_command_are_run(bench: Bench) -> None:
    steps = 'ENTRYPOINT ["sh", "-c", "echo $0 $1 >/o/told && tar -cC /o ."]\nCMD ["zero", "one"]\n'
    text = f"FROM busybox\nRUN mkdir /o && {LAST}\n{steps}"
    assert bench.build(text).files["told"] == "zero one\n"
    assert bench.build(text, "--", "other").files["told"] == "other\n"


# A stream with only one zero block, or none, is truncated; NUL padding of any length may follow two.


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (0, "before its two closing zero blocks"),
        (1, "after the first of two zero blocks"),
        (2, ""),
        (3, ""),
        (20, ""),
        (100_000, ""),
    ],
)
def test_two_zero_blocks_end_a_stream_and_nul_padding_may_follow(bench: Bench, blocks: int, message: str) -> None:
    steps = f"RUN mkdir /o && {LAST} && echo x >/o/f && tar -cf /t -C /o Dockerfile f\n"
    # Two headers, and a block for the contents of each.
    text = f"FROM busybox\n{steps}CMD head -c 2048 /t; head -c {blocks * 512} /dev/zero\n"
    if message:
        bench.fail(text, Failure(4, "stream", f"is truncated: .*{message}", "stopped early"))
    else:
        assert bench.build(text).files["f"] == "x\n"


# One top directory is stripped only if the root has no file of the Dockerfile's name and that directory has.


@pytest.mark.parametrize(
    ("make", "tar", "is_stripped"),
    [
        ("mkdir -p /o/p && {last} && mv /o/Dockerfile /o/p/", "-C /o .", True),
        ("mkdir -p /o/p && {last} && mv /o/Dockerfile /o/p/", "-C /o p", True),
        ("mkdir -p /o/p && {last} && cp /o/Dockerfile /o/p/", "-C /o .", False),
        ("mkdir -p /o/p && {last} && mv /o/Dockerfile /o/p/ && touch /o/other", "-C /o .", None),
        ("mkdir -p /o/p /o/q && {last} && mv /o/Dockerfile /o/p/", "-C /o .", None),
        ("mkdir -p /o/p/q && {last} && mv /o/Dockerfile /o/p/q/", "-C /o .", None),
        ("mkdir -p /o/p/Dockerfile", "-C /o .", None),
    ],
)
def test_one_top_directory_is_stripped(bench: Bench, make: str, tar: str, is_stripped: bool | None) -> None:
    text = f"FROM busybox\nRUN {make.format(last=LAST)}\nCMD tar -c {tar}\n"
    if is_stripped is None:
        bench.fail(text, context_error("has no Dockerfile at its top; there is: "))
        return
    made = bench.build(text)
    assert ("a single directory “p” at its top, which holds the Dockerfile" in made.said) is is_stripped
    assert made.files.keys() == ({"Dockerfile"} if is_stripped else {"Dockerfile", "p/Dockerfile"})


def test_it_is_the_name_that_is_asked_for_that_counts(bench: Bench) -> None:
    text = (
        "FROM busybox\nRUN mkdir -p /o/p && cd /o/p && echo FROM scratch >Run && touch Dockerfile\nCMD tar -cC /o .\n"
    )
    assert "which holds the Run: it is the root" in bench.build(text, "--runtime-file", "Run").said
    bench.fail("", context_error("has no p/Other at its top"), "--runtime-file", "p/Other")
    assert "single directory" not in bench.build(b"", "--runtime-file", "p/Run").said


# assemble -f - PATH; assemble -f - alone; -f - with -.


def test_a_dockerfile_on_stdin_with_a_context_and_without(bench: Bench) -> None:
    bench.write("FROM nowhere\n", f="x")
    target = bench.folder / "tree.tar"
    output = ("-o", f"type=tar,dest={target}")
    text = b"FROM scratch\nCOPY f /\n"
    bench.program.succeed("assemble", *output, "-f", "-", bench.source, stdin=text)
    with tarfile.open(target) as archive:
        assert archive.getnames() == ["f"]
    done = bench.program.run("assemble", *output, "-f", "-", stdin=text)
    context_error("“f” is not in the empty context").check(done)
    bench.program.succeed("assemble", *output, "-f", "-", stdin=b"FROM scratch\nCOPY <<E /f\nx\nE\n")


def test_both_on_stdin_is_a_usage_error(bench: Bench) -> None:
    done = bench.program.run("assemble", "-f", "-", "-", stdin=b"FROM scratch\n")
    Failure(2, "usage", "stdin can't be both", "leave the - out").check(done)


def test_levels_may_be_written_on_stdin_too(bench: Bench) -> None:
    target = bench.folder / "tree.tar"
    text = b"FROM busybox\nRUN mkdir /o && echo x >/o/f\nBUILD /o\nFROM scratch\nCOPY f /\n"
    bench.program.succeed("build", "-o", f"type=tar,dest={target}", "-f", "-", stdin=text)
    with tarfile.open(target) as archive:
        assert archive.getnames() == ["f"]


# context -o takes DIR, type=local,dest=DIR or type=tar,dest=FILE|-.

ODD = """\
FROM busybox
RUN mkdir -p /o/d && cd /o && echo x >f && chown 7:8 f && chmod 640 f && ln -s /etc/passwd out && ln -s f in \\
 && ln f hard && mkfifo pipe && mknod null c 1 3
"""


def names_in(data: bytes) -> dict[str, tuple[bytes, int, int]]:
    """The entries of a tar: their types and owners."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: (member.type, member.uid, member.gid) for member in archive}


@pytest.mark.parametrize("build", ["", "BUILD /o\n"])
@pytest.mark.parametrize("form", ["DIR", "type=local,dest=DIR"])
def test_context_into_a_directory(bench: Bench, form: str, build: str) -> None:
    """Owners are dropped, devices skipped with a note, and links written as they are."""
    bench.write(f"{ODD}CMD tar -cC /o .\n{build}")
    target = bench.folder / "new" / "context"
    done = bench.run("context", "-o", form.replace("DIR", str(target)))
    assert done.code == 0, done.errors
    assert {path.name for path in target.iterdir()} == {"d", "f", "out", "in", "hard", "pipe"}
    assert (target / "pipe").is_fifo()
    assert (target / "f").read_text() == "x\n"
    assert os.stat(target / "f").st_uid == os.getuid()
    assert (target / "f").stat().st_mode & 0o777 == 0o640
    assert os.readlink(target / "out") == "/etc/passwd"
    assert os.stat(target / "hard").st_ino == os.stat(target / "f").st_ino
    done.has_said("note: .*null")


@pytest.mark.parametrize("form", ["", "type=tar,dest=FILE", "type=tar,dest=-", "-"])
@pytest.mark.parametrize("build", ["", "BUILD /o\n"])
def test_context_as_a_tar(bench: Bench, form: str, build: str) -> None:
    bench.write(f"{ODD}CMD tar -cC /o .\n{build}")
    target = bench.folder / "context.tar"
    done = bench.run("context", *(["-o", form.replace("FILE", str(target))] if form else []))
    assert done.code == 0, done.errors
    found = names_in(target.read_bytes() if "FILE" in form else done.stdout)
    assert found["f"] == (tarfile.REGTYPE, 0, 0)
    assert found["null"][0] == tarfile.CHRTYPE
    assert found["out"][0] == tarfile.SYMTYPE
    assert set(found) - {"."} == {"d", "f", "out", "in", "hard", "pipe", "null"}


def test_the_directory_must_be_empty_or_new(bench: Bench) -> None:
    bench.write("FROM busybox\nRUN mkdir /o && echo x >/o/f\nBUILD /o\n")
    full, empty = bench.folder / "full", bench.folder / "empty"
    full.mkdir()
    (full / "there").touch()
    Failure(2, "usage", "is not empty", "a new or an empty one").check(bench.run("context", "-o", full))
    assert os.listdir(full) == ["there"]
    empty.mkdir()
    assert bench.run("context", "-o", empty).code == 0
    assert os.listdir(empty) == ["f"]


def test_no_link_is_followed_while_writing(bench: Bench) -> None:
    """A stream in which a file lies below a link is refused before anything is written."""
    bench.write(
        f"FROM busybox\nRUN mkdir -p /a/d /b && ln -s {bench.folder} /b/d && echo x >/a/d/f"
        " && tar -cf /link -C /b d && tar -cf /below -C /a d/f\n"
        "CMD head -c 512 /link; head -c 1024 /below; head -c 1024 /dev/zero\n"
    )
    target = bench.folder / "context"
    done = bench.run("context", "-o", target)
    Failure(4, "stream", "entry d/f, but d is a symlink").check(done)
    assert os.listdir(bench.folder) == ["source"]


@pytest.mark.parametrize("form", ["type=docker,dest=x", "type=oci", "type=image"])
def test_a_context_is_no_image(bench: Bench, form: str) -> None:
    bench.write("FROM busybox\nBUILD /etc\n")
    Failure(2, "usage", "A context is not an image", "tar and local").check(bench.run("context", "-o", form))
