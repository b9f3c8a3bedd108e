"""Build checks of a request and of a build under way: the facts are gathered here, the rules ask in ``dockerfile``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ..context.ignore import IgnoreRules
from ..dockerfile.check import Facts, Finding, check, options_of
from ..dockerfile.parser import Document
from ..dockerfile.stages import Dockerfile, excerpt_for, read
from ..errors import CheckError, UsageError
from ..progress import Notice, Reporter
from ..reference import Reference
from ..request import BuildRequest
from ..store.store import Store
from .sources import Sources, ignore_rules


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A Dockerfile and what the rules have found; ``is_error`` says that its options make findings errors."""

    dockerfile: Dockerfile
    findings: tuple[Finding, ...]
    is_error: bool = False

    def excerpt(self, finding: Finding) -> str:
        """The lines of a finding, marked, with the file's name."""
        return excerpt_for(self.dockerfile, finding.location)


def check_request(request: BuildRequest, store: Store, report: Reporter) -> Checked:
    """Check the Dockerfile of level 0.  Nothing is built and no base looked up: those of the store are known.

    Raises what reading the Dockerfile raises.
    """
    dockerfile = Sources(request, store, report).first().dockerfile
    return _checked(dockerfile, _facts(request, store, suspects_unknown_bases=True))


def refuse(document: Document, request: BuildRequest, store: Store) -> None:
    """Before a level is built: raises ``CheckError`` where there are findings and the options make them errors."""
    dockerfile = read(document)
    if not options_of(dockerfile, request.build_args).is_error:
        return
    findings = _checked(dockerfile, _facts(request, store, suspects_unknown_bases=False)).findings
    if not findings:
        return
    rules = ", ".join(dict.fromkeys(finding.rule for finding in findings))
    blocks = [f"{each.rule}: {each.text}\n{excerpt_for(dockerfile, each.location)}" for each in findings]
    raise CheckError(
        f"{document.name} does not pass its build checks: {rules}.",
        details="\n".join(blocks),
        hint="mend it, or name the rule in # check=skip=RULE;error=true",
    )


def warn(documents: Iterable[Document], request: BuildRequest, store: Store, report: Reporter) -> None:
    """At the end of a build: one warning a finding, under a line that counts them."""
    facts = _facts(request, store, suspects_unknown_bases=False)
    found = [(document, finding) for document in documents for finding in _checked(read(document), facts).findings]
    if not found:
        return
    count = "1 build check warns" if len(found) == 1 else f"{len(found)} build checks warn"
    report(Notice(text=f"{count} (docs/check.md; --check shows the lines):", severity="warning"))
    for document, finding in found:
        place = f"{document.name}:{finding.location.start}"
        report(Notice(text=f"{finding.rule}: {finding.text} ({place})", severity="warning"))


def _checked(dockerfile: Dockerfile, facts: Facts) -> Checked:
    options = options_of(dockerfile, facts.build_args)
    return Checked(dockerfile=dockerfile, findings=check(dockerfile, facts), is_error=options.is_error)


def _facts(request: BuildRequest, store: Store, *, suspects_unknown_bases: bool) -> Facts:
    def base_variables(name: str) -> frozenset[str] | None:
        if name in request.build_contexts:
            return None
        try:
            found = store.images.find_name(Reference.parse(name), request.platform)
        except UsageError:
            return None
        env = found.config.config.env if found is not None else None
        return None if found is None else frozenset(each.partition("=")[0] for each in env or ())

    rules = ignore_rules(request)
    return Facts(
        build_args=request.build_args,
        base_variables=base_variables,
        suspects_unknown_bases=suspects_unknown_bases,
        is_ignored=_left_out(rules) if rules is not None else None,
    )


def _left_out(rules: IgnoreRules) -> Callable[[str], bool]:
    """Whether a path is ignored, and nothing below it is an exception."""
    return lambda path: rules.is_ignored(path) and not rules.may_contain_exceptions(path)
