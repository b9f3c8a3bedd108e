"""When build checks are made: those whose findings are errors before work, the others after it."""

from __future__ import annotations

from ..dockerfile.parser import Document
from ..dockerfile.stages import CHECK_VARIABLE
from ..progress import Reporter
from ..request import BuildRequest
from ..store.store import Store


class Checks:
    """The checks of one build; each Dockerfile is looked at once, for however many platforms it is built.

    What finds something is loaded only where there may be something to tell.
    """

    def __init__(self, request: BuildRequest, store: Store, report: Reporter) -> None:
        self._request = request
        self._store = store
        self._report = report
        self._documents: list[Document] = []

    def before(self, document: Document) -> None:
        """Before a level is built.  Raises ``CheckError`` for findings that the options make errors."""
        if any(document is known or _is_same(document, known) for known in self._documents):
            return
        self._documents.append(document)
        if "error" in document.directives.check or CHECK_VARIABLE in self._request.build_args:
            from . import checking

            checking.refuse(document, self._request, self._store)

    def after(self, *, is_cached: bool) -> None:
        """Tell what was found, but where nothing had to be done: that build has told it before."""
        if not is_cached:
            from . import checking

            checking.warn(self._documents, self._request, self._store, self._report)


def _is_same(one: Document, other: Document) -> bool:
    return one.name == other.name and one.lines == other.lines
