"""What variables and relative paths mean at the end of a built stage."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from ..dockerfile import instructions as ins
from ..dockerfile.stages import Dockerfile, Stage
from ..dockerfile.words import expand
from ..engines.base import Settings
from ..engines.embedded.scope import environment_of, global_scope
from ..oci.config import ContainerConfig


def expanded_path(text: str, dockerfile: Dockerfile, stage: Stage, config: ContainerConfig, settings: Settings) -> str:
    """An absolute path: variables expanded, relative to WORKDIR.  ``config`` is that of the built stage.

    Raises ``DockerfileError`` for variables that can't be expanded.
    """
    return absolute(expanded(text, dockerfile, stage, config, settings), config)


def absolute(path: str, config: ContainerConfig) -> str:
    """A path that begins at WORKDIR unless it is absolute, made absolute and plain."""
    return f"/{posixpath.normpath(posixpath.join('/', config.working_dir, path)).lstrip('/')}"


def expanded(text: str, dockerfile: Dockerfile, stage: Stage, config: ContainerConfig, settings: Settings) -> str:
    """A word with its variables expanded."""
    found = _variables(dockerfile, stage, environment_of(config.env), settings)
    return expand(text, found, escape=dockerfile.directives.escape)


def _variables(
    dockerfile: Dockerfile, stage: Stage, environment: Mapping[str, str], settings: Settings
) -> dict[str, str]:
    """Of ARG and ENV, the later line counts; the image's environment has what its ENVs came to."""
    escape = dockerfile.directives.escape
    outside = global_scope(dockerfile, settings, "", set())
    found = dict(environment)
    for instruction in stage.instructions:
        match instruction:
            case ins.Arg():
                resolved = ins.resolve_arguments(instruction, found, overrides=settings.build_args, escape=escape)
                values = ((name, outside.get(name) if value is None else value) for name, value in resolved)
                found |= {name: value for name, value in values if value is not None}
            case ins.Env(pairs=pairs):
                found |= {pair.name: environment[pair.name] for pair in pairs if pair.name in environment}
    return found
