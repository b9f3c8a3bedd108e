"""Names of Linux signals, for STOPSIGNAL.  A table, since the machine that builds need not be a Linux."""

from __future__ import annotations

import re

from ...errors import DockerfileError
from ..text import did_you_mean

_NAMES = (
    "ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    "|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN|RTMAX"
)
_NAME = re.compile(rf"{_NAMES}|RTMIN\+([1-9]|1[0-5])|RTMAX-([1-9]|1[0-4])")


def check_signal(signal: str) -> None:
    """Raise ``DockerfileError`` unless ``signal`` is a number other than 0 or a name, with or without ``SIG``."""
    if re.fullmatch("[0-9]{1,3}", signal) and int(signal) > 0:
        return
    name = signal.upper().removeprefix("SIG")
    if not _NAME.fullmatch(name):
        known = [] if name.isdecimal() else [f"SIG{one}" for one in _NAMES.split("|")]
        hint = did_you_mean(f"SIG{name}", known, "write a name such as SIGTERM, or a number")
        raise DockerfileError(f"“{signal}” is not a signal.", hint=hint)
