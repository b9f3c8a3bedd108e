"""The options of ``build``, ``context`` and ``assemble``: each defined once, with type, help and default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
import msgspec

from .. import sizes
from ..engines import choice
from ..engines.base import Network, Output, Secret, SshAgent
from ..engines.privileges import check_entitlement
from ..limits import Ulimit
from ..oci.annotating import Annotation
from ..oci.stream_limits import DEFAULT_ENTRIES
from ..reference import Platform, Reference
from ..request import DEFAULT_EMIT_TIMEOUT, DEFAULT_MAX_CONTEXT, DEFAULT_MAX_DEPTH, Isolation
from . import limit_options, privileges, values
from .call_options import Call
from .click_types import Value, option
from .progress import MODES
from .stores import store_option

_Command = TypeVar("_Command")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as click gives it: one field an option; a command has those that it declares."""

    path: str = ""
    command: tuple[str, ...] = ()
    tag: tuple[Reference, ...] = ()
    file: str = ""
    build_arg: tuple[tuple[str, str | None], ...] = ()
    target: str = ""
    build_context: tuple[tuple[str, str], ...] = ()
    label: tuple[tuple[str, str], ...] = ()
    annotation: tuple[tuple[Annotation, ...], ...] = ()
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    secret: tuple[Secret, ...] = ()
    ssh: tuple[SshAgent, ...] = ()
    allow: tuple[str, ...] = ()
    cdi_spec_dir: tuple[str, ...] = ()
    memory: int = 0
    cpus: float = 0.0
    pids_limit: int = 0
    shm_size: int = 0
    ulimit: tuple[Ulimit, ...] = ()
    timeout: float = 0.0
    pull: bool = False
    explain: bool = False
    network: Network = "default"
    platform: tuple[tuple[Platform, ...], ...] = ()
    progress: str = "auto"
    output: tuple[Output, ...] = ()
    load: bool = False
    push: bool = False
    iidfile: str = ""
    metadata_file: str = ""
    quiet: bool = False
    builder_tag: str | None = None
    runtime_file: str = ""
    runtime_dockerfile: str = ""
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT
    max_depth: int = DEFAULT_MAX_DEPTH
    max_entries: int = DEFAULT_ENTRIES
    max_context: int = DEFAULT_MAX_CONTEXT
    isolation: Isolation = "auto"
    runtime: str = ""
    engine: str = ""
    emit_helper: str = ""
    keep_storage: int | None = None
    check: bool = False
    call: Call = Call()
    store: str = ""


def _builder_tag(text: str) -> str:
    return str(Reference.to_give(text)) if text else ""


def _engine(text: str) -> str:
    return str(choice.parse(text)) if text else ""


