"""One frozen class for each instruction, and the values that they hold.

Every instruction has ``location`` (its lines in the file, from 1) and ``original`` (its logical line as written:
continuations joined, keyword in upper case).  Text is unexpanded until ``expand_instruction`` has been there.
"""

from __future__ import annotations

import msgspec

from ..heredocs import Heredoc


class Lines(msgspec.Struct, frozen=True):
    """First and last line of an instruction, here-documents included, counted from 1."""

    start: int
    end: int


class Shell(msgspec.Struct, frozen=True):
    """Shell form: a command line for the image's SHELL."""

    script: str


class Exec(msgspec.Struct, frozen=True):
    """Exec form: an argument list; empty only where an instruction clears something (``CMD []``)."""

    argv: tuple[str, ...]


class Script(msgspec.Struct, frozen=True):
    """A RUN here-document that begins with ``#!``: a file of mode 0755 at ``/dev/pipes/<name>``, mounted read-only for
    this RUN, whose path is the command line that the image's SHELL gets.
    """

    name: str
    content: str

    @property
    def path(self) -> str:
        """Where the file is for the command."""
        return f"/dev/pipes/{self.name}"


class Pair(msgspec.Struct, frozen=True):
    """``name=value`` of ENV and LABEL, quotes still in place until expanded."""

    name: str
    value: str


class Argument(msgspec.Struct, frozen=True):
    """One name of ARG; ``default`` is ``None`` where there is no ``=``, quotes still in place until expanded."""

    name: str
    default: str | None = None


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One ``RUN --mount``.  ``options`` are its ``key=value`` words as written, and what is printed.

    Where an option's value holds a variable, the field keeps its default until the instruction is expanded.
    ``mode`` is a number (written in octal), ``size`` is in bytes; ``None`` means not given.  ``is_read_only`` is
    resolved: bind, secret and ssh mounts are unless ``rw`` is given, cache and tmpfs mounts are if ``ro`` is.
    A relative ``target`` begins at the working directory, an empty one of bind, cache and tmpfs is that directory.
    """

    type: str = "bind"
    id: str = ""
    target: str = ""
    source: str = ""
    from_: str = ""
    sharing: str = ""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    is_read_only: bool = True
    is_required: bool = False
    env: str = ""
    options: tuple[str, ...] = ()


class From(msgspec.Struct, frozen=True, kw_only=True):
    """``FROM [--platform=…] base [AS name]``.  ``name`` is in lower case, empty if there is none."""

    base: str
    name: str = ""
    platform: str = ""
    location: Lines
    original: str


class Arg(msgspec.Struct, frozen=True, kw_only=True):
    """``ARG name[=default] …``"""

    arguments: tuple[Argument, ...]
    location: Lines
    original: str


class Env(msgspec.Struct, frozen=True, kw_only=True):
    """``ENV name=value …``; ``is_legacy`` marks ``ENV name value to the end of the line``."""

    pairs: tuple[Pair, ...]
    is_legacy: bool = False
    location: Lines
    original: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """``LABEL name=value …``; ``is_legacy`` marks ``LABEL name value to the end of the line``."""

    pairs: tuple[Pair, ...]
    is_legacy: bool = False
    location: Lines
    original: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """``RUN``.  ``command`` is what is executed, here-documents already put in; ``text`` is the line as written.

    ``network`` is ``default``, ``none`` or ``host``; ``security`` is ``sandbox`` or ``insecure``.
    """

    command: Shell | Exec | Script
    text: str
    mounts: tuple[Mount, ...] = ()
    network: str = "default"
    security: str = "sandbox"
    devices: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    location: Lines
    original: str


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """``COPY``.  ``files`` are the sources given as here-documents: mode 0644, called ``name``, of ``body``.

    ``root`` marks what stands for IN and PUBLISH (see ``roots``): with ``in`` the destination must be empty or absent,
    with ``publish`` it loses what the source does not have.
    """

    sources: tuple[str, ...]
    destination: str
    from_: str = ""
    root: str = ""
    chown: str = ""
    chmod: str = ""
    is_link: bool = False
    keeps_parents: bool = False
    exclude: tuple[str, ...] = ()
    files: tuple[Heredoc, ...] = ()
    location: Lines
    original: str


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """``ADD``.  ``unpack`` is ``None`` where the flag is not given: local archives are unpacked, downloads are not."""

    sources: tuple[str, ...]
    destination: str
    chown: str = ""
    chmod: str = ""
    checksum: str = ""
    is_link: bool = False
    keeps_git_dir: bool = False
    unpack: bool | None = None
    exclude: tuple[str, ...] = ()
    files: tuple[Heredoc, ...] = ()
    location: Lines
    original: str


class Workdir(msgspec.Struct, frozen=True, kw_only=True):
    """``WORKDIR path``, relative to the one before."""

    path: str
    location: Lines
    original: str


class User(msgspec.Struct, frozen=True, kw_only=True):
    """``USER user[:group]``"""

    user: str
    location: Lines
    original: str


class Expose(msgspec.Struct, frozen=True, kw_only=True):
    """``EXPOSE``: words as written; after expansion one sorted ``number/protocol`` for each port."""

    ports: tuple[str, ...]
    location: Lines
    original: str


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """``VOLUME``"""

    paths: tuple[str, ...]
    location: Lines
    original: str


class Cmd(msgspec.Struct, frozen=True, kw_only=True):
    """``CMD``"""

    command: Shell | Exec
    location: Lines
    original: str


class Entrypoint(msgspec.Struct, frozen=True, kw_only=True):
    """``ENTRYPOINT``"""

    command: Shell | Exec
    location: Lines
    original: str


class ShellInstruction(msgspec.Struct, frozen=True, kw_only=True):
    """``SHELL ["executable", "parameters"]``"""

    argv: tuple[str, ...]
    location: Lines
    original: str


class Stopsignal(msgspec.Struct, frozen=True, kw_only=True):
    """``STOPSIGNAL signal``: a name with or without SIG, or a number, kept as written."""

    signal: str
    location: Lines
    original: str


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """``HEALTHCHECK``; ``command`` is ``None`` for ``NONE``.  Durations are nanoseconds, 0 where not given."""

    command: Shell | Exec | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0
    location: Lines
    original: str


class Maintainer(msgspec.Struct, frozen=True, kw_only=True):
    """``MAINTAINER name`` (deprecated in favour of a label, still the image's author)."""

    name: str
    location: Lines
    original: str


class Onbuild(msgspec.Struct, frozen=True, kw_only=True):
    """``ONBUILD``: the trigger's text as the image's config keeps it, here-documents included."""

    trigger: str
    location: Lines
    original: str


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """``BUILD directory [Dockerfile]`` or ``BUILD -``: the next level begins.  ``directory`` is ``-`` for stdout."""

    directory: str
    dockerfile: str = ""
    location: Lines
    original: str


class In(msgspec.Struct, frozen=True, kw_only=True):
    """``IN directory { … }``: a build of its own below ``directory``; its first instruction is a FROM."""

    directory: str
    instructions: tuple[Instruction, ...]
    location: Lines
    original: str


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """``PUBLISH directory``: that directory becomes the root of the image."""

    directory: str
    location: Lines
    original: str


Instruction = (
    From
    | Arg
    | Env
    | Label
    | Run
    | Copy
    | Add
    | Workdir
    | User
    | Expose
    | Volume
    | Cmd
    | Entrypoint
    | ShellInstruction
    | Stopsignal
    | Healthcheck
    | Maintainer
    | Onbuild
    | Build
    | In
    | Publish
)
