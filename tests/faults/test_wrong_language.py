"""Dockerfiles that break a rule of the language: the message, the line that the excerpt marks, and the hint.

None of them needs a step to be executed to be wrong; ``test_dockerfiles`` has those that do.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faults.program import Failure, Program, fails

pytestmark = pytest.mark.root

# The text, the number of the wrong line, and what is found literally in the message and in the hint.
_FILE = {
    "a wrong escape character": ("# escape=x\nFROM busybox\n", 1, "can't be “x”", "write # escape=\\ or # escape=`"),
    "a directive twice": ("# escape=`\n# escape=`\nFROM busybox\n", 2, "“escape” is given twice", ", once"),
    "an unknown check": ("# check=skipp=all\nFROM busybox\n", 1, "has no option “skipp=all”", "skip=…;error=true"),
    "only ARG": ("ARG a=1\n", 1, "There is no FROM", "add FROM image"),
    "a lost continuation": ("FROM busybox\nRUN true\n  && false\n", 3, "instruction: &&", "lack a continuation"),
    "a list of numbers": ('FROM busybox\nCMD ["a", 1]\n', 2, "must hold strings only", "in double quotes"),
    "COPY of an open here-document": ("FROM busybox\nCOPY <<'END' /x\n END\n", 2, "<<'END' has no end", "only END"),
    "a here-document as destination": ("FROM busybox\nCOPY a <<EOF\nEOF\n", 2, "as its destination", "<<EOF /path"),
    "a mark with a blank": ("FROM busybox\nCOPY << EOF /x\nEOF\n", 2, "none of its sources", "as one word"),
}
_STAGES = {
    "FROM with two images": ("FROM busybox other\n", 1, "FROM takes an image", "write FROM image or FROM image AS"),
    "FROM AS nothing": ("FROM busybox AS\n", 1, "or an image and AS and a name", "write FROM image or FROM image AS"),
    "a number as a stage's name": ("FROM busybox AS 1st\n", 1, "“1st” can't be the name", "begins with a letter"),
    "a misspelt platform flag": ("FROM --platfrom=x busybox\n", 1, "no flag --platfrom", "did you mean --platform"),
    "a number that no stage has": (
        "FROM busybox\nCOPY --from=7 a /\n",
        2,
        "--from=7 is no stage: there is none",
        "counted from 0",
    ),
    "a stage that copies from itself": (
        "FROM busybox AS a\nCOPY --from=a a /\n",
        2,
        "that it stands in",
        "earlier ones",
    ),
    "a later stage": (
        "FROM busybox AS a\nCOPY --from=b a /\nFROM busybox AS b\nFROM a\n",
        2,
        "begins later, in line 3",
        "in front of this",
    ),
    "no platform": ("FROM --platform=a/b/c/d busybox\n", 1, "“a/b/c/d” is not a platform", "os/architecture[/variant]"),
}
_CONFIG = {
    "ENV with a flag": ("FROM busybox\nENV --a=1 b=2\n", 2, "ENV has no flag --a", "put a “--” before it"),
    "ENV with a loose word": ("FROM busybox\nENV a=1 two\n", 2, "has “two” without a “=”", "quote a value that has"),
    "ENV without a name": ("FROM busybox\nENV a=1 =2\n", 2, "ENV “=2” has no name", "write NAME=VALUE"),
    "LABEL of nothing": ("FROM busybox\nLABEL\n", 2, "LABEL needs an argument", "write LABEL NAME=VALUE"),
    "ARG without a name": ("FROM busybox\nARG =x\n", 2, "ARG “=x” has no name", "write ARG NAME or ARG NAME=default"),
    "USER of nothing": ("FROM busybox\nUSER\n", 2, "USER needs an argument", "write USER name or USER uid:gid"),
    "WORKDIR of nothing": ("FROM busybox\nWORKDIR \n", 2, "WORKDIR needs an argument", "write WORKDIR /path"),
    "an unknown signal": ("FROM busybox\nSTOPSIGNAL SIGTREM\n", 2, "“SIGTREM” is not a", "did you mean SIGTERM"),
    "SHELL that is no list": ("FROM busybox\nSHELL /bin/sh\n", 2, "takes a JSON array", 'write SHELL ["/bin/bash"'),
    "VOLUME of an empty path": ('FROM busybox\nVOLUME [""]\n', 2, "VOLUME has an empty path", "name the directories"),
    "an unknown protocol": ("FROM busybox\nEXPOSE 80/tpc\n", 2, "“80/tpc” has an unknown protocol", "did you mean tcp"),
    "ports backwards": ("FROM busybox\nEXPOSE 90-80\n", 2, "“90-80” is not a port", "up to 65535, or first-last"),
    "HEALTHCHECK of its own": ("FROM busybox\nHEALTHCHECK NON\n", 2, "neither CMD nor NONE", "did you mean NONE"),
    "HEALTHCHECK NONE and more": ("FROM busybox\nHEALTHCHECK NONE x\n", 2, "takes nothing else", "HEALTHCHECK NONE"),
    "HEALTHCHECK without a command": ("FROM busybox\nHEALTHCHECK CMD\n", 2, "CMD has no command", "CMD command"),
    "a time without a unit": ("FROM busybox\nHEALTHCHECK --interval=5 CMD x\n", 2, "--interval is “5”", "such as 30s"),
    "a time that is too short": ("FROM busybox\nHEALTHCHECK --timeout=1us CMD x\n", 2, "is 1us", "less than 1ms"),
    "fewer retries than none": ("FROM busybox\nHEALTHCHECK --retries=-1 CMD x\n", 2, "--retries is “-1”", "0 or more"),
    "a trigger that is FROM": ("FROM busybox\nONBUILD FROM busybox\n", 2, "can't be a trigger", "that builds on this"),
    "a misspelt trigger": ("FROM busybox\nONBUILD CPOY a b\n", 2, "instruction: CPOY", "did you mean COPY"),
}
_VARIABLES = {
    "an open quote": ('FROM busybox\nENV a="b\n', 2, 'A double quote is not closed in “"b”', "add the closing"),
    "an open brace": ("FROM busybox\nENV a=${b\n", 2, "“${b” is not closed", "add the “}”"),
    "no name in braces": ("FROM busybox\nENV a=${}\n", 2, "“${}” is a bad substitution", "\\$ for a plain $"),
    "a form of another shell": ("FROM busybox\nENV a=${b^^}\n", 2, "is not a form that variables have", "one of :- -"),
    "a variable that must be set": ("FROM busybox\nENV a=${b:?give}\n", 2, "b: give", "--build-arg b=…"),
    "a name that becomes empty": ("FROM busybox\nENV $none=2\n", 2, "The name “$none” is empty", "NAME=VALUE"),
    "a signal by a variable": ("FROM busybox\nARG s=SIGX\nSTOPSIGNAL $s\n", 3, "“SIGX” is not", "did you mean SIGXFSZ"),
    "COPY from a variable": ("FROM busybox\nCOPY --from=$x a /\n", 2, "can't hold a variable", "FROM … AS name"),
}
_FILES = {
    "COPY with one path": ("FROM busybox\nCOPY a\n", 2, "needs a source and a destination", "COPY source destination"),
    "COPY of a URL": ("FROM busybox\nCOPY https://a.invalid/x /\n", 2, "can't take the URL https://a", "use ADD for"),
    "a mode that is not octal": ("FROM busybox\nCOPY --chmod=999 a /\n", 2, "--chmod is “999”", "an octal mode"),
    "a flag twice": ("FROM busybox\nCOPY --chown=1 --chown=2 a /\n", 2, "has --chown twice", "keep one --chown"),
    "a flag without its value": ("FROM busybox\nCOPY --chown a /\n", 2, "--chown has no value", "--chown=VALUE"),
    "a flag neither true nor false": ("FROM busybox\nCOPY --link=maybe a /\n", 2, "is “maybe”", "either true or false"),
    "ADD from a stage": ("FROM busybox\nADD --from=x a /\n", 2, "ADD has no flag --from", "use COPY --from"),
    "another checksum": ("FROM busybox\nADD --checksum=md5:1 https://a.invalid/x /\n", 2, "“md5:1” is no", "sha256sum"),
}
_RUN = {
    "RUN of an empty list": ("FROM busybox\nRUN []\n", 2, "RUN has no command", "write RUN command or RUN ["),
    "an unknown network": ("FROM busybox\nRUN --network=nun x\n", 2, "--network is “nun”", "default, none, host"),
    "privileges nobody allowed": ("FROM busybox\nRUN --security=insecure x\n", 2, "nobody has allowed it", "--allow"),
    "an unknown group": ("FROM busybox\nUSER root:nobodys\nRUN x\n", 3, "“nobodys” is not in /etc/group", "create it"),
    "an unknown type of mount": ("FROM busybox\nRUN --mount=type=bnid x\n", 2, "type is “bnid”", "did you mean bind"),
    "an unknown option of a mount": ("FROM busybox\nRUN --mount=tagret=/x x\n", 2, "“tagret”", "did you mean target"),
    "an option without its value": ("FROM busybox\nRUN --mount=target x\n", 2, "“target” has no value", "target=VALUE"),
    "an option of another type": ("FROM busybox\nRUN --mount=size=1,target=/x x\n", 2, "“size”", "only tmpfs mounts"),
    "a size in words": ("FROM busybox\nRUN --mount=type=tmpfs,target=/x,size=big x\n", 2, "is “big”", "such as 64m"),
    "a mount's mode": ("FROM busybox\nRUN --mount=type=cache,target=/x,mode=9 x\n", 2, "mode is “9”", "octal number"),
    "a way to share": ("FROM busybox\nRUN --mount=type=cache,sharing=all x\n", 2, "is “all”", "shared, private"),
    "a mount on the root": ("FROM busybox\nRUN --mount=target=/ x\n", 2, "can't have / as", "a directory below"),
    "a mount without a target": ("FROM busybox\nRUN --mount=type=cache x\n", 2, "without WORKDIR", "target=/src"),
    "a mount from a variable": ("FROM busybox\nRUN --mount=from=$x,target=/x x\n", 2, "hold a variable", "from=name"),
    "a secret without a name": ("FROM busybox\nRUN --mount=type=secret x\n", 2, "names no secret", "add id=NAME"),
    "a secret by two names": ("FROM busybox\nRUN --mount=type=secret,id=a,source=b x\n", 2, "has both", "keep id"),
    "a secret from a stage": ("FROM busybox\nRUN --mount=type=secret,id=a,from=b x\n", 2, "“from”", "the command line"),
}
_NESTED = {
    "BUILD of nothing": ("FROM busybox\nBUILD\n", 2, "BUILD needs an argument", "write BUILD directory or BUILD -"),
    "BUILD of too much": ("FROM busybox\nBUILD /a b c\n", 2, "too many arguments", "BUILD directory [Dockerfile]"),
    "BUILD of two Dockerfiles": ("FROM busybox\nBUILD /a File\nFROM busybox\n", 2, "BUILD names the", "leave one of"),
    "COPY right behind BUILD": ("FROM busybox\nBUILD /a\nCOPY a /\n", 3, "COPY stands before FROM", "only ARG may"),
    "ARG alone behind BUILD": ("FROM busybox\nBUILD /a\nARG a\n", 3, "Behind BUILD there is no FROM", "leave the ARG"),
    "a level that is not there": (
        "FROM busybox\nBUILD /etc\nFROM busybox\nCOPY --from=level:7 /x /\n", 4, "There is no level:7", "level:0"
    ),
    "IN without a block": ("FROM busybox\nIN /root\n", 2, "IN takes a directory and a “{”", "end the block with }"),
    "an empty block": ("FROM busybox\nIN /root {\n}\n", 2, "The block of IN is empty", "begin it with FROM image"),
    "an open block": ("FROM busybox\nIN /root {\nFROM busybox\n", 2, "is not closed", "a line that holds only }"),
    "a block without FROM": ("FROM busybox\nIN /r {\nRUN x\n}\n", 3, "has one FROM, and it stands first", "begin it"),
    "a block with BUILD": ("FROM busybox\nIN /r {\nFROM busybox\nBUILD /x\n}\n", 4, "BUILD can't", "behind the block"),
    "a block with PUBLISH": ("FROM busybox\nIN /r {\nFROM busybox\nPUBLISH /x\n}\n", 4, "PUBLISH can't", "at the end"),
    "the end of no block": ("FROM busybox\n}\n", 2, "This “}” closes no block", "IN directory {"),
    "more behind the end": ("FROM busybox\nIN /r {\nFROM busybox\n} RUN x\n", 4, "something behind it", "of its own"),
    "PUBLISH of two": ("FROM busybox\nPUBLISH /a /b\n", 2, "PUBLISH takes one directory", "write PUBLISH directory"),
    "PUBLISH twice": ("FROM busybox\nPUBLISH /a\nFROM busybox\nPUBLISH /b\n", 4, "more than one", "one root"),
    "PUBLISH not at the end": ("FROM busybox\nPUBLISH /a\nRUN x\n", 2, "is not the last", "only BUILD may follow it"),
    "PUBLISH of a relative path": ("FROM busybox\nPUBLISH a\n", 2, "of one directory, not “a”", "write PUBLISH"),
    "a numbered stage beside PUBLISH": (
        "FROM busybox\nFROM busybox\nRUN --mount=from=0,target=/x x\nPUBLISH /etc\n", 3, "by its number", "a name"
    ),
}  # fmt: skip
_WRONG = _FILE | _STAGES | _CONFIG | _VARIABLES | _FILES | _RUN | _NESTED


@pytest.mark.parametrize("case", _WRONG)
def test_the_message_the_line_and_the_hint(program: Program, tmp_path: Path, case: str) -> None:
    text, line, message, hint = _WRONG[case]
    context = tmp_path / "context"
    context.mkdir()
    (context / "a").touch()
    (context / "b").touch()
    (context / "Dockerfile").write_text(text)
    failure = Failure(3, "dockerfile", re.escape(message), re.escape(hint))
    done = fails(program, failure, "assemble", str(context), folder=tmp_path / "outputs")
    marked = re.findall(r"^ *([0-9]+) \| >>> (.*)$", done.errors, re.MULTILINE)
    assert (str(line), text.splitlines()[line - 1].strip()) == (marked[0][0], marked[0][1].strip())
    assert f": Dockerfile:{line}: " in done.errors
