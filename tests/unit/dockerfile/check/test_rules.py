"""Each rule finds what it is for, at the line where BuildKit puts it, and lets pass what is right.

The Dockerfile reference, "Build checks", has a page for each rule; lines are those that BuildKit's own tests name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.dockerfile import stages
from dockerception.dockerfile.check import RULES, Facts, check
from dockerception.errors import DockerfileError

# The rule that is meant first: what it is about; the lines and rules that are found; the Dockerfile.
FOUND = {
    "StageNameCasing": ["2 StageNameCasing", "", "FROM scratch AS BadStageName", "FROM scratch AS fine"],
    "FromAsCasing": ["2 FromAsCasing", "", "FROM scratch as base", "FROM scratch AS fine"],
    "FromAsCasing in lower case": ["1 FromAsCasing", "from scratch AS base", "from scratch as fine"],
    "NoEmptyContinuation": [
        "5 NoEmptyContinuation",
        "FROM scratch", "COPY a \\", "", "  # fine", ".", "COPY a \\", ".",
    ],
    "NoEmptyContinuation of a heredoc": ["4 NoEmptyContinuation", "FROM scratch", "COPY \\", "", "<<E /a", "", "E"],
    "ConsistentInstructionCasing": ["3 ConsistentInstructionCasing", "arg a=1", "FROM scratch", "copy a /", "COPY b /"],
    "ConsistentInstructionCasing, mixed": ["1 ConsistentInstructionCasing", "From scratch as a", "FROM a AS b"],
    "ConsistentInstructionCasing, lower": ["2 ConsistentInstructionCasing", "from scratch", "COPY a /", "copy b /"],
    "DuplicateStageName": ["3 DuplicateStageName", "FROM scratch AS b", "COPY a /", "FROM scratch AS b"],
    "ReservedStageName": [
        "1 ReservedStageName 2 ReservedStageName",
        "FROM scratch AS scratch", "FROM scratch AS context",
    ],
    "JSONArgsRecommended": [
        "2 JSONArgsRecommended 4 JSONArgsRecommended",
        "FROM scratch", "CMD a", "RUN a", "ENTRYPOINT a",
    ],
    "JSONArgsRecommended and SHELL": [
        "",
        "FROM scratch AS a", 'SHELL ["/a"]', "CMD a", "FROM a", "ENTRYPOINT a", "RUN b",
    ],
    "MaintainerDeprecated": ["2 MaintainerDeprecated", "FROM scratch", "MAINTAINER me@example.org", "LABEL a=b"],
    "UndefinedArgInFrom": ["3 UndefinedArgInFrom", "ARG tag=1", "ARG bare", "FROM a:$tag$version$bare AS b"],
    "UndefinedArgInFrom, platform": ["1 UndefinedArgInFrom", "FROM --platform=$BULIDPLATFORM scratch"],
    "predefined arguments in FROM": ["", "FROM --platform=$BUILDPLATFORM scratch"],
    "WorkdirRelativePath": ["2 WorkdirRelativePath", "FROM scratch", "WORKDIR app/", "WORKDIR more"],
    "WorkdirRelativePath, inherited": ["", "FROM scratch AS a", "WORKDIR /app", "FROM a", "WORKDIR sub"],
    "WorkdirRelativePath, variable": ["", "FROM scratch", "ARG d=/a", "WORKDIR $d"],
    "UndefinedVar": ["2 UndefinedVar", "FROM scratch", "COPY $foo .", "ARG foo=bar", "COPY $foo ."],
    "UndefinedVar of an ARG of the whole file": [
        "3 UndefinedVar",
        "ARG v=1", "FROM scratch", "ENV A=$v", "ARG v", "ENV B=$v",
    ],
    "UndefinedVar, inherited": ["", "FROM scratch AS a", "ARG foo=x", "FROM a", "COPY $foo $PATH ."],
    "UndefinedVar is nothing of RUN": ["", "FROM scratch", "RUN echo $whatever"],
    "MultipleInstructionsDisallowed": [
        "2 MultipleInstructionsDisallowed 4 MultipleInstructionsDisallowed",
        "FROM scratch AS a", 'CMD ["a"]', 'CMD ["b"]', 'HEALTHCHECK CMD ["a"]', "HEALTHCHECK NONE", "FROM a",
        'CMD ["c"]',
    ],
    "LegacyKeyValueFormat": [
        "2 LegacyKeyValueFormat 3 LegacyKeyValueFormat",
        "FROM scratch", "ENV a b", "LABEL a b", "ENV a=b",
    ],
    "RedundantTargetPlatform": ["1 RedundantTargetPlatform", "FROM --platform=${TARGETPLATFORM} scratch"],
    "FromPlatformFlagConstDisallowed": [
        "1 FromPlatformFlagConstDisallowed",
        "FROM --platform=linux/amd64 scratch", "FROM --platform=linux/amd64 scratch AS my_amd64",
        "FROM --platform=linux/arm64 scratch AS linux",
    ],
    "SecretsUsedInArgOrEnv": [
        "2 SecretsUsedInArgOrEnv 3 SecretsUsedInArgOrEnv 3 SecretsUsedInArgOrEnv",
        "FROM scratch", "ARG SECRET_PASSPHRASE", "ENV password=a apikey=b", "ENV PUBLIC_KEY= monkey=1 KEY_FILE=a",
        "ARG TOKEN_VERSION",
    ],
    "InvalidDefaultArgInFrom": ["2 InvalidDefaultArgInFrom", "ARG VERSION", "FROM busybox:$VERSION"],
    "InvalidDefaultArgInFrom, nothing": ["2 InvalidDefaultArgInFrom", "ARG IMAGE", "FROM $IMAGE"],
    "defaults that do": ["", "ARG V=1", "ARG SUFFIX", "FROM busybox:${V}$SUFFIX"],
    "the name of an ARG in quotes or a variable": [
        "", "FROM scratch", "ARG 'foo'=b", "ARG $foo=c", "COPY $foo $b .",
    ],
    "a comment that skips a rule at its instruction": [
        "2 LegacyKeyValueFormat 6 LegacyKeyValueFormat 9 LegacyKeyValueFormat",
        "FROM scratch", "ENV a b", "# check=skip=LegacyKeyValueFormat // an old habit", "ENV c d",
        "# check=skip=StageNameCasing", "ENV e f", "# check=skip=LegacyKeyValueFormat", "", "ENV g h",
        "#check = skip=StageNameCasing, LegacyKeyValueFormat;x=y", "# another remark", "ENV i \\", "# inside", "j",
    ],
    "a comment that skips all rules at its instruction": [
        "4 SecretsUsedInArgOrEnv", "FROM scratch", "# check=skip=all", "ARG password=a", "ARG token",
    ],
    "ExposeProtoCasing": ["2 ExposeProtoCasing", "FROM scratch", "EXPOSE 80/TCP 81/udp"],
    "ExposeInvalidFormat": [
        "2 ExposeInvalidFormat 2 ExposeInvalidFormat",
        "FROM scratch", "EXPOSE 127.0.0.1:80:80 80:81 82",
    ],
    "a level behind BUILD": [
        "6 InvalidDefaultArgInFrom 6 UndefinedArgInFrom",
        "ARG a=1", "FROM scratch AS s", "BUILD /", "ARG b=1", "FROM s:$b AS s", "FROM s:$a",
    ],
    "a block of IN": ["4 UndefinedVar", "FROM scratch", "IN /x {", "FROM scratch", "COPY $gone /", "}"],
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found_and_where(case: str) -> None:
    expected, *lines = FOUND[case]
    assert " ".join(f"{found.location.start} {found.rule}" for found in check(load(*lines))) == expected


def test_every_rule_has_a_case() -> None:
    found = {word for expected, *_ in FOUND.values() for word in expected.split()}
    assert {name for name, rule in RULES.items() if not rule.is_experimental} <= found


def test_experimental_rules_are_found_where_they_are_asked_for() -> None:
    lines = [
        "# bar this is the bar",
        "ARG foo=bar",
        "# base is fine",
        "FROM scratch AS base",
        "#",
        "ARG bare",
        "COPY x/a b /",
    ]
    facts = Facts(is_ignored=lambda path: path == "x/a")
    assert check(load(*lines), facts) == ()
    for skip in ("", "skip=all;"):
        found = check(load(f"# check={skip}experimental=all", *lines), facts)
        assert [(each.rule, each.location.start) for each in found] == [
            ("InvalidDefinitionDescription", 3),
            ("CopyIgnoredFile", 8),
        ]
    only = check(load("# check=experimental=CopyIgnoredFile", *lines), facts)
    assert [each.text for each in only] == ["COPY names “x/a”, which .dockerignore leaves out"]


def test_a_source_with_wildcards_is_left_out_with_its_directory() -> None:
    asked: list[str] = []

    def is_ignored(path: str) -> bool:
        asked.append(path)
        return path == "x/y"

    facts = Facts(is_ignored=is_ignored)
    lines = ["FROM scratch", "COPY ./x/y/*.txt x/y/z? x/[yz] *.txt . /"]
    found = check(load("# check=skip=all;experimental=all", *lines), facts)
    assert [each.text for each in found] == [
        "COPY names “./x/y/*.txt”, which .dockerignore leaves out",
        "COPY names “x/y/z?”, which .dockerignore leaves out",
    ]
    assert asked == ["x/y", "x/y", "x", ".", "."]


def test_options_skip_rules_and_the_build_argument_takes_the_place_of_the_directive() -> None:
    lines = ["FROM scratch as base", "copy a /"]
    assert rules("# check=skip=all", *lines) == []
    assert rules("# check=skip=ConsistentInstructionCasing, FromAsCasing;error=true", *lines) == []
    assert rules("# check=skip=ConsistentInstructionCasing", *lines) == ["FromAsCasing"]
    assert rules("# check=skip=FromAsCasing,ConsistentInstructionCasing // as ever", *lines) == []
    argument = {"BUILDKIT_DOCKERFILE_CHECK": "skip=FromAsCasing"}
    assert rules("# check=skip=all", *lines, build_args=argument) == ["ConsistentInstructionCasing"]
    with pytest.raises(DockerfileError, match="option error is “maybe”"):
        check(load("# check=error=maybe", *lines))
    with pytest.raises(DockerfileError, match="BUILDKIT_DOCKERFILE_CHECK: A check has no option “quiet=true”"):
        check(load(*lines), Facts(build_args={"BUILDKIT_DOCKERFILE_CHECK": "quiet=true"}))


def test_a_base_image_may_set_variables() -> None:
    dockerfile = load("FROM golang", "COPY $GOPATH $GOPATHS /")
    known = Facts(base_variables=lambda name: frozenset({"GOPATH"}) if name == "golang" else None)
    assert [each.text for each in check(dockerfile, known)] == [
        "$GOPATHS is used and nothing before has defined it (did you mean GOPATH?)"
    ]
    assert len(check(dockerfile)) == 2
    assert check(dockerfile, Facts(suspects_unknown_bases=False)) == ()


def load(*lines: str) -> stages.Dockerfile:
    return stages.load("".join(f"{line}\n" for line in lines).encode())


def rules(*lines: str, build_args: dict[str, str] | None = None) -> list[str]:
    return [found.rule for found in check(load(*lines), Facts(build_args=build_args or {}))]


def test_the_guide_has_every_rule() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "check.md").read_text()
    for name, rule in RULES.items():
        assert f"| `{name}`{' (experimental)' if rule.is_experimental else ''} | {rule.description} |\n" in guide
