"""What ``build``, ``context`` and ``assemble`` share: the way from options to a request, and to its result."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from click import Context as ClickContext

from ..engines.base import Output
from ..engines.outputs import annotated, check_annotations, check_platforms, is_push, names_of, rewrites_times
from ..errors import ContextError, DockerceptionError, UsageError
from ..request import BuildRequest, find_epoch
from . import limit_options, output
from .click_types import Command, mistake
from .files import check_writable, terminal_error, write_text
from .options import Options
from .progress import Progress
from .summary import Summary

if TYPE_CHECKING:
    from ..api import Outcome

_SEPARATOR = "--"


class BuildCommand(Command):
    """A command whose callback takes ``Options``, and which knows what follows ``--``."""

    def parse_args(self, ctx: ClickContext, args: list[str]) -> list[str]:
        """Take the builder's command off, and read a bare ``--builder-tag`` as one that must not eat the PATH."""
        own, command = args, []
        if _SEPARATOR in args:
            position = args.index(_SEPARATOR)
            own, command = args[:position], args[position + 1 :]
        ctx.params["command"] = tuple(command)
        return super().parse_args(ctx, [f"{arg}=" if arg == "--builder-tag" else arg for arg in own])

    def check(self, ctx: ClickContext) -> None:
        """Put aside what is wrong with options that are right each by itself."""
        collect(ctx, check_source, check_builder_tag, _check_outputs, _check_files)

    def invoke(self, ctx: ClickContext) -> int | None:
        """Call the command's function with the options as one value."""
        if self.callback is None:
            return None
        code: int | None = self.callback(as_options(ctx))
        return code


def collect(ctx: ClickContext, *checks: Callable[[Options], None]) -> None:
    """Make these checks and put aside what they raise."""
    options = as_options(ctx)
    for check in checks:
        try:
            check(options)
        except UsageError as error:
            mistake(ctx, error.message, error.hint)


def as_options(ctx: ClickContext) -> Options:
    """The options that were given; what is missing or was wrong has its default."""
    return Options(**{name: value for name, value in ctx.params.items() if value is not None})


def make_request(options: Options) -> BuildRequest:
    """The request that options stand for.  Raises ``UsageError`` for a bad SOURCE_DATE_EPOCH."""
    needs_stdin = "-" in (options.path, options.file)
    build_args = {name: value for name, value in options.build_arg if value is not None}
    return BuildRequest(
        source=options.path,
        read_stdin=_read_stdin if needs_stdin else None,
        dockerfile=options.file,
        tags=options.tag,
        build_args=build_args,
        build_contexts=dict(options.build_context),
        target=options.target,
        labels=dict(options.label),
        no_cache=options.no_cache,
        no_cache_filter=frozenset(name for text in options.no_cache_filter for name in text.split(",") if name),
        cache_from=options.cache_from,
        cache_to=options.cache_to,
        secrets=options.secret,
        ssh=options.ssh,
        allow=frozenset(options.allow),
        cdi_spec_dirs=options.cdi_spec_dir,
        limits=limit_options.limits(
            memory=options.memory,
            cpus=options.cpus,
            pids_limit=options.pids_limit,
            shm_size=options.shm_size,
            ulimits=options.ulimit,
            timeout=options.timeout,
        ),
        pull=options.pull,
        explain=options.explain,
        network=options.network,
        platforms=tuple(dict.fromkeys(each for given in options.platform for each in given)),
        outputs=_outputs(options),
        builder_tag=options.builder_tag,
        runtime_file=options.runtime_file,
        runtime_dockerfile=options.runtime_dockerfile,
        command=options.command,
        emit_timeout=options.emit_timeout,
        max_depth=options.max_depth,
        max_context=options.max_context,
        max_entries=options.max_entries,
        epoch=find_epoch(build_args),
        store=options.store,
        keep_storage=options.keep_storage,
        isolation=options.isolation,
        runtime=options.runtime,
        engine=options.engine,
        emit_helper=options.emit_helper,
    )


