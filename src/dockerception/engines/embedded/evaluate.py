"""Dockerfile and build arguments to expanded steps and final configs.  Nothing is executed, no file is read.

A config depends on the text, the build arguments and the base images' configs only; so all of it is known before the
first step runs, and keys can be computed for steps whose inputs are not built yet.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, Stage, excerpt_for, shown_at
from ...errors import DockerceptionError, DockerfileError, UsageError
from ...oci.config import ContainerConfig
from ...reference import Platform
from ..base import Settings
from . import configuring, wording
from .origin_checks import check_origins
from .run_checks import check_run
from .scope import Scope, environment_of, global_scope
from .values import SCRATCH, Base, Evaluated, Step

ResolveImage = Callable[[str, Platform], Base]
"""Leads from the name in a FROM to its image for a platform, where it is neither a stage nor ``scratch``."""
IsNamedContext = Callable[[str], bool]


class Evaluator:
    """Evaluates the stages of one Dockerfile, each once.

    ``resolve_image`` finds bases; ``is_named_context`` says which names ``--build-context`` overrides.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        settings: Settings,
        target: str,
        *,
        resolve_image: ResolveImage,
        is_named_context: IsNamedContext,
    ) -> None:
        self._dockerfile = dockerfile
        self._settings = settings
        self._resolve_image = resolve_image
        self._is_named_context = is_named_context
        self._stages: dict[int, Evaluated] = {}
        self.used_build_args: set[str] = set()
        self._globals = global_scope(dockerfile, settings, target, self.used_build_args)

    def stage(self, index: int) -> Evaluated:
        """The evaluated stage.  Raises ``DockerfileError`` and what resolving its base raises."""
        if index not in self._stages:
            self._stages[index] = self._evaluate(self._dockerfile.stages[index])
        return self._stages[index]

    def find(self, name: str, before: int) -> Stage | None:
        """The stage before number ``before`` that a ``--from`` or FROM names, by name (any case; of several the last)
        or number."""
        if self._is_named_context(name):
            return None
        for stage in reversed(self._dockerfile.stages[:before]):
            if stage.name and stage.name == name.lower():
                return stage
        if name.isdigit() and int(name) < before:
            return self._dockerfile.stages[int(name)]
        return None

    def _evaluate(self, stage: Stage) -> Evaluated:
        escape = self._dockerfile.directives.escape
        try:
            origin = ins.expand_instruction(stage.base, self._globals, escape=escape)
        except DockerfileError as error:
            raise self._located(error, stage.base) from error
        wanted = self._wanted_platform(stage, origin)
        base = self._base(stage, origin.base, wanted)
        config, author = _inherited(base)
        run = _StageRun(self._settings, self._globals, self.used_build_args, escape, config, author)
        if base.stage is not None:
            run.scope.inherit(base.stage.declared, base.stage.variables)
        for trigger in config.on_build or ():
            self._take_trigger(run, stage, trigger, base.name)
        run.config = msgspec.structs.replace(run.config, on_build=run.own_triggers or None)
        for instruction in stage.instructions:
            try:
                check_origins(instruction, stage, self._dockerfile, self.find)
                run.take(instruction)
            except DockerfileError as error:
                raise self._located(error, instruction) from error
        return Evaluated(
            stage=stage,
            base=base,
            platform=_platform_of(base, self._settings),
            steps=tuple(run.steps),
            config=run.config,
            author=run.author,
            declared=run.scope.declared,
            variables=run.scope.variables,
        )

    def _take_trigger(self, run: _StageRun, stage: Stage, trigger: str, base: str) -> None:
        instruction = _parse_trigger(trigger, base)
        try:
            check_origins(instruction, stage, self._dockerfile, self.find)
            run.take(instruction, is_trigger=True)
        except DockerfileError as error:
            message = f"{error.message.rstrip('.')} (in “{instruction.original}”, a trigger of {base})."
            raise self._located(DockerfileError(message, hint=error.hint), stage.base) from error

    def _base(self, stage: Stage, name: str, platform: Platform) -> Base:
        earlier = None if name.isdigit() else self.find(name, stage.index)
        if earlier is not None:
            return Base(name=name, stage=self.stage(earlier.index))
        if name.lower() == SCRATCH:  # behind stages and before named contexts, as in BuildKit
            return Base(name=SCRATCH)
        try:
            return self._resolve_image(name, platform)
        except DockerceptionError as error:
            if not error.details:
                error.details = excerpt_for(self._dockerfile, stage.base.location)
            raise

    def _wanted_platform(self, stage: Stage, origin: ins.From) -> Platform:
        """The platform that the image of a FROM is looked up for: that of its flag, else of the build."""
        if not stage.base.platform:
            return self._settings.platform
        if not origin.platform:
            error = DockerfileError(
                f"FROM --platform={stage.base.platform} names no platform: a variable in it has no value.",
                hint="BUILDPLATFORM and TARGETPLATFORM have one; others need an ARG before the first FROM",
            )
            raise self._located(error, origin)
        try:
            return Platform.parse(origin.platform)
        except UsageError as error:
            raise self._located(DockerfileError(error.message, hint=error.hint), origin) from error

    def _located(self, error: DockerfileError, instruction: ins.Instruction) -> DockerfileError:
        return shown_at(self._dockerfile, instruction.location, error)