def _common(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    return option(*declarations, is_common=True, **attributes)


ISOLATION: Final = _common(
    "--isolation",
    type=click.Choice(["auto", "oci", "chroot"]),
    default="auto",
    show_default=True,
    help="How steps are kept apart from this machine: oci is containers; chroot is no security boundary, and works"
    " inside containers too; auto takes oci where it works, else chroot with a warning.",
)
RUNTIME: Final = _common("--runtime", metavar="NAME|PATH", default="", help="The OCI runtime: crun, runc or a path.")
NETWORK: Final = _common(
    "--network",
    type=click.Choice(["default", "none", "host"]),
    default="default",
    help="The network of what is run: default and host are this machine's, none is none.",
)

# In the order of the help, which lists them in this order too.
SOURCE: Final = (
    click.argument("path", required=False, default="", metavar="PATH | -", type=click.Path(allow_dash=True)),
    _common("-f", "--file", metavar="FILE", default="", help="The Dockerfile; - is stdin.  [default: PATH/Dockerfile]"),
    _common("--target", metavar="STAGE", default="", help="Build up to this stage; in a build it is the builder."),
    _common(
        "--build-arg",
        metavar="NAME[=VALUE]",
        multiple=True,
        type=Value("variable", values.variable),
        help="Set a build argument; without a value it is taken from the environment.",
    ),
    _common(
        "--build-context",
        metavar="NAME=VALUE",
        multiple=True,
        type=Value("context", values.named_context),
        help="A further context, or what a FROM of this name stands for, e.g. golang=apt://?include=golang-go.",
    ),
)
BUILDING: Final = (
    _common(
        "--engine",
        type=Value("engine", _engine),
        metavar="NAME",
        default="",
        help="What builds and runs: embedded, docker, podman or buildx[:BUILDER].  [default: of the config file, else"
        " embedded]",
    ),
    _common("--no-cache", is_flag=True, help="Do every step again."),
    _common(
        "--no-cache-filter",
        metavar="NAME",
        multiple=True,
        help="Do the steps of this stage again; level:N is a level, emit the run of the builder.",
    ),
    _common(
        "--cache-from",
        metavar="type=…,ref=…",
        multiple=True,
        help="Where to find steps that other machines have done: type=registry,ref=NAME (or NAME), type=local,src=DIR.",
    ),
    _common(
        "--cache-to",
        metavar="type=…,ref=…",
        multiple=True,
        help="Where to keep what was done: type=registry,ref=NAME (or NAME), type=local,dest=DIR or type=inline; with"
        " mode=max|min, mounts=true, ignore-error=true, compression=….",
    ),
    _common(
        "--secret",
        metavar="id=…[,src=FILE|env=NAME]",
        multiple=True,
        type=Value("secret", privileges.secret),
        help="What RUN --mount=type=secret of this id shows: a file, or a variable of the environment.",
    ),
    _common(
        "--ssh",
        metavar="ID[=SOCKET|KEY,…]",
        multiple=True,
        type=Value("agent", privileges.ssh),
        help="The ssh agent of RUN --mount=type=ssh: that of SSH_AUTH_SOCK, of a socket, or one that holds these keys.",
    ),
    _common(
        "--allow",
        metavar="ENTITLEMENT",
        multiple=True,
        type=Value("entitlement", check_entitlement),
        help="What steps may do: security.insecure is RUN --security=insecure; network.host is RUN --network=host;"
        " device[=NAME] is RUN --device.",
    ),
    _common(
        "--cdi-spec-dir",
        metavar="DIR",
        multiple=True,
        type=click.Path(exists=True, file_okay=False),
        help="Where devices of this machine are described (CDI).  [default: /etc/cdi, /var/run/cdi, /etc/buildkit/cdi]",
    ),
    _common(
        "--explain",
        is_flag=True,
        help="Say why the first step of a stage that is not cached is not, and why the builder is run again.",
    ),
    _common("--pull", is_flag=True, help="Look bases up at their source, though the store has them."),
    NETWORK,
    _common(
        "--platform",
        metavar="OS/ARCH[,…]",
        multiple=True,
        type=Value("platform", Platform.parse_all),
        help="The platform to build for; of several the image has all (an index).  [default: this machine's]",
    ),
    _common(
        "--max-context",
        metavar="SIZE",
        type=Value("size", sizes.size),
        default=DEFAULT_MAX_CONTEXT,
        help="The largest context that is taken from a stream: 500m, 2g; 0 is no limit.  [default: 64g]",
    ),
    _common(
        "--max-entries",
        metavar="N",
        type=click.IntRange(min=0),
        default=DEFAULT_ENTRIES,
        show_default=True,
        help="The most files of a context that is taken from a stream; 0 is no limit.",
    ),
    *limit_options.CONTAINER,
    *limit_options.STEP,
    _common(
        "--max-depth",
        metavar="N",
        type=click.IntRange(min=1),
        default=DEFAULT_MAX_DEPTH,
        show_default=True,
        help="The most levels that a chain of builds may have (BUILD).",
    ),
    ISOLATION,
    RUNTIME,
    _common(
        "--keep-storage",
        metavar="SIZE|none",
        type=Value("size", sizes.cap),
        help="Afterwards, old cache makes room until the store has at most this: 20g; none is no cap.  [default: of the"
        " config file, else a tenth of the disk]",
    ),
    store_option,
)
SHOWING: Final = (
    _common(
        "--progress",
        type=click.Choice(MODES),
        default="auto",
        show_default=True,
        help="How progress is shown, on stderr.",
    ),
)
EMITTING: Final = (
    _common(
        "--builder-tag",
        metavar="[=NAME]",
        type=Value("name", _builder_tag),
        help="Name the builder too; without NAME, after the first -t: app:1 has app-builder:1.",
    ),
    _common(
        "--emit-timeout",
        metavar="DURATION",
        type=Value("duration", values.positive_duration),
        default=DEFAULT_EMIT_TIMEOUT,
        help="The longest silence of a builder: 10m, 90s.  [default: 10m]",
    ),
    _common(
        "--emit-helper",
        metavar="IMAGE",
        default="",
        help="With the engine buildx: a static busybox that runs builders; an image, or a file of this machine."
        "  [default: this machine's, else busybox:musl]",
    ),
)
RUNTIME_LEVEL: Final = (
    _common(
        "--runtime-file", metavar="NAME", default="", help="The runtime image's Dockerfile in the emitted context."
    ),
    _common(
        "--runtime-dockerfile", metavar="FILE", default="", help="The runtime image's Dockerfile, from this machine."
    ),
)
RESULT: Final = (
    _common(
        "-t",
        "--tag",
        metavar="NAME[:TAG]",
        multiple=True,
        type=Value("name", Reference.to_give),
        help="Name the image.",
    ),
    _common(
        "--label",
        metavar="KEY=VALUE",
        multiple=True,
        type=Value("label", values.label),
        help="Set a label of the image.",
    ),
    _common(
        "--annotation",
        metavar="[PLACE:]KEY=VALUE",
        multiple=True,
        type=Value("annotation", values.annotation),
        help="Annotate what outputs write: PLACE is manifest, manifest-descriptor, index or index-descriptor, several"
        " separated by commas, with [PLATFORM] behind it perhaps.  [default: manifest]",
    ),
    _common(
        "-o",
        "--output",
        metavar="type=…,dest=…",
        multiple=True,
        type=Value("output", values.output),
        help="Write the image out: type=docker|oci|tar|local,dest=PATH; a bare path is a directory of its files, - a"
        " tar of them on stdout; type=registry,name=NAME pushes it.",
    ),
    _common("--push", is_flag=True, help="Push the image to the registries of its names (-t)."),
    _common("--load", is_flag=True, help="Load the image into a Docker or Podman daemon of this machine."),
    _common("--iidfile", metavar="FILE", default="", help="Write the image's id to a file."),
    _common("--metadata-file", metavar="FILE", default="", help="Write what came of it to a file, as JSON."),
    _common("-q", "--quiet", is_flag=True, help="Show no progress, and print the image's id on stdout."),
)


def options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[_Command], _Command]:
    """A decorator that gives a command these groups of options, in this order."""

    def decorate(command: _Command) -> _Command:
        for group in reversed(groups):
            for each in reversed(group):
                command = each(command)
        return command

    return decorate
