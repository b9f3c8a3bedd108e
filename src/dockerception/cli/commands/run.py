"""``dockerception run``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click
from click import Context as ClickContext

from ...errors import DockerceptionError, UsageError
from .. import failures, limit_options, output
from ..click_types import Command, Value, mistake, option
from ..options import ISOLATION, NETWORK, RUNTIME, options
from ..stores import complete_image, open_store, store_option
from ..transfers import PLATFORM
from ..values import variable, volume

if TYPE_CHECKING:
    from ...engines.base import Network
    from ...limits import Ulimit
    from ...reference import Platform
    from ...request import Isolation

_FAILED = 125  # as “docker run”: the container's own codes must stay apart from ours


class RunCommand(Command):
    """A command that ends with 125 for whatever goes wrong before the container is there."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: ClickContext | None = None, **extra: Any
    ) -> ClickContext:
        """Parse; a usage mistake is 125 too."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except DockerceptionError as error:
            failures.show(error)
        except click.UsageError as error:
            failures.show(UsageError(error.format_message(), hint="see “dockerception run --help”"))
        raise click.exceptions.Exit(_FAILED)

    def check(self, ctx: ClickContext) -> None:
        """What the store's containers can't have."""
        if ctx.params.get("publish"):
            mistake(
                ctx, "-p is not needed: the container has this machine's network, so its ports are open as they are"
            )
        if ctx.params.get("tty") and not (sys.stdin.isatty() and sys.stdout.isatty()):
            mistake(ctx, "-t needs stdin and stdout to be a terminal")

    def invoke(self, ctx: ClickContext) -> Any:
        """Run; a failure of ours is 125."""
        try:
            return super().invoke(ctx)
        except DockerceptionError as error:
            failures.show(error)
            return _FAILED


@click.command("run", cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.argument("image", shell_complete=complete_image)
@click.argument("arguments", nargs=-1, metavar="[COMMAND] [ARG]...", type=click.UNPROCESSED)
@option(
    "-e",
    "--env",
    "environment",
    metavar="NAME[=VALUE]",
    multiple=True,
    type=Value("variable", variable),
    help="Set a variable; without a value it is taken from the environment.",
)
@option(
    "-v",
    "--volume",
    "volumes",
    metavar="SOURCE:TARGET[:ro]",
    multiple=True,
    type=Value("volume", volume),
    help="Show a file or directory of this machine in the container.",
)
@option("-w", "--workdir", metavar="DIRECTORY", default="", help="The directory to run in.")
@option("-u", "--user", metavar="USER[:GROUP]", default="", help="Who to run as.")
@option("-i", "--interactive", is_flag=True, help="Give the container our stdin.")
@option("-t", "--tty", is_flag=True, help="Give the container a terminal.")
@option("--entrypoint", metavar="COMMAND", default=None, help="Replace the image's ENTRYPOINT, and its CMD with it.")
@PLATFORM
@NETWORK
@option("-p", "--publish", metavar="PORTS", multiple=True, help="Not needed: the network is this machine's.")
@option("--rm", "remove", is_flag=True, help="Always so: nothing stays of a container.")
@option("--name", metavar="NAME", default="", help="Accepted, and not used: containers have no names here.")
@options(limit_options.CONTAINER)
@ISOLATION
@RUNTIME
@store_option
def command(
    image: str,
    arguments: tuple[str, ...],
    environment: tuple[tuple[str, str | None], ...],
    volumes: tuple[tuple[str, str, bool], ...],
    workdir: str,
    user: str,
    interactive: bool,
    tty: bool,
    entrypoint: str | None,
    platform: Platform | None,
    network: Network,
    publish: tuple[str, ...],
    remove: bool,
    name: str,
    memory: int,
    cpus: float,
    pids_limit: int,
    shm_size: int,
    ulimit: tuple[Ulimit, ...],
    isolation: Isolation,
    runtime: str,
    store: str,
) -> int:
    """Run a command in a container of an image.

    It runs in the foreground, with the host's network and without limits but those that are asked for; what it writes
    to its own files is thrown away.  stdout and stderr are its own, unchanged.  The exit code is the container's; 127
    and 126 say that its program is missing or can't be executed, 125 that it was not started.

    \b
    Examples:
      dockerception run builder | docker build -t app -
      dockerception run -it --entrypoint sh app
      dockerception run -v "$PWD:/src" -w /src golang go test ./...
    """
    from ...library.containers import ContainerRequest, run_image
    from ...sandbox.messages import Mount
    from ..signals import forwarded

    request = ContainerRequest(
        image=image,
        platform=platform,
        command=arguments,
        entrypoint=None if entrypoint is None else tuple([entrypoint] if entrypoint else []),
        environment={key: value for key, value in environment if value is not None},
        mounts=tuple(
            Mount(kind="bind", source=source, target=target, is_readonly=is_readonly)
            for source, target, is_readonly in volumes
        ),
        cwd=workdir,
        user=user,
        is_interactive=interactive,
        has_terminal=tty,
        network=network,
        limits=limit_options.limits(memory=memory, cpus=cpus, pids_limit=pids_limit, shm_size=shm_size, ulimits=ulimit),
        isolation=isolation,
        runtime=runtime,
    )
    with open_store(store) as opened, ExitStack() as stack:
        result = run_image(opened, request, on_start=lambda send: stack.enter_context(forwarded(send)))
    if result.not_started:
        output.words(f"error[not-started]: {result.message}")
    return result.returncode