def produce(options: Options, work: Callable[[BuildRequest, Progress], Outcome]) -> int:
    """Do the work that makes an image, show it, and write what was asked for about it; returns the exit code.

    With ``--check`` or ``--call`` the Dockerfile is looked at, and nothing else is done.
    """
    request = make_request(options)
    call = msgspec.structs.replace(options.call, method="check") if options.check else options.call
    if call.method != "build":
        from .calling import answer

        return answer(call, request)
    if options.iidfile:
        _remove(options.iidfile)  # a script must not find the id of an earlier image after a failure
    with open_progress(options) as progress:
        try:
            summary = Summary.of(work(request, progress))
        except DockerceptionError as error:
            return failed(progress, error)
        if options.iidfile:
            write_text(options.iidfile, "\n".join(summary.images))
        if options.metadata_file:
            write_text(options.metadata_file, msgspec.json.format(msgspec.json.encode(summary.metadata())).decode())
        progress.finish(summary)
    if options.quiet:
        output.text("\n".join(summary.images))
    return 0


def open_progress(options: Options) -> Progress:
    """Progress as the options want it, with its log in the store."""
    from ..store.store import default_root

    logs = os.path.join(options.store or default_root(), "logs")
    return Progress("quiet" if options.quiet else options.progress, logs)


def failed(progress: Progress, error: DockerceptionError) -> int:
    """The exit code of an error that progress has shown; else the error is raised, to be shown as the last thing."""
    if progress.fail(error):
        return error.exit_code
    raise error


def check_source(options: Options) -> None:
    """What is to be read must be there to read."""
    if options.path == "-" and options.file == "-":
        raise UsageError(
            "stdin can't be both the context (-) and the Dockerfile (-f -).",
            hint="leave the - out if the Dockerfile needs no context",
        )
    if not options.path and options.file != "-":
        raise UsageError("PATH is missing.", hint="give the directory of the sources, “.” or “-”")
    if options.path == "-" and sys.stdin.isatty():
        raise UsageError("stdin is a terminal, and a tar stream was expected.", hint="pipe one in: tar -c . | …")


def check_builder_tag(options: Options) -> None:
    """A bare ``--builder-tag`` needs a ``-t``."""
    if options.builder_tag == "" and not options.tag:
        raise UsageError("--builder-tag needs a name to begin with.", hint="write --builder-tag=NAME, or give a -t")


def _outputs(options: Options) -> tuple[Output, ...]:
    """All outputs, those that have an option of their own last, with the annotations that are for all."""
    flags = (("load", options.load), ("registry", options.push))
    outputs = (*options.output, *(Output(type=kind) for kind, is_wanted in flags if is_wanted))
    return tuple(annotated(output, options.annotation) for output in outputs)


def _check_outputs(options: Options) -> None:
    check_annotations(options.annotation, _outputs(options))
    rewrites_times(options.output)
    check_platforms(_outputs(options), len({each for given in options.platform for each in given}))
    for each in _outputs(options):
        if is_push(each) and not names_of(each, options.tag):
            raise UsageError("There is no name to push to.", hint="give -t REGISTRY/NAME")
    to_stdout = [each for each in options.output if each.destination == "-"]
    if len(to_stdout) > 1:
        raise UsageError("Several outputs go to stdout.", hint="give all but one a dest=FILE")
    if to_stdout and options.quiet:
        raise UsageError("--quiet prints the id on stdout, where the output goes.", hint="use --iidfile FILE")
    if to_stdout and output.is_terminal():
        raise terminal_error()


def _check_files(options: Options) -> None:
    files = [("--iidfile", options.iidfile), ("--metadata-file", options.metadata_file)]
    archives = [each for each in options.output if each.destination != "-" and each.type in ("docker", "oci", "tar")]
    files += [("--output", each.destination) for each in archives if not _is_directory_layout(each)]
    for name, path in files:
        if path:
            check_writable(path, name)


def _is_directory_layout(wanted: Output) -> bool:
    return ("tar", "false") in wanted.attributes


def _read_stdin(size: int) -> bytes:
    try:
        return os.read(0, size)
    except OSError as error:
        raise ContextError(f"stdin can't be read: {error.strerror}.") from error


def _remove(path: str) -> None:
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--iidfile: {path} can't be replaced: {error.strerror}.") from error
