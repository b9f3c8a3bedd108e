"""Runs the program several times in one place, whatever place that is; started there with nothing but a Python.

stdin: a JSON list of argument lists.  stdout: a JSON list of objects with ``code``, ``stdout`` and ``stderr``.  The
arguments may speak of ``{kit}``, the folder that this file is in, and of ``{out}``, where files go that are wanted.
What begins with ``sh`` is a script in that folder, for which the program is a command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

_MAIN = "from dockerception.cli.main import main; main()"


def main() -> None:
    """Run one after the other, each to its end."""
    kit = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1]
    os.makedirs(os.path.join(out, "images"), exist_ok=True)
    environment = {
        "PATH": f"{kit}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": os.path.join(kit, "program"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DOCKERCEPTION_HOME": os.path.join(out, "store"),
        "SOURCE_DATE_EPOCH": "1700000000",
        "HOME": out,
    }
    results = []
    for arguments in json.load(sys.stdin):
        command = [each.replace("{kit}", kit).replace("{out}", out) for each in arguments]
        if command[0] != "sh":
            command = [sys.executable, "-c", _MAIN, *command]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, cwd=out, check=False
        )
        texts = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        results.append({"code": done.returncode, "stdout": texts[0], "stderr": texts[1]})
    json.dump(results, sys.stdout)


main()
