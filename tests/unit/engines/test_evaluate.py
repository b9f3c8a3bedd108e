"""Dockerfile and build arguments to steps and configs: what is known before anything is executed."""

from __future__ import annotations

from typing import Any

import pytest

from dockerception.engines.embedded.configuring import DEFAULT_PATH
from dockerception.errors import DockerceptionError, DockerfileError, ImageNotFoundError
from dockerception.oci.config import ContainerConfig, Healthcheck
from dockerception.reference import Platform
from unit.engines.lab import base_image, evaluate, evaluator

PATH = f"PATH={DEFAULT_PATH}"


@pytest.mark.parametrize(
    ("body", "field", "expected"),
    [
        ("", "env", (PATH,)),
        ("", "working_dir", "/"),
        ("ENV A=1 B=2", "env", (PATH, "A=1", "B=2")),
        ("ENV A=1\nENV B=2\nENV A=3", "env", (PATH, "A=3", "B=2")),
        ("ENV A=1\nENV A=2 B=$A", "env", (PATH, "A=2", "B=1")),
        ("ENV A=", "env", (PATH, "A=")),
        ("ENV A=x=y", "env", (PATH, "A=x=y")),
        ("LABEL a=1 b=2\nLABEL a=3", "labels", {"a": "3", "b": "2"}),
        ("WORKDIR /a\nWORKDIR b", "working_dir", "/a/b"),
        ("WORKDIR a", "working_dir", "/a"),
        ("WORKDIR a/../../b/", "working_dir", "/b"),
        ("WORKDIR /a/", "working_dir", "/a/"),
        ("WORKDIR /a/\nWORKDIR b/", "working_dir", "/a/b"),
        ("WORKDIR /a/../../b//", "working_dir", "/a/../../b//"),
        ("WORKDIR /a/../../b//\nWORKDIR ./c", "working_dir", "/b/c"),
        ("WORKDIR /a/\nWORKDIR $none", "working_dir", "/a/"),
        ("WORKDIR $none", "working_dir", "/"),
        ("USER me:you", "user", "me:you"),
        ("EXPOSE 80 53/udp\nEXPOSE 80/tcp", "exposed_ports", {"80/tcp": {}, "53/udp": {}}),
        ('VOLUME ["/a", "/b"]\nVOLUME /c', "volumes", {"/a": {}, "/b": {}, "/c": {}}),
        ("CMD echo hi", "cmd", ("/bin/sh", "-c", "echo hi")),
        ('CMD ["a", "b"]', "cmd", ("a", "b")),
        ("CMD []", "cmd", ()),
        ('SHELL ["/bin/bash", "-ec"]\nCMD x', "cmd", ("/bin/bash", "-ec", "x")),
        ("CMD x\nENTRYPOINT y", "cmd", ("/bin/sh", "-c", "x")),
        ('ENTRYPOINT ["y"]', "entrypoint", ("y",)),
        ('SHELL ["a"]', "shell", ("a",)),
        ("STOPSIGNAL 9", "stop_signal", "9"),
        ("HEALTHCHECK NONE", "healthcheck", Healthcheck(test=("NONE",))),
        (
            "HEALTHCHECK --interval=1s --retries=3 CMD true",
            "healthcheck",
            Healthcheck(test=("CMD-SHELL", "true"), interval=10**9, retries=3),
        ),
        ('HEALTHCHECK CMD ["true"]', "healthcheck", Healthcheck(test=("CMD", "true"))),
        ("ONBUILD RUN x\nONBUILD COPY . .", "on_build", ("RUN x", "COPY . .")),
        ("MAINTAINER me", "user", ""),
    ],
)
def test_config(body: str, field: str, expected: object) -> None:
    assert getattr(evaluate(f"FROM scratch\n{body}").config, field) == expected


def test_entrypoint_resets_only_an_inherited_command() -> None:
    base = base_image(ContainerConfig(cmd=("old",), entrypoint=("old",)))
    found = evaluate('FROM base\nENTRYPOINT ["new"]', images={"base": base}).config
    assert (found.entrypoint, found.cmd) == (("new",), None)


def test_a_base_gives_its_config_and_author() -> None:
    base = base_image(ContainerConfig(env=("A=1",), user="me", labels={"x": "y"}), author="somebody")
    found = evaluate("FROM base\nENV B=$A", images={"base": base})
    assert found.config.env == ("A=1", PATH, "B=1")
    assert (found.config.user, found.config.labels, found.author) == ("me", {"x": "y"}, "somebody")


