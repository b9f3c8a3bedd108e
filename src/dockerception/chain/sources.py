"""Where a level's files and its Dockerfile come from: a directory, standard input, or what a builder emitted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from ..context import ignore
from ..context.base import Context
from ..context.compose import Filtered, empty
from ..context.control_file import read_control_file
from ..context.directory import DirectoryContext
from ..context.tar_context import TarContext
from ..dockerfile import stages
from ..dockerfile.stages import Dockerfile
from ..errors import ContextError, DockerfileError, UsageError
from ..oci.toc import Toc
from ..progress import Notice, Reporter
from ..request import BuildRequest
from ..store.store import Store
from .emitting import Emitted, spool

if TYPE_CHECKING:
    from .remote_sources import FetchedContext

IGNORE_FILE: Final = ".dockerignore"
DEFAULT_DOCKERFILE: Final = "Dockerfile"
_MAX_DOCKERFILE: Final = 16 << 20
_LISTED: Final = 10
_FOR_BUILD: Final = (
    "write it there in a RUN; or name another file of that directory (BUILD directory FILE); or write the instructions"
    " behind BUILD"
)
_CHUNK: Final = 1 << 20
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[\w.-]+@[\w.-]+:|github\.com/")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a level is built from."""

    dockerfile: Dockerfile
    context: Context


class Sources:
    """Opens what a request names."""

    def __init__(self, request: BuildRequest, store: Store, report: Reporter) -> None:
        self._request = request
        self._store = store
        self._report = report
        self._first: Origin | None = None

    def first(self) -> Origin:
        """Level 0: ``PATH``, ``-`` or nothing, with ``-f``.  It is read once."""
        if self._first is None:
            self._first = self._open_first()
        return self._first

    def _open_first(self) -> Origin:
        request = self._request
        if request.source == "-":
            if request.dockerfile == "-":
                raise UsageError(
                    "Standard input can't be both the context (-) and the Dockerfile (-f -).",
                    hint="give the context as a directory, or leave it out if the Dockerfile needs none",
                )
            return self._streamed(*self._from_stdin())
        if _URL.match(request.source) and not os.path.isdir(request.source):
            from .remote_sources import fetch_context

            fetched = fetch_context(request, self._store, self._report, max_dockerfile=_MAX_DOCKERFILE)
            if fetched is not None:
                return self._fetched(fetched)
        if request.source:
            _check_directory(request.source)
        text, name = self._outside_dockerfile(request.dockerfile)
        if not request.source:
            return Origin(dockerfile=stages.load(text, name=name), context=empty())
        return self._directory(request.source, text, name)

    def of_context(self, emitted: Emitted, name: str = DEFAULT_DOCKERFILE) -> Origin:
        """A level whose Dockerfile is the file ``name`` of the context that the level before has emitted."""
        if emitted.files is None:
            return self._streamed(emitted.toc, emitted.spool, name, emitted.origin)
        text = read_control_file(emitted.files, name, max_bytes=_MAX_DOCKERFILE)
        if text is None:
            raise _no_dockerfile(emitted.files, name, emitted.origin, _FOR_BUILD)
        dockerfile = stages.load(text, name=f"{name} of {_inside_a_sentence(emitted.origin)}")
        return Origin(dockerfile=dockerfile, context=self.context_of(emitted, name))

    def of_outside(self, emitted: Emitted, path: str, name: str = DEFAULT_DOCKERFILE) -> Origin:
        """A level whose Dockerfile is a file of this machine; ``name`` is what its ignore file may be called after."""
        dockerfile = stages.load(read_file(path), name=path)
        return Origin(dockerfile=dockerfile, context=self.context_of(emitted, name))

    def context_of(self, emitted: Emitted, name: str = DEFAULT_DOCKERFILE) -> Context:
        """An emitted context without what its ignore file leaves out."""
        if emitted.files is None:
            return self._ignoring(emitted.toc, emitted.spool, _inside_a_sentence(emitted.origin), name)
        rules, file = self._rules_in(emitted.files, name)
        if rules is None:
            return emitted.files
        filtered = Filtered(emitted.files, rules)
        whole, kept = (sum(1 for entry in each.walk("") if entry.path) for each in (emitted.files, filtered))
        self._say_dropped(file, whole - kept, _inside_a_sentence(emitted.origin))
        return filtered

    def _fetched(self, fetched: FetchedContext) -> Origin:
        """Level 0 from elsewhere: the Dockerfile is in it, on standard input, or all that there is."""
        if fetched.dockerfile is not None:
            return Origin(dockerfile=stages.load(fetched.dockerfile, name=fetched.name), context=empty())
        name = self._request.dockerfile or DEFAULT_DOCKERFILE
        if name != "-":
            return self._streamed(fetched.toc, fetched.spool, name, fetched.name)
        text = self._read_stdin()
        context = self._ignoring(fetched.toc, fetched.spool, _inside_a_sentence(fetched.name), DEFAULT_DOCKERFILE)
        return Origin(dockerfile=stages.load(text, name="Dockerfile on standard input"), context=context)

    def _directory(self, source: str, text: bytes, name: str) -> Origin:
        rules = ignore_rules(self._request)
        context = DirectoryContext(source, rules=rules, cache=self._store.listings, on_note=self._warn)
        return Origin(dockerfile=stages.load(text, name=name), context=context)

    def _outside_dockerfile(self, given: str) -> tuple[bytes, str]:
        """The bytes and the name of the Dockerfile that ``-f`` or the source directory gives."""
        request = self._request
        if given == "-":
            return self._read_stdin(), "Dockerfile on standard input"
        path = given or os.path.join(request.source, DEFAULT_DOCKERFILE)
        if not given and not os.path.exists(path):
            raise DockerfileError(
                f"There is no {DEFAULT_DOCKERFILE} in {os.path.abspath(request.source)}.",
                hint="name it with -f FILE, or go to the directory that has it",
            )
        return read_file(path), given or DEFAULT_DOCKERFILE

    def _read_stdin(self) -> bytes:
        read = self._request.read_stdin
        if read is None:
            raise UsageError("There is no standard input to read the Dockerfile from.")
        return read_text(read, "The Dockerfile on standard input")

    def _from_stdin(self) -> tuple[Toc, str, str, str]:
        request = self._request
        if request.read_stdin is None:
            raise UsageError("There is no standard input to read the context from.")
        origin = "The context on standard input"
        from ..context.tarstream import receive

        with spool(self._store) as (path, descriptor):
            received = receive(
                request.read_stdin, spool=descriptor, origin=origin, source="stdin", limits=request.stream_limits
            )
        return received.toc, path, request.dockerfile or DEFAULT_DOCKERFILE, origin

    def _streamed(self, toc: Toc, path: str, name: str, origin: str) -> Origin:
        from ..context.reshape import strip_single_directory

        toc, note = strip_single_directory(toc, name)
        if note:
            self._report(Notice(text=note))
        whole = TarContext(toc, path, origin=_inside_a_sentence(origin))
        text = read_control_file(whole, name, max_bytes=_MAX_DOCKERFILE)
        if text is None:
            raise _no_dockerfile(whole, name, origin)
        return Origin(
            dockerfile=stages.load(text, name=f"{name} of {whole.origin}"),
            context=self._ignoring(toc, path, whole.origin, name),
        )

    def _ignoring(self, toc: Toc, path: str, origin: str, name: str) -> Context:
        """The context without what its ignore file leaves out; peers do not look at it in a stream."""
        whole = TarContext(toc, path, origin=origin)
        rules, file = self._rules_in(whole, name)
        if rules is None:
            return whole
        from ..context.reshape import apply_ignore

        toc, dropped = apply_ignore(toc, rules)
        self._say_dropped(file, dropped, origin)
        return TarContext(toc, path, origin=origin)

    def _rules_in(self, whole: Context, name: str) -> tuple[ignore.IgnoreRules | None, str]:
        """The rules of a context's own ignore file, and that file's name."""
        for file in (f"{name}{IGNORE_FILE}", IGNORE_FILE):
            text = read_control_file(whole, file)
            if text is not None:
                return ignore.compile(ignore.read(text, source=file)), file
        return None, ""

    def _say_dropped(self, file: str, count: int, origin: str) -> None:
        if count:
            entries = "1 entry" if count == 1 else f"{count} entries"
            self._report(Notice(text=f"{file} left {entries} out of {origin}."))

    def _warn(self, text: str) -> None:
        self._report(Notice(text=text, severity="warning"))


