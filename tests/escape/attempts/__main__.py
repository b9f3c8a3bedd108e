"""What a process tries in order to get out of its container.  Run inside by any Python 3: ``python -m
escape.attempts CANARY SOCKET KEY [FILE]``; writes a JSON object, to stdout or into the file.

The arguments are a file of the machine that holds ``canary-of-the-machine``, an abstract unix socket that somebody
listens on there, and the key of a shared memory segment.  Each attempt yields what it tries and whether it got hold of
it.  ``found`` has what was got, by attempt; ``tried`` how much was tried.  Nothing here changes a machine on which an
attempt succeeds.
"""

from __future__ import annotations

import json
import sys

from escape.attempts import files, kernel, others

found: dict[str, list[str]] = {}
tried: dict[str, int] = {}
for attempt in (*files.ATTEMPTS, *others.ATTEMPTS, *kernel.ATTEMPTS):
    name = attempt.__name__
    tried[name] = 0
    try:
        for what, is_reached in attempt():
            tried[name] += 1
            if is_reached:
                found.setdefault(name, []).append(what)
    except OSError as error:
        found.setdefault(name, []).append(f"the attempt itself failed: {error}")
with open(sys.argv[4] if sys.argv[4:] else 1, "w") as out:
    json.dump({"found": found, "tried": tried}, out)