class _StageRun:
    """The state of going through one stage's instructions."""

    def __init__(
        self,
        settings: Settings,
        global_args: dict[str, str],
        used_build_args: set[str],
        escape: str,
        config: ContainerConfig,
        author: str,
    ) -> None:
        environment = environment_of(config.env)
        self.scope = Scope(
            settings.build_args, global_args, environment, used_build_args=used_build_args, escape=escape
        )
        self._settings = settings
        self._escape = escape
        self._has_own_cmd = False
        self.config = config
        self.author = author
        self.steps: list[Step] = []
        self.own_triggers: tuple[str, ...] = ()

    def take(self, instruction: ins.Instruction, *, is_trigger: bool = False) -> None:
        """Evaluate the next instruction."""
        before = self.config
        if isinstance(instruction, ins.Arg):
            values = self.scope.declare(instruction)
            text = "ARG " + " ".join(name if value is None else f"{name}={value}" for name, value in values)
            self._append(instruction, before, text, makes_layer=False, is_trigger=is_trigger)
            return
        expanded = ins.expand_instruction(instruction, self.scope.variables, escape=self._escape)
        arguments: tuple[str, ...] = ()
        makes_layer = isinstance(expanded, ins.Run | ins.Copy | ins.Add)
        match expanded:
            case ins.Run():
                check_run(expanded, before.working_dir, self._settings)
            case ins.Add():
                _check_add(expanded)
            case ins.Copy():
                pass
            case ins.Maintainer(name=name):
                self.author = name
            case ins.Env(pairs=pairs):
                self.config = configuring.apply(before, expanded, has_own_cmd=self._has_own_cmd)
                self.scope.set({pair.name: pair.value for pair in pairs})
            case ins.Build() | ins.In() | ins.Publish() | ins.From() | ins.Arg():
                raise TypeError(f"{expanded.original} is no instruction of a plain stage (see dockerfile.nested)")
            case _:
                self.config = configuring.apply(before, expanded, has_own_cmd=self._has_own_cmd)
                self._has_own_cmd |= isinstance(expanded, ins.Cmd)
                makes_layer = isinstance(expanded, ins.Workdir) and self.config.working_dir != "/"
                if is_trigger and isinstance(expanded, ins.Onbuild):
                    self.own_triggers += (expanded.trigger,)
        if isinstance(expanded, ins.Run):
            arguments = configuring.command_line(expanded.command, before.shell)
        elif isinstance(expanded, ins.Cmd):
            arguments = self.config.cmd or ()
        elif isinstance(expanded, ins.Entrypoint):
            arguments = self.config.entrypoint or ()
        text = wording.created_by(expanded, args=self.scope.arguments, arguments=arguments, config=self.config)
        self._append(expanded, before, text, makes_layer=makes_layer, is_trigger=is_trigger)

    def _append(
        self, instruction: ins.Instruction, before: ContainerConfig, text: str, *, makes_layer: bool, is_trigger: bool
    ) -> None:
        self.steps.append(
            Step(
                instruction=instruction,
                config=before,
                environment=tuple(self.scope.variables.items()),
                created_by=text,
                makes_layer=makes_layer,
                text=instruction.original,
                is_trigger=is_trigger,
            )
        )


def _platform_of(base: Base, settings: Settings) -> Platform:
    """What the programs of a stage are for, as far as its base tells."""
    if base.stage is not None:
        return base.stage.platform
    return base.image.config.platform if base.image is not None else settings.platform


def _inherited(base: Base) -> tuple[ContainerConfig, str]:
    if base.stage is not None:
        return base.stage.config, base.stage.author
    if base.image is not None and base.has_config:
        config = base.image.config
        env = config.config.env
        if "PATH" not in environment_of(env):
            env = configuring.with_environment(env, {"PATH": configuring.DEFAULT_PATH})
        return msgspec.structs.replace(config.config, env=env), config.author
    return configuring.SCRATCH_CONFIG, ""


def _parse_trigger(text: str, base: str) -> ins.Instruction:
    return ins.parse_instruction(text, name=f"an ONBUILD trigger of the image {base}")


def _check_add(instruction: ins.Add) -> None:
    remote = [source for source in instruction.sources if ins.is_remote(source)]
    if instruction.checksum and (len(instruction.sources) > 1 or not remote):
        raise DockerfileError(
            "ADD --checksum is for one remote source.", hint="give each remote source an ADD of its own"
        )
    if remote:
        from .remote_files import locate

        for source in remote:
            locate(instruction, source)
