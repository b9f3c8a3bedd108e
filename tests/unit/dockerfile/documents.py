"""Whole Dockerfiles that are right, made at random: every instruction and every flag, in all the ways to write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from hypothesis import strategies as st

LETTERS = "abXY019_-.é"
NAMES = st.sampled_from(["A", "b_2", "LONG_NAME", "_x"])
BODIES = st.text(alphabet="ab ${}\t\"'\\#<\r", max_size=20).filter(lambda text: "<<" not in text)
_DIGITS = st.integers(0, 65535).map(str)


class Style(msgspec.Struct, frozen=True):
    """How a document is written: its escape character, and the case of its keywords."""

    escape: str
    is_lower: bool

    def keyword(self, text: str) -> str:
        return text.lower() if self.is_lower else text


@st.composite
def documents(draw: st.DrawFn) -> str:
    """The text of a Dockerfile that is read without an error."""
    style = Style(draw(st.sampled_from("\\`")), draw(st.booleans()))
    lines = [
        *draw(st.lists(st.sampled_from(["# syntax=docker/dockerfile:1", "# check=skip=all;error=true"]), unique=True)),
        *(["# escape=`"] if style.escape == "`" else []),
        *draw(st.lists(_args(style), max_size=2)),
    ]
    for number in range(draw(st.integers(1, 3))):
        lines.append(draw(_from(style, number)))
        for each in draw(st.lists(st.one_of(*(make(style) for make in INSTRUCTIONS)), max_size=4)):
            lines += [*draw(st.sampled_from([(), ("",), ("# a comment",), ("  # two", "", "#")])), each]
    lines += draw(st.sampled_from([(), ("BUILD -",), ("BUILD /out",), ("BUILD /out Dockerfile.run",), ("PUBLISH /x",)]))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))


def values(style: Style, alphabet: str = LETTERS) -> st.SearchStrategy[str]:
    """One word in every form of quoting; none is empty."""
    plain = st.text(alphabet=alphabet, min_size=1, max_size=5)
    escape = style.escape
    return st.one_of(
        plain,
        plain.map("'{}'".format),
        plain.map('"{} $A"'.format),
        plain.map(lambda text: f"{text}{escape} {escape}{escape}x"),
        plain.map("${{A:-{}}}".format),
        plain.map("$A{}".format),
        st.builds("'{}'\"{}\"".format, plain, plain),
    )


def plain_paths() -> st.SearchStrategy[str]:
    return st.text(alphabet="ab1./*$-é", min_size=1, max_size=6).filter(lambda text: not text.startswith("-"))


def blanks(style: Style) -> st.SearchStrategy[str]:
    """What may stand between two words."""
    escape = style.escape
    return st.sampled_from([" ", "\t", "   ", f" {escape}\n  ", f" {escape}  \n# a comment\n\n\t"])


def flag_values() -> st.SearchStrategy[str]:
    return st.sampled_from(["a", "'a b'", '"a\\"b"', "a\\ b", "$A", "'${A:-b}'", "1:2"])


@st.composite
def _joined(draw: st.DrawFn, style: Style, words: st.SearchStrategy[Sequence[str]]) -> str:
    first, *others = draw(words)
    return first + "".join(draw(blanks(style)) + other for other in others)


@st.composite
def _flagged(
    draw: st.DrawFn,
    style: Style,
    keyword: str,
    flags: Sequence[st.SearchStrategy[str]],
    arguments: st.SearchStrategy[str],
) -> str:
    """An instruction with some of its flags, each at most as often as it is in ``flags``, in any order."""
    chosen = [flag for flag in draw(st.permutations(flags)) if draw(st.booleans())]
    words = [style.keyword(keyword), *(draw(flag) for flag in chosen)]
    return "".join(word + draw(blanks(style)) for word in words) + draw(arguments)


def _from(style: Style, number: int) -> st.SearchStrategy[str]:
    named = st.sampled_from(["", f" AS stage-{number}", f" as Stage.{number}", f"\tAs\tx{number}_"])
    images = st.sampled_from(["scratch", "busybox:1", "h:5/a@sha256:0", "$A", "${A:-b}"])
    platform = st.sampled_from(["--platform=linux/amd64", "--platform=$A", "--platform='linux/arm64'", "--platform="])
    return _flagged(style, "FROM", [platform], st.builds("{}{}".format, images, named))


def _pairs(style: Style) -> st.SearchStrategy[Sequence[str]]:
    return st.lists(st.builds("{}={}".format, NAMES, values(style)), min_size=1, max_size=3)


def _args(style: Style) -> st.SearchStrategy[str]:
    words = st.lists(
        st.one_of(NAMES, st.builds("{}={}".format, NAMES, st.one_of(st.just(""), values(style)))), min_size=1
    )
    return _flagged(style, "ARG", [], _joined(style, words))


def _settings(style: Style) -> st.SearchStrategy[str]:
    word, pairs = values(style), _joined(style, _pairs(style))
    ports = st.one_of(_DIGITS, _DIGITS.map("{}/udp".format), st.sampled_from(["1-3/TCP", "127.0.0.1:80:80", "$P"]))
    volumes = st.one_of(_json(1), _joined(style, st.lists(plain_paths(), min_size=1, max_size=3)))
    choices = {
        "ENV": st.one_of(pairs, st.builds("{} {}  {}".format, NAMES, word, word)),
        "LABEL": st.one_of(pairs, st.builds("{} {}".format, NAMES, word)),
        "WORKDIR": word,
        "USER": st.one_of(word, st.just("1000:$A")),
        "EXPOSE": _joined(style, st.lists(ports, min_size=1, max_size=3)),
        "VOLUME": volumes.filter(lambda text: not text.startswith("[[")),
        "STOPSIGNAL": st.sampled_from(["SIGTERM", "int", "9", "$S", "'SIGRTMIN+3'"]),
        "MAINTAINER": st.sampled_from(["me", "A B  <c@d>", '"quoted"']),
        "SHELL": _json(1),
    }
    return st.one_of(*(_flagged(style, keyword, [], arguments) for keyword, arguments in choices.items()))


def _json(least: int) -> st.SearchStrategy[str]:
    strings = st.text(alphabet="ab \"'\\\t[$é/", min_size=1, max_size=5).filter(lambda text: bool(text.strip()))
    return st.lists(strings, min_size=least, max_size=3).map(lambda found: msgspec.json.encode(found).decode())


def _scripts(style: Style) -> st.SearchStrategy[str]:
    lines = st.text(alphabet="ab '\"$|&;#[é>", min_size=1, max_size=16).filter(lambda text: bool(text.strip()))
    plain = lines.map(str.strip).filter(lambda text: not text.startswith(("#", "[")))
    return st.one_of(_json(1), plain, st.builds(f"{{}} && {style.escape}\n# why\n  {{}}".format, plain, plain))


def _commands(style: Style) -> st.SearchStrategy[str]:
    script = _scripts(style)
    durations = [f"--{name}={value}" for name in ("interval", "timeout", "start-period") for value in ("90s", "1h0.5s")]
    times = [st.just(durations[0]), st.just(durations[3]), st.just(durations[4]), st.just("--start-interval=1ms")]
    return st.one_of(
        _flagged(style, "CMD", [], script),
        _flagged(style, "ENTRYPOINT", [], script),
        _flagged(style, "HEALTHCHECK", [*times, st.just("--retries=3")], script.map("CMD {}".format)),
        st.just("HEALTHCHECK NONE"),
    )


def _mounts() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            "--mount=type=cache,target=/root/.cache,id=x,sharing=locked,mode=0700,uid=1,gid=2,ro",
            "--mount=type=bind,from=stage,source=a,target=/b,rw",
            "--mount=target=$A,source='${B}'",
            "--mount=type=tmpfs,target=/t,size=1.5g",
            "--mount=type=secret,id=s,env=TOKEN,required=true,mode=400",
            "--mount=type=ssh,required",
            '--mount=type=secret,id=s,target="/a b"',
            "--mount='type=bind,\"target=/a,b\"'",
            "--mount=type=$T,dst=/x",
        ]
    )


def _runs(style: Style) -> st.SearchStrategy[str]:
    flags = [
        _mounts(),
        _mounts(),
        st.sampled_from(["--network=none", "--network=host", "--network=default"]),
        st.sampled_from(["--security=sandbox", "--security=insecure"]),
        st.sampled_from(["--device=vendor.com/gpu=all", "--device='vendor.com/gpu=0,required'"]),
    ]
    return st.one_of(
        _flagged(style, "RUN", flags, _scripts(style)),
        _flagged(style, "RUN", flags, BODIES.map("<<E\n{}\nE".format)),
        _flagged(style, "RUN", flags, st.builds("cat <<-'E F' 3<<B > /x\n{}\n\tE F\n{}\nB".format, BODIES, BODIES)),
    )


def _copies(style: Style) -> st.SearchStrategy[str]:
    both: list[st.SearchStrategy[str]] = [
        flag_values().map("--chown={}".format),
        st.sampled_from(["--chmod=0755", "--chmod=u=rwX,go-w", "--chmod=$A"]),
        st.sampled_from(["--link", "--link=false", "--link=TRUE"]),
        st.sampled_from(["--exclude=*.o", "--exclude='a b'", "--exclude=!x"]),
        st.sampled_from(["--exclude=**/x", "--exclude="]),
    ]
    copy = [*both, st.sampled_from(["--from=stage-0", "--from=0", "--from=h:5/a"]), st.just("--parents")]
    add = [
        *both,
        st.just("--checksum=sha256:0"),
        st.sampled_from(["--keep-git-dir", "--unpack", "--unpack=false"]),
    ]
    places = st.one_of(
        _json(2),
        _joined(style, st.lists(plain_paths(), min_size=2, max_size=4)),
        BODIES.map("<<E /x\n{}\nE".format),
        st.builds("<<-'E' a <<F.txt b/\n{}\n\tE\n{}\nF.txt".format, BODIES, BODIES),
    )
    return st.one_of(_flagged(style, "COPY", copy, places), _flagged(style, "ADD", add, places))


def _triggers(style: Style) -> st.SearchStrategy[str]:
    inner = st.one_of(_settings(style), _runs(style), _copies(style), _commands(style), _args(style))
    allowed = inner.filter(lambda text: not text.upper().startswith("MAINTAINER"))
    return _flagged(style, "ONBUILD", [], allowed)


def _blocks(style: Style) -> st.SearchStrategy[str]:
    body = st.lists(st.one_of(_runs(style), _copies(style), _settings(style)), max_size=2).map("\n".join)
    return st.builds("IN /d$A {{\n{}\n{}\n}}".format, _from(style, 9), body)


INSTRUCTIONS: tuple[Callable[[Style], st.SearchStrategy[str]], ...] = (
    _args,
    _settings,
    _commands,
    _runs,
    _copies,
    _triggers,
    _blocks,
)