def test_a_stage_gives_its_config_and_its_arguments() -> None:
    text = "FROM scratch AS one\nARG X=1\nENV Y=2\nUSER me\nFROM one\nENV Z=$X-$Y"
    found = evaluate(text)
    assert found.config.env == (PATH, "Y=2", "Z=1-2")
    assert found.config.user == "me"
    assert found.base.stage is not None
    assert found.base.stage.label == "one"


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("FROM scratch\nARG A\nENV B=$A", {}, ""),
        ("FROM scratch\nARG A=x\nENV B=$A", {}, "x"),
        ("FROM scratch\nARG A=x\nENV B=$A", {"A": "y"}, "y"),
        ("FROM scratch\nENV B=$A\nARG A=x", {"A": "y"}, ""),
        ("ARG A=x\nFROM scratch\nENV B=$A", {}, ""),
        ("ARG A=x\nFROM scratch\nARG A\nENV B=$A", {}, "x"),
        ("ARG A=x\nFROM scratch\nARG A\nENV B=$A", {"A": "y"}, "y"),
        ("ARG A=x\nFROM scratch\nARG A=z\nENV B=$A", {}, "z"),
        ("FROM scratch\nENV A=e\nARG A=x\nENV B=$A", {}, "x"),
        ("FROM scratch\nARG A=x\nENV A=e\nENV B=$A", {}, "e"),
        ("FROM scratch\nARG A=x\nARG B2=$A-\nENV B=$B2", {"A": "y"}, "y-"),
        ("FROM scratch\nENV B=$TARGETARCH", {}, ""),
        ("FROM scratch\nARG TARGETARCH\nENV B=$TARGETARCH", {}, Platform.host().architecture),
        ("FROM scratch\nARG TARGETARCH\nENV B=$TARGETARCH", {"TARGETARCH": "z80"}, "z80"),
        ("FROM scratch\nARG A=x\nENV B=${A:+set}${C:-unset}", {}, "setunset"),
        ("FROM scratch\nARG N=A\nARG $N=x\nENV B=$A", {}, "x"),
        ("FROM scratch\nARG 'A'\nENV B=$A", {"A": "y"}, "y"),
        ("FROM scratch\nARG TARGETSTAGE\nENV B=$TARGETSTAGE", {}, "default"),
        ("FROM scratch AS Last\nARG TARGETSTAGE\nENV B=$TARGETSTAGE", {}, "last"),
    ],
)
def test_which_value_a_variable_has(text: str, arguments: dict[str, str], expected: str) -> None:
    config = evaluate(text, build_args=arguments).config
    assert f"B={expected}" in (config.env or ())


def test_what_a_run_sees() -> None:
    text = "FROM scratch\nARG A=1\nENV B=2\nRUN x\nENV C=3\n"
    run = evaluate(text).steps[2]
    assert dict(run.environment) == {"PATH": DEFAULT_PATH, "A": "1", "B": "2"}


def test_used_build_arguments_are_those_that_some_arg_declares() -> None:
    found = evaluator("ARG A\nFROM scratch\nARG B\nARG C=1", build_args={"A": "1", "B": "2", "D": "4"})
    found.stage(0)
    assert found.used_build_args == {"A", "B"}