def _inside_a_sentence(origin: str) -> str:
    return origin[0].lower() + origin[1:]


def ignore_rules(request: BuildRequest) -> ignore.IgnoreRules | None:
    """The rules for a context that is a directory of this machine; None where there are none, or it is no directory.

    Raises ``ContextError``.
    """
    if not os.path.isdir(request.source):
        return None
    beside = f"{request.dockerfile or os.path.join(request.source, DEFAULT_DOCKERFILE)}{IGNORE_FILE}"
    rules = ignore.find_rules(beside) if request.dockerfile != "-" else None
    return rules or ignore.find_rules(os.path.join(request.source, IGNORE_FILE))


def _check_directory(source: str) -> None:
    if not os.path.isdir(source):
        what = "is a file" if os.path.exists(source) else "does not exist"
        hint = "to give a tar file: … - < FILE"
        if _URL.match(source):
            what = "is a URL of a kind that is not known"
            hint = "a repository: https://HOST/NAME.git#REF:DIRECTORY, git://…, ssh://…; an archive: https://…"
        raise ContextError(f"The context {source} {what}; it must be a directory or “-”.", hint=hint)


def read_file(path: str, hint: str = "check the path after -f") -> bytes:
    """A Dockerfile of this machine.  Raises ``DockerfileError``, with ``hint`` where it can't be read."""
    try:
        with open(path, "rb") as file:
            return read_text(file.read, f"The Dockerfile {path}")
    except OSError as error:
        raise DockerfileError(f"The Dockerfile {path} can't be read: {error.strerror}.", hint=hint) from error


def read_text(read: Callable[[int], bytes], name: str) -> bytes:
    """A Dockerfile to its end.  Raises ``DockerfileError`` for one that nobody can have written."""
    text = bytearray()
    while chunk := read(_CHUNK):
        text += chunk
        if len(text) > _MAX_DOCKERFILE:
            raise DockerfileError(
                f"{name} is larger than {_MAX_DOCKERFILE >> 20} MiB.",
                hint="is it a Dockerfile? large files belong into the context, and COPY takes them from there",
            )
    return bytes(text)


def _no_dockerfile(files: Context, name: str, origin: str, hint: str = "") -> ContextError:
    top = [entry.path + ("/" if entry.kind == "directory" else "") for entry in files.children("")]
    shown = ", ".join(top[:_LISTED]) + (", …" if len(top) > _LISTED else "") if top else "nothing"
    return ContextError(
        f"{origin} has no {name} at its top; there is: {shown}.",
        hint=hint
        or "put it there; or name another file of the context (--runtime-file, or -f for “assemble -”); or bring one"
        " from outside with --runtime-dockerfile FILE",
    )
