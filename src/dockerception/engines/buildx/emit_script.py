"""What runs the builder's command inside of a solve: a shell of our own, since the builder's image may have none.

The shell is a static busybox, mounted for this one step.  It keeps the builder's stdout in a file, tells on stderr how
far that has come, and ends as the command ends; a step that fails is not cached, so a failed builder runs again.
"""

from __future__ import annotations

import re
from typing import Final

FOLDER: Final = "/.dockerception"
STDOUT: Final = "stdout"
CODE: Final = "code"
BUSYBOX: Final = "/bin/busybox"
"""Where the helper's image has its program."""

_MARK: Final = "dockerception: "
_BYTES: Final = re.compile(rb"dockerception: (\d+) bytes\s*")
_NOT_STARTED: Final = re.compile(rb"dockerception: not started: (.+?)\s*", re.DOTALL)

PREPARE: Final = (
    f"{BUSYBOX} mkdir -m 1777 /emit && : >/emit/{STDOUT} && : >/emit/{CODE} && {BUSYBOX} chmod 0666 /emit/*"
)
"""Makes the files, in the helper's image: the builder's user may write them, whoever that is."""

# An applet-first shell would run its own tar in place of the builder's: so a program is looked up in PATH here, and
# called by its path.  Variables have long names, for one of the image's own would be changed for the builder as well.
RUN: Final = f"""\
set -f
unset SHLVL OLDPWD PWD $1
shift
dockerception_program=$1
case $dockerception_program in
*/*)
  [ -e "$dockerception_program" ] || {{
    echo "{_MARK}not started: “$dockerception_program” is not found." >&2; exit 127; }}
  [ -f "$dockerception_program" ] && [ -x "$dockerception_program" ] || {{
    echo "{_MARK}not started: “$dockerception_program” can't be executed: permission denied." >&2; exit 126; }};;
*)
  dockerception_found=
  IFS=:
  for dockerception_folder in $PATH; do
    dockerception_file=${{dockerception_folder:-.}}/$dockerception_program
    if [ -f "$dockerception_file" ] && [ -x "$dockerception_file" ]; then
      dockerception_found=$dockerception_file
      break
    fi
  done
  unset IFS
  [ -n "$dockerception_found" ] || {{
    echo "{_MARK}not started: “$dockerception_program” is not found in \\$PATH." >&2; exit 127; }}
  dockerception_program=$dockerception_found;;
esac
shift
(
  dockerception_size=0
  while {FOLDER}/busybox sleep 1; do
    dockerception_now=$({FOLDER}/busybox stat -c %s {FOLDER}/{STDOUT})
    if [ "$dockerception_now" != "$dockerception_size" ]; then
      dockerception_size=$dockerception_now
      echo "{_MARK}$dockerception_size bytes" >&2
    fi
  done
) &
dockerception_teller=$!
"$dockerception_program" "$@" >{FOLDER}/{STDOUT} </dev/null
dockerception_code=$?
kill $dockerception_teller
[ $dockerception_code = 0 ] || exit $dockerception_code
echo 0 >{FOLDER}/{CODE}
"""
"""Runs the words that follow as the builder; the first word of all has the names of variables that it must not see."""


def bytes_told(line: bytes) -> int | None:
    """How many bytes the builder has written, if the line of the log is one that tells that."""
    match = _BYTES.fullmatch(line)
    return int(match[1]) if match else None


def not_started(line: bytes) -> str:
    """Why nothing was run, a full sentence, if the line of the log is one that tells that."""
    match = _NOT_STARTED.fullmatch(line)
    return match[1].decode(errors="replace") if match else ""