@pytest.mark.parametrize(
    ("body", "text", "makes_layer"),
    [
        ("RUN a  b", "RUN /bin/sh -c a  b # buildkit", True),
        ('RUN ["a", "b"]', "RUN a b # buildkit", True),
        ("ARG A=1\nARG B\nRUN x", "RUN |2 A=1 B= /bin/sh -c x # buildkit", True),
        ("ARG A=1\nENV A=2\nRUN x", "RUN |1 A=2 /bin/sh -c x # buildkit", True),
        ("COPY --chown=1 --chmod=755 a b /c/", "COPY --chown=1 --chmod=755 a b /c/ # buildkit", True),
        ("ADD a /b", "ADD a /b # buildkit", True),
        ("ENV A=1 B=2", "ENV A=1 B=2", False),
        ("LABEL a=b", "LABEL a=b", False),
        ("WORKDIR /a\nWORKDIR b", "WORKDIR /a/b", True),
        ("WORKDIR /", "WORKDIR /", False),
        ("CMD a", 'CMD ["/bin/sh" "-c" "a"]', False),
        ('CMD ["a\\tb\\"\\\\", "\\u0001\\u200b"]', 'CMD ["a\\tb\\"\\\\" "\\x01\\u200b"]', False),
        ("COPY <<a <<'b' /c/\na\nb", "COPY <<a <<b /c/ # buildkit", True),
        (
            "HEALTHCHECK --interval=90m --timeout=1.5s --start-period=250ms --retries=3 CMD a b",
            (
                "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1h30m0s Timeout:1.5s StartPeriod:250ms"
                " StartInterval:0s Retries:3}"
            ),
            False,
        ),
        (
            "HEALTHCHECK NONE",
            "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
            False,
        ),
        ('ENTRYPOINT ["ä"]', 'ENTRYPOINT ["ä"]', False),
        ("EXPOSE 80", "EXPOSE [80/tcp]", False),
        ("VOLUME /a /b", "VOLUME [/a /b]", False),
        ('SHELL ["a", "b"]', "SHELL [a b]", False),
        ("STOPSIGNAL SIGKILL", "STOPSIGNAL SIGKILL", False),
        ("USER me", "USER me", False),
        ("MAINTAINER me", "MAINTAINER me", False),
        ("ONBUILD RUN x", "", False),
        ("ARG A=1", "ARG A=1", False),
        ("ARG A", "ARG A", False),
    ],
)
def test_history(body: str, text: str, makes_layer: bool) -> None:
    last = evaluate(f"FROM scratch\n{body}").steps[-1]
    assert (last.created_by, last.makes_layer) == (text, makes_layer)


def test_triggers_run_in_the_child_once() -> None:
    base = base_image(ContainerConfig(on_build=("ENV A=1", "RUN x")))
    found = evaluate("FROM base\nLABEL a=b", images={"base": base})
    assert [(step.text, step.is_trigger) for step in found.steps] == [
        ("ENV A=1", True),
        ("RUN x", True),
        ("LABEL a=b", False),
    ]
    assert found.config.on_build is None
    assert "A=1" in (found.config.env or ())


def test_triggers_of_an_earlier_stage_run_in_the_later_one() -> None:
    found = evaluate("FROM scratch AS one\nONBUILD ENV A=1\nFROM one\nONBUILD ENV B=1")
    assert "A=1" in (found.config.env or ())
    assert found.config.on_build == ("ENV B=1",)


@pytest.mark.parametrize(
    ("name", "before", "found"),
    [("one", 1, 0), ("ONE", 1, 0), ("0", 1, 0), ("1", 1, None), ("one", 0, None), ("other", 1, None), ("1", 2, 1)],
)
def test_what_a_from_option_names(name: str, before: int, found: int | None) -> None:
    stage = evaluator("FROM scratch AS One\nFROM scratch\nFROM scratch").find(name, before)
    assert (stage.index if stage else None) == found


def test_a_named_context_overrides_a_stage() -> None:
    text = "FROM scratch AS one\nFROM one"
    base = base_image(ContainerConfig(user="named"), name="one")
    found = evaluator(text, images={"one": base}, named="one")
    assert found.find("one", 1) is None
    assert found.stage(1).config.user == "named"


def test_a_number_in_from_is_an_image() -> None:
    with pytest.raises(ImageNotFoundError):
        evaluate("FROM scratch\nFROM 0")


def test_scratch_is_what_no_named_context_can_override() -> None:
    base = base_image(ContainerConfig(user="named"), name="scratch")
    assert evaluator("FROM scratch", images={"scratch": base}, named="scratch").stage(0).base.image is None


