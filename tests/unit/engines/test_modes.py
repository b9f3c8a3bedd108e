"""``--chmod`` beside the ``chmod`` of coreutils."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockerception.engines.embedded import modes
from dockerception.errors import DockerfileError

_CLAUSE = st.builds(
    "{}{}".format,
    st.text("ugoa", min_size=1, max_size=2),
    st.lists(
        st.builds("{}{}".format, st.sampled_from("+-="), st.text("rwxXst", max_size=3) | st.sampled_from("ugo")),
        min_size=1,
        max_size=2,
    ).map("".join),
)
_MODES = st.lists(_CLAUSE, min_size=1, max_size=3).map(",".join)


def by_coreutils(path: Path, text: str, mode: int) -> int:
    """What chmod makes of a file or directory that has this mode."""
    path.chmod(mode)
    # "--" keeps a clause that begins with a minus from being an option.
    subprocess.run(["chmod", "--", text, os.fspath(path)], check=True, umask=0)
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """A file and a directory to change."""
    if shutil.which("chmod") is None:
        pytest.skip("there is no chmod")
    place = tmp_path / "file"
    place.touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    return place, folder


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_MODES, mode=st.integers(0, 0o7777), is_directory=st.booleans())
def test_symbolic_modes(both: tuple[Path, Path], text: str, mode: int, is_directory: bool) -> None:
    change = modes.parse(text)
    assert change is not None
    assert oct(change(mode, is_directory)) == oct(by_coreutils(both[is_directory], text, mode))


@pytest.mark.parametrize(
    ("text", "old", "is_directory", "new"),
    [
        ("755", 0o600, False, 0o755),
        ("0", 0o777, False, 0),
        ("4755", 0, False, 0o4755),
        ("07777", 0, False, 0o7777),
        ("755", 0o2700, True, 0o755),  # octal is exact, where coreutils keeps a directory's set-id bits
        ("+x", 0o644, False, 0o755),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("g=u", 0o640, False, 0o660),
        ("a-w", 0o666, False, 0o444),
        ("u+s,g+s,+t", 0o755, False, 0o7755),
    ],
)
def test_modes(text: str, old: int, is_directory: bool, new: int) -> None:
    change = modes.parse(text)
    assert change is not None
    assert oct(change(old, is_directory)) == oct(new)


def test_no_mode_is_no_change() -> None:
    assert modes.parse("") is None


@pytest.mark.parametrize("text", ["8", "77777", "-1", "rwx", "u", "u+q", "u+x,", ",", "0x1ff", "u =x", "u+rug"])
def test_what_is_no_mode(text: str) -> None:
    with pytest.raises(DockerfileError, match="is not a mode") as caught:
        modes.parse(text)
    assert "--chmod=" in caught.value.hint
