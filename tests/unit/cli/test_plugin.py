"""The plugin of Docker's command line: what it tells Docker, and what it takes from Docker's words."""

from __future__ import annotations

import pytest

from dockerception.cli.plugin import metadata, take_off


def test_docker_gets_what_it_asks_for() -> None:
    found = metadata()
    assert found["SchemaVersion"] == "0.1.0"
    assert found["Vendor"]
    assert found["Version"]


@pytest.mark.parametrize(
    ("words", "variables", "rest"),
    [
        ("dockerception build .", {}, "build ."),
        ("--context far dockerception build .", {"DOCKER_CONTEXT": "far"}, "build ."),
        ("-c far -l debug dockerception build", {"DOCKER_CONTEXT": "far"}, "build"),
        ("--host=tcp://h:1 --tlsverify -D dockerception", {"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}, ""),
        ("--config dir --tlscacert ca dockerception df", {"DOCKER_CONFIG": "dir"}, "df"),
        ("dockerception build -c x", {}, "build -c x"),
    ],
)
def test_dockers_options_are_taken_off(words: str, variables: dict[str, str], rest: str) -> None:
    assert take_off(words.split()) == (variables, rest.split())
