"""``dockerception completion``."""

from __future__ import annotations

import os

import click

from ...errors import UsageError
from .. import output
from ..click_types import Command

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", required=False, default="", metavar="[bash|zsh|fish]")
def command(shell: str) -> None:
    """Print the completion script of a shell.

    Without an argument, of the shell that $SHELL names.

    \b
    Examples:
      dockerception completion bash > ~/.local/share/bash-completion/completions/dockerception
      dockerception completion zsh > ~/.zfunc/_dockerception
      dockerception completion fish > ~/.config/fish/completions/dockerception.fish
    """
    from click.shell_completion import get_completion_class

    from ..group import COMPLETE_VARIABLE, PROGRAM, make_group

    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    found = get_completion_class(name) if name in _SHELLS else None
    if found is None:
        raise UsageError(f"There is no completion for the shell “{name}”.", hint="there is for " + ", ".join(_SHELLS))
    script = found(make_group(), {}, PROGRAM, COMPLETE_VARIABLE)
    output.text(script.source_template % script.source_vars())
