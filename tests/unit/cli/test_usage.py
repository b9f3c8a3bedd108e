"""Wrong command lines: the exit code, and the words that say what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.cli.conftest import Run

WRONG = {
    "unknown command": (("biuld",), "There is no command “biuld”. Did you mean “build”?"),
    "unknown option": (("build", "--tga", "x", "."), "'--tag'"),
    "an option of another command": (("assemble", "--builder-tag", "."), "No such option '--builder-tag"),
    "a builder's command without a builder": (("assemble", ".", "--", "make"), "assemble runs none"),
    "no path": (("build", "-t", "app"), "PATH is missing"),
    "two paths": (("build", ".", "src"), "unexpected extra argument (src)"),
    "unknown network": (("build", "--network", "bridge", "."), "'bridge' is not one of 'default', 'none', 'host'"),
    "unknown progress": (("build", "--progress", "fancy", "."), "'auto', 'tty', 'plain', 'quiet', 'json'"),
    "unknown isolation": (("build", "--isolation", "vm", "."), "'auto', 'oci', 'chroot'"),
    "bad tag": (("build", "-t", "App", "."), "names are lower case"),
    "a tag that means no image": (("build", "-t", "scratch", "."), "No image can be called “scratch”"),
    "a tag with a digest": (("build", "-t", f"app@sha256:{'0' * 64}", "."), "has a digest"),
    "bad platform": (("build", "--platform", "amiga/m68k", "."), "is not a platform"),
    "bad output type": (("build", "-o", "type=zip", "."), "types are docker, oci, tar, local, image"),
    "bad context": (("build", "--build-context", "golang", "."), "does not name a context"),
    "bad label": (("build", "--label", "=x", "."), "has no key"),
    "bad size": (("build", "--max-context", "big", "."), "is not a size"),
    "bad timeout": (("build", "--emit-timeout", "0", "."), "leaves no time"),
    "stdin twice": (("assemble", "-f", "-", "-"), "stdin can't be both the context (-) and the Dockerfile (-f -)"),
    "bare builder tag without a tag": (("build", "--builder-tag", "."), "--builder-tag needs a name to begin with"),
    "two outputs on stdout": (("build", "-o", "-", "-o", "type=oci", "."), "Several outputs go to stdout"),
    "quiet and an output on stdout": (("build", "-q", "-o", "-", "."), "prints the id on stdout"),
    "iidfile in no directory": (("build", "--iidfile", "/no/such/file", "."), "there is no directory /no/such"),
    "iidfile that is a directory": (("build", "--iidfile", "/tmp", "."), "/tmp is a directory"),
    "archive in no directory": (("build", "-o", "type=oci,dest=/no/such/file", "."), "there is no directory /no/such"),
    "context as an image": (("context", "-o", "type=oci,dest=x", "."), "type=oci is none of its outputs"),
    "context with two outputs": (("context", "-o", "a", "-o", "b", "."), "A context has one output"),
    "no image to inspect": (("inspect",), "Missing argument 'IMAGE...'"),
    "bad format": (("images", "--format", "xml"), "'xml' is not one of 'table', 'json'"),
    "prune that nobody can be asked about": (("prune",), "Nobody is here to be asked"),
    "prune until": (("prune", "-f", "--until", "soon"), "is not a duration"),
    "save into no directory": (("save", "-o", "/no/such/file", "app"), "there is no directory /no/such"),
    "no such shell": (("completion", "tcsh"), "there is for bash, zsh, fish"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_ends_with_2_and_says_why(run: Run, case: str, store_root: Path) -> None:
    arguments, message = WRONG[case]
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error[usage]: ")
    assert message in ran.err
    assert "hint: " in ran.err
    assert not (store_root / "logs").exists() or not list((store_root / "logs").iterdir())


def test_all_mistakes_are_reported_together(run: Run) -> None:
    ran = run("build", "--network", "x", "-t", "UP", "--builder-tag", "--emit-timeout", "soon", "-f", "-", "-")
    assert ran.code == 2
    lines = ran.err.splitlines()
    assert lines[0] == "error[usage]: 5 options are wrong."
    for line, word in zip(lines[1:6], ("network", "lower case", "soon", "stdin", "--builder-tag"), strict=False):
        assert line.startswith("- ")
        assert any(word in each for each in lines[1:6]), word
    assert lines[6] == "hint: see “dockerception build --help”"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "-p", "80:80", "app"), "the container has this machine's network"),
        (("run", "-t", "app"), "-t needs stdin and stdout to be a terminal"),
        (("run", "-v", "data:/data", "app"), "named volume"),
        (("run", "--network", "bridge", "app"), "'default', 'none', 'host'"),
        (("run", "--detach", "app"), "No such option"),
        (("run",), "Missing argument 'IMAGE'"),
        (("run", "missing"), "There is no image “missing”"),
    ],
)
def test_run_fails_with_125_as_docker_does(run: Run, arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (125, "")
    assert message in ran.err


def test_options_after_the_image_are_the_containers(run: Run) -> None:
    assert "There is no image “missing”" in run("run", "missing", "--network", "bridge").err
