"""Ordinary users of this machine for tests, and a copy of the program that each of them can run."""

from __future__ import annotations

import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.tools import give_up, need, need_root

_PACKAGES = (
    "backports", "certifi", "charset_normalizer", "click", "docker", "dockerception", "idna", "isal", "markdown_it",
    "mdurl", "msgspec", "platformdirs", "pygments", "requests", "rich", "urllib3", "yaml", "_yaml",
    "zlib_ng",
)  # fmt: skip
_SYSTEM = "/usr/bin/python3"


@contextmanager
def new_user(name: str, *, has_subordinate_ids: bool = True) -> Iterator[str]:
    """A user with a home and, as useradd grants them, subordinate ids; gone afterwards.  Needs root."""
    need_root()
    subprocess.run([need("useradd"), "--create-home", "--shell", "/bin/sh", name], check=True)
    try:
        if name not in Path("/etc/subuid").read_text():
            give_up("useradd grants no subordinate ids on this machine")
        if not has_subordinate_ids:
            ranges = [option for kind in ("uid", "gid") for option in (f"--del-sub{kind}s", "0-4294967294")]
            subprocess.run([need("usermod"), *ranges, name], check=True)
        yield name
    finally:
        subprocess.run([need("userdel"), "--remove", name], check=True, capture_output=True)


def copy_program(folder: Path, *more: str) -> Path:
    """Copy dockerception, all that it needs and more packages into the new ``folder``, which every user can read.

    They are compiled there, as they are where a program is installed.  Returns the folder.
    """
    folder.mkdir()
    for name in (*_PACKAGES, *more):
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue  # not needed by this version of Python
        if spec.origin and not spec.submodule_search_locations:
            shutil.copy2(spec.origin, folder)
        for source in map(Path, spec.submodule_search_locations or ()):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore, dirs_exist_ok=True)
    compileall.compile_dir(folder, quiet=2, workers=0)
    return folder


def python_of_everybody(user: str) -> str:
    """A Python of this version that the user can execute: that of these tests may lie in root's home."""
    found = next(filter(lambda python: _works_for(user, python), (os.path.realpath(sys.executable), _SYSTEM)), None)
    return found or give_up("no Python of this version that every user can execute")


def _works_for(user: str, python: str) -> bool:
    version = [need("runuser"), "-u", user, "--", python, "-c", "import sys; print(sys.version_info[:2])"]
    seen = subprocess.run(version, capture_output=True, text=True, check=False, cwd="/")
    return seen.stdout.strip() == str(sys.version_info[:2])


def open_folders(path: Path) -> None:
    """Let every user get to a path of pytest's, as long as no other pytest starts."""
    for above in (path, *path.parents):
        if above.stat().st_uid == os.geteuid() and str(above).startswith("/tmp/"):
            above.chmod(0o755)
