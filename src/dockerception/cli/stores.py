"""The option that names the store, and image names for shell completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click import Context as ClickContext
from click import Parameter

from .click_types import option

if TYPE_CHECKING:
    from ..store.store import Store

store_option = option(
    "--store",
    metavar="DIRECTORY",
    default="",
    envvar="DOCKERCEPTION_HOME",
    help="The store to use; the default is dockerception in the user's data directory.",
)


def open_store(root: str) -> Store:
    """Open the store at ``root``, or the default one."""
    from ..store.store import Store

    return Store(root or None)


def complete_image(ctx: ClickContext, parameter: Parameter, incomplete: str) -> list[Any]:
    """The familiar names of the store that begin like what was typed."""
    from ..errors import DockerceptionError
    from ..library.images import list_images

    try:
        with open_store(ctx.params.get("store") or "") as store:
            names = [name for summary in list_images(store) for name in summary.names]
    except DockerceptionError:
        return []
    return [name for name in names if name.startswith(incomplete)]
