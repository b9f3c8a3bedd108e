"""Help, completion, and the reference page: complete, and the same everywhere."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path

import click
import pytest

from dockerception.cli.click_types import Option
from dockerception.cli.group import COMMANDS
from unit.cli.conftest import AddImage, Run

ROOT = Path(__file__).parents[3]


def command(name: str) -> click.Command:
    found: click.Command = importlib.import_module(f"dockerception.cli.commands.{name}").command
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: dockerception {name}")
    assert f"  dockerception {name}" in ran.out or f"| dockerception {name}" in ran.out
    assert (command(name).help or "").splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_list_of_commands_is_complete(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in ran.out


def test_a_variable_stands_for_one_option(run: Run) -> None:
    meanings: dict[str, set[str]] = {}
    for name in COMMANDS:
        for option in command(name).params:
            if isinstance(option, Option):
                for variable in option.variables(name):
                    meanings.setdefault(variable, set()).add(max(option.opts, key=len))
    assert {variable: options for variable, options in meanings.items() if len(options) > 1} == {}
    assert meanings["DOCKERCEPTION_BUILD_TAG"] == meanings["DOCKERCEPTION_TAG"] == {"--tag"}


def test_every_option_has_a_help_text() -> None:
    silent = [
        (name, option.opts)
        for name in COMMANDS
        for option in command(name).params
        if isinstance(option, Option) and not option.help
    ]
    assert silent == []


def test_the_reference_page_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_cli_reference.py"))
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert page == script["reference"](), "run: make docs"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_this_program(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert f"_DOCKERCEPTION_COMPLETE={shell}_complete" in ran.out


def test_completion_knows_commands_options_choices_and_images(
    run: Run, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("apple", "banana")

    def complete(*words: str) -> list[str]:
        monkeypatch.setenv("_DOCKERCEPTION_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("dockerception", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return [line.partition(",")[2] for line in run().out.splitlines()]

    assert complete("ima") == ["images"]
    assert complete("build", "--bui") == ["--build-arg", "--build-context", "--builder-tag"]
    assert complete("build", "--network", "n") == ["none"]
    assert complete("run", "app") == ["apple:latest"]
    assert complete("inspect", "ban") == ["banana:latest"]
