"""All rules over one Dockerfile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import DockerfileError
from ..parser import located
from ..stages import CHECK_VARIABLE, Dockerfile
from . import bases, comments, config, copying, names, spelling, variables
from .findings import Facts, Finding
from .levels import levels_of
from .options import Options


def check(dockerfile: Dockerfile, facts: Facts = Facts()) -> tuple[Finding, ...]:  # noqa: B008  a frozen value
    """What the rules find, in the order of lines; rules that the options skip are left out, and at an instruction
    those that a ``# check=skip=RULE`` right above it names.

    Raises ``DockerfileError`` for options that are none.
    """
    options = options_of(dockerfile, facts.build_args)
    skipped = comments.skipped(dockerfile.document)
    found = {
        finding: None
        for finding in _all(dockerfile, facts)
        if options.counts(finding.rule) and not skipped(finding.location.start) & {"all", finding.rule}
    }
    return tuple(sorted(found, key=lambda each: (each.location.start, each.rule, each.text)))


def options_of(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> Options:
    """The options of the build argument, else those of the directive.  Raises ``DockerfileError``."""
    given = build_args.get(CHECK_VARIABLE)
    if given is not None:
        try:
            return Options.parse(given)
        except DockerfileError as error:
            raise DockerfileError(f"--build-arg {CHECK_VARIABLE}: {error.message}", hint=error.hint) from error
    try:
        return Options.parse(dockerfile.directives.check)
    except DockerfileError as error:
        raise located(dockerfile.document, 1, 1, error) from error


def _all(dockerfile: Dockerfile, facts: Facts) -> Iterator[Finding]:
    document = dockerfile.document
    yield from spelling.findings(document)
    yield from comments.findings(dockerfile)
    for level in levels_of(dockerfile):
        yield from names.findings(level)
        yield from bases.findings(level, facts, escape=document.directives.escape)
        yield from config.findings(level, document)
        scopes = variables.Scopes(level, facts, escape=document.directives.escape)
        for stage in level.stages:
            for instruction, scope in scopes.walk(stage):
                yield from variables.findings(instruction, scope)
                yield from copying.findings(instruction, scope, facts)
