"""The variables of a Dockerfile: build arguments, platform arguments, ENV (Dockerfile reference, "ARG")."""

from __future__ import annotations

from collections.abc import Mapping

from ...dockerfile.instructions import Arg, resolve_arguments
from ...dockerfile.stages import Dockerfile, shown_at
from ...errors import DockerfileError
from ...reference import Platform
from ..base import Settings


def platform_args(platform: Platform, build_platform: Platform, target: str) -> dict[str, str]:
    """The automatic arguments of the global scope; ``target`` is the stage that is built, as it is asked for."""
    found: dict[str, str] = {}
    for prefix, value in (("BUILD", build_platform), ("TARGET", platform)):
        found[f"{prefix}PLATFORM"] = str(value)
        found[f"{prefix}OS"] = value.os
        found[f"{prefix}ARCH"] = value.architecture
        found[f"{prefix}VARIANT"] = value.variant
    found["TARGETSTAGE"] = target
    return found


class Scope:
    """What ``$name`` means at one place of a stage: ARG and ENV in the order of their lines, the later one counts.

    ``declared`` are the ARG values seen so far, in the order of their declaration.  ``used_build_args`` collects the
    names of build arguments that some ARG has declared.
    """

    def __init__(
        self,
        overrides: Mapping[str, str],
        inherited: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        used_build_args: set[str],
        escape: str,
    ) -> None:
        self._overrides = overrides
        self._inherited = inherited
        self._used = used_build_args
        self._escape = escape
        self.declared: dict[str, str] = {}
        self.variables: dict[str, str] = dict(environment)

    def declare(self, arg: Arg) -> tuple[tuple[str, str | None], ...]:
        """Take the names of an ARG into the scope; returns them with their values.

        The value is that of the build argument, else the default, else that of an ARG before the first FROM.
        """
        resolved = resolve_arguments(arg, self.variables, overrides=self._overrides, escape=self._escape)
        values = []
        for name, value in resolved:
            if name in self._overrides:
                self._used.add(name)
            found = self._inherited.get(name) if value is None else value
            self.declared[name] = found or ""
            if found is not None:
                self.variables[name] = found
            values.append((name, found))
        return tuple(values)

    def inherit(self, declared: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """Begin with what the stage below has declared, and with what its names meant at its end."""
        self.declared.update(declared)
        self.variables.update(variables)

    @property
    def arguments(self) -> dict[str, str]:
        """The names that ARG has declared, with what they mean now; empty for those without a value."""
        return {name: self.variables.get(name, "") for name in self.declared}

    def set(self, values: Mapping[str, str]) -> None:
        """Take the values of an ENV into the scope."""
        self.variables.update(values)


def global_scope(dockerfile: Dockerfile, settings: Settings, target: str, used_build_args: set[str]) -> dict[str, str]:
    """The values of the ARGs before the first FROM, platform arguments included.

    Raises ``DockerfileError`` for a default that can't be expanded.
    """
    automatic = platform_args(settings.platform, Platform.host(), target or dockerfile.stages[-1].name or "default")
    escape = dockerfile.directives.escape
    scope = Scope(settings.build_args, {}, automatic, used_build_args=used_build_args, escape=escape)
    for arg in dockerfile.global_args:
        try:
            scope.declare(arg)
        except DockerfileError as error:
            raise shown_at(dockerfile, arg.location, error) from error
    return scope.variables


def environment_of(env: tuple[str, ...] | None) -> dict[str, str]:
    """The config's ``Env`` list as a mapping."""
    return dict(item.partition("=")[::2] for item in env or ())