@pytest.mark.parametrize("body", ["BUILD /out", "PUBLISH /out", "IN /x {\nFROM scratch\n}"])
def test_nested_builds_are_taken_apart_before(body: str) -> None:
    with pytest.raises(TypeError, match="no instruction of a plain stage"):
        evaluate(f"FROM scratch\n{body}\n")


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("RUN --security=insecure y", "all privileges", "--allow security.insecure"),
        ("RUN --mount=target=. y", "/ as its target", "absolute target"),
        ("RUN --mount=type=cache y", "/ as its target", "WORKDIR"),
        ("RUN --mount=type=tmpfs,target=../.. y", "/ as its target", "absolute target"),
        ("RUN --mount=type=cache,target=/c,source=x y", "source but no from", "from=NAME"),
    ],
)
def test_a_run_that_can_not_be_executed_as_it_is_written(body: str, message: str, hint: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        evaluate(f"FROM scratch\n{body}\n")
    assert f"   2 | >>> {body}" in caught.value.details
    assert hint in caught.value.hint


def test_what_is_allowed_or_not_required_is_evaluated() -> None:
    assert evaluate("FROM scratch\nRUN --security=insecure y", allow=frozenset({"security.insecure"})).steps
    assert evaluate("FROM scratch\nRUN --device=vendor.com/gpu=all y").steps
    assert evaluate("FROM scratch\nWORKDIR /w\nRUN --mount=type=bind y").steps


@pytest.mark.parametrize(
    ("text", "expected", "message", "line"),
    [
        ("FROM missing", ImageNotFoundError, "missing", 1),
        ("FROM --platform=linux/z80 scratch", DockerfileError, "z80", 1),
        ("FROM --platform=pdp/11 scratch", DockerfileError, "“pdp/11” is not a platform", 1),
        ("FROM --platform=$NONE scratch", DockerfileError, "names no platform", 1),
        ("FROM scratch\nLABEL a=b\nUSER ${X:?not set}", DockerfileError, "^Dockerfile:3: X: not set", 3),
        ("ARG X=${Y:?unset}\nFROM scratch", DockerfileError, "^Dockerfile:1: Y: unset", 1),
        ("FROM scratch\nARG X=${Y:?unset}", DockerfileError, "^Dockerfile:2: Y: unset", 2),
        ("FROM ${Y:?unset}", DockerfileError, "^Dockerfile:1: Y: unset", 1),
        ("FROM scratch\nARG P\nCOPY --chmod=$P a /b\nCOPY --chmod=9 a /b", DockerfileError, "9", 4),
    ],
)
def test_errors_show_the_line(text: str, expected: type[DockerceptionError], message: str, line: int) -> None:
    with pytest.raises(expected, match=message) as caught:
        evaluate(text)
    marked = [one for one in caught.value.details.splitlines() if ">>>" in one]
    assert any(one.split("|")[0].strip().strip(">").strip() == str(line) or f"{line} |" in one for one in marked), (
        marked
    )
    assert caught.value.exit_code in (3, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("COPY --from=me a /", "Dockerfile:2: COPY --from=me is the stage that it stands in."),
        ("COPY --from=0 a /", "Dockerfile:2: COPY --from=0 is the stage that it stands in."),
        ("COPY --from=LATER a /", "Dockerfile:2: COPY --from=LATER is a stage that begins later, in line 3."),
        ("COPY --from=1 a /", "Dockerfile:2: COPY --from=1 is a stage that begins later, in line 3."),
        ("COPY --from=2 a /", "Dockerfile:2: COPY --from=2 is no stage: there is none of that number."),
        ("RUN --mount=from=later,target=/x y", "Dockerfile:2: RUN --mount from=later is a stage that begins later"),
        ("RUN --mount=type=cache,from=me,target=/x y", "Dockerfile:2: RUN --mount from=me is the stage that it stands"),
    ],
)
def test_a_stage_reads_from_earlier_ones(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        evaluator(f"FROM scratch AS me\n{text}\nFROM scratch AS later").stage(0)
    assert caught.value.message.startswith(message)
    assert f"   2 | >>> {text}" in caught.value.details
    assert caught.value.hint


def test_what_may_be_an_image_is_no_stage() -> None:
    text = "FROM scratch AS me\nRUN --mount=from=7,target=/x y\nRUN --mount=type=tmpfs,from=later,target=/x y\n"
    assert evaluator(f"{text}FROM scratch AS later").stage(0).steps
    named = evaluator("FROM scratch AS me\nCOPY --from=later a /\nFROM scratch AS later", named="later")
    assert named.stage(0).steps


def test_a_trigger_is_wrong_where_it_is_brought() -> None:
    base = base_image(ContainerConfig(on_build=("COPY --from=later a /",)), name="the-base")
    with pytest.raises(DockerfileError) as caught:
        evaluator("FROM the-base\nFROM scratch AS later", images={"the-base": base}).stage(0)
    assert caught.value.message == (
        "Dockerfile:1: COPY --from=later is a stage that begins later, in line 2"
        " (in “COPY --from=later a /”, a trigger of the-base)."
    )


def test_a_bad_trigger_names_the_image() -> None:
    base = base_image(ContainerConfig(on_build=("NONSENSE x",)), name="the-base")
    with pytest.raises(DockerfileError) as caught:
        evaluate("FROM the-base", images={"the-base": base})
    assert "the-base" in str(caught.value)


def test_an_unneeded_stage_is_not_looked_at() -> None:
    found: Any = evaluator("FROM missing AS a\nFROM scratch").stage(1)
    assert found.label == "stage-1"
