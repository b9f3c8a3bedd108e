"""How errors look: ``error[code]: message``, the details, the hint, and where the log is."""

from __future__ import annotations

import os
import sys
import time

from ..errors import DockerceptionError
from . import output

BUG_EXIT_CODE = 70


def show(error: DockerceptionError) -> None:
    """Print an error to stderr."""
    head = _styled(f"error[{error.code}]:", "31;1")
    lines = [f"{head} {error.message}"]
    if error.details:
        lines.append(error.details.rstrip("\n"))
    if error.hint:
        lines.append(f"{_styled('hint:', '36')} {error.hint}")
    lines += getattr(error, "__notes__", [])
    output.words("\n".join(lines))


def show_bug(error: BaseException) -> None:
    """Print that the fault is ours, and where the traceback is."""
    path = _write_traceback(error)
    head = _styled("error[bug]:", "31;1")
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
    where = f"with the file {path}" if path else "with the text above"
    output.words(
        f"{head} dockerception failed by a mistake of its own ({text}).\n"
        f"{_styled('hint:', '36')} please report it {where}, and what you did"
    )


def _write_traceback(error: BaseException) -> str:
    """The path of a new file with the traceback; where none can be written, it goes to stderr."""
    import tempfile
    import traceback

    from ..store.store import default_root

    text = "".join(traceback.format_exception(error))
    arguments = " ".join(sys.argv[1:2])  # the command only: values may be secret
    body = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} dockerception {arguments}\n{text}"
    for folder in (os.path.join(default_root(), "logs"), tempfile.gettempdir()):
        try:
            descriptor, path = tempfile.mkstemp(prefix="bug-", suffix=".log", dir=folder)
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(body)
        except OSError:
            continue
        return path
    output.words(body)
    return ""


def _styled(text: str, codes: str) -> str:
    is_coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{codes}m{text}\x1b[0m" if is_coloured else text
