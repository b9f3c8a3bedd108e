"""Option values: what each reader makes of a text, and what it refuses."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.cli import values
from dockerception.engines.base import Output
from dockerception.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("0.5", 0.5), ("1m5", 65)],
)
def test_duration(text: str, expected: float) -> None:
    assert values.duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-5", "1y", "30m1h", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        values.duration(text)


def test_a_timeout_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves no time"):
        values.positive_duration("0s")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out", Output(type="local", destination="out")),
        ("-", Output(type="tar", destination="-")),
        ("type=local,dest=out", Output(type="local", destination="out")),
        ("type=tar", Output(type="tar", destination="-")),
        ("type=oci", Output(type="oci", destination="-")),
        ("type=oci,dest=a.tar", Output(type="oci", destination="a.tar")),
        ("type=docker,dest=-", Output(type="docker", destination="-")),
        ("type=docker", Output(type="load")),
        ("type=image", Output(type="image")),
        ('type=oci,"dest=a,b.tar"', Output(type="oci", destination="a,b.tar")),
        ('type=oci,"dest=a""b.tar"', Output(type="oci", destination='a"b.tar')),
        ("dest=a=b,TYPE=tar", Output(type="tar", destination="a=b")),
        ("type=oci,dest=d,tar=false", Output(type="oci", destination="d", attributes=(("tar", "false"),))),
    ],
)
def test_output(text: str, expected: Output) -> None:
    assert values.output(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type=zip,dest=x", "has the type “zip”"),
        ("dest=x,push=true", "has no type"),
        ("type=local", "has no directory"),
        ("type=local,dest=-", "has no directory"),
        ("type=tar,x", "“x” in the output"),
        ('type=tar,"dest=x', "comma-separated"),
        ("", "“” in the output"),
    ],
)
def test_what_is_no_output(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        values.output(text)


@given(st.text(alphabet=st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1))
def test_any_destination_survives_csv_quoting(destination: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(["type=oci", f"dest={destination}"])
    assert values.output(buffer.getvalue()).destination == destination


def test_variables_come_from_the_environment_where_they_have_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET", "x=y")
    monkeypatch.delenv("UNSET", raising=False)
    assert values.variable("SET") == ("SET", "x=y")
    assert values.variable("SET=") == ("SET", "")
    assert values.variable("UNSET") == ("UNSET", None)
    with pytest.raises(UsageError, match="has no name"):
        values.variable("=x")


def test_volumes_are_absolute_and_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert values.volume("./data:/data") == (str(tmp_path / "data"), "/data", False)
    assert values.volume(f"{tmp_path}/data:/x:ro") == (str(tmp_path / "data"), "/x", True)
    for text, reason in {
        "data:/data": "named volume",
        "./missing:/x": "There is no",
        "./data:x": "is not a volume",
        "./data": "is not a volume",
        "./data:/x:z": "is not a volume",
    }.items():
        with pytest.raises(UsageError, match=reason):
            values.volume(text)
