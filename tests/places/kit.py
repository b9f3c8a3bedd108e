"""What is carried to each place: the program, bases, what is built of them, and the tests themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from support import bases, cache
from support.tools import give_up
from support.users import copy_program

_SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Debian's release with this version of Python, in which the program's compiled parts can be imported."""

_PYTEST = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging")

_COMMAND = """#!/bin/sh
exec python3 -c 'from dockerception.cli.main import main; main()' "$@"
"""

_CASES = {
    "builder": """
        FROM busybox
        WORKDIR /src
        COPY message .
        RUN --mount=type=cache,target=/cache mkdir -p /out && cp message /out/ && echo built >> /cache/log \\
          && cp /cache/log /out/ && ln /out/message /out/again && rm -rf /var && mkdir -p /var/fresh
        RUN printf 'FROM busybox\\nCOPY message again log /\\nENTRYPOINT ["cat", "/message"]\\n' > /out/Dockerfile
        CMD ["tar", "-cf", "-", "-C", "/out", "."]
        """,
    "exits": """
        FROM busybox
        RUN mkdir /out && echo FROM scratch > /out/Dockerfile
        CMD tar -cf - -C /out . && exit 3
        """,
    "logs": """
        FROM busybox
        RUN mkdir /out && echo FROM scratch > /out/Dockerfile
        CMD echo compiling; tar -cf - -C /out .
        """,
    "fails": """
        FROM busybox
        RUN echo no such luck && false
        """,
    "owners": """
        FROM busybox
        RUN touch /mine && chown 33:44 /mine
        """,
    "copies": """
        FROM busybox
        COPY --chown=7:8 message /where/
        CMD ["true"]
        """,
    "onbuild": """
        FROM machine
        ONBUILD RUN touch -d @1000000000 /triggered
        """,
    "system": """
        FROM onbuild
        RUN apt-get update && apt-get install -y --no-install-recommends hello && hello | grep -q world \\
          && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* /etc/ld.so.cache /tmp/*
        RUN mkdir /owned && touch /owned/a /owned/b && chown 33:44 /owned/a && chown www-data:games /owned/b \\
          && chown -h 12:34 /owned && chmod 2750 /owned \\
          && rm -r /usr/share/base-files && mkdir /usr/share/base-files && echo new > /usr/share/base-files/only \\
          && cp /bin/true /usr/bin/pinger && setcap cap_net_raw+ep /usr/bin/pinger && getcap /usr/bin/pinger \\
          && mv /etc/skel /etc/frame && rm /etc/issue && ln -s nowhere /etc/issue && mkfifo /fifo \\
          && ln /usr/bin/pinger /usr/bin/pinger-too
        RUN --mount=type=cache,target=/kept echo once >> /kept/times && cp /kept/times /times
        """,
}


def make(folder: Path) -> Path:
    """Make the kit in an empty folder, which every user may read; returns it."""
    folder.chmod(0o755)
    shutil.copy(Path(__file__).with_name("driver.py"), folder)
    copy_program(folder / "program", *_PYTEST)
    (folder / "bin").mkdir()
    (folder / "bin/dockerception").write_text(_COMMAND)
    (folder / "bin/dockerception").chmod(0o755)
    (folder / "bases").mkdir()
    for archive in (*(base().archive for base in bases.BASES.values()), machine_archive()):
        _bring(archive, folder / "bases" / f"{archive.name.partition('-')[0]}.tar")
    for name, text in _CASES.items():
        case = folder / "cases" / name
        case.mkdir(parents=True)
        (case / "Dockerfile").write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n")
        (case / "message").write_text("hello from the runtime image\n")
        for file in (case / "Dockerfile", case / "message"):
            file.chmod(0o644)
    return folder


def for_suite(kit: Path, folder: Path, base_names: Sequence[str], results: Iterable[Path]) -> Path:
    """A kit in an empty folder: the program, the tests, some bases, and what has come out elsewhere."""
    folder.chmod(0o755)
    root = Path(__file__).parents[2]
    for name in ("driver.py", "bin/dockerception", *(f"bases/{base}.tar" for base in base_names)):
        (folder / name).parent.mkdir(exist_ok=True)
        _bring(kit / name, folder / name)
    shutil.copytree(kit / "program", folder / "program", copy_function=_bring)
    for name in ("tests", "examples"):
        shutil.copytree(root / name, folder / "suite" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", folder / "suite")
    (folder / "results").mkdir()
    for path in results:
        _bring(path, folder / "results" / path.name)
    subprocess.run(["chmod", "-R", "a+rX", folder / "suite", folder / "results"], check=True)
    return folder


def _bring(file: str | Path, target: str | Path) -> None:
    """The same file at another place, without its bytes where that can be."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy(file, target)


def machine_rootfs() -> Path:
    """A Debian with apt, a Python that can run the program, and what the tests of the suite need."""
    suite = _SUITES.get(sys.version_info[:2])
    if suite is None:
        give_up("no release of Debian's has this version of Python")
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        "--include=python3,libcap2-bin,ca-certificates,git,openssh-client",
    ]
    command += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--skip=output/dev", "--format=tar", suite]
    name = f"machine-{cache.recipe_key(*command)}.tar"
    return cache.once(name, lambda path: bases.run_mmdebstrap(command, path))


def machine_archive() -> Path:
    """The same as an image, ``machine``."""
    rootfs = machine_rootfs()
    name = f"{rootfs.name.removesuffix('.tar')}.docker.tar"
    config: dict[str, object] = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    return cache.once(name, lambda path: bases.image_archive(rootfs, "machine", config, path))
