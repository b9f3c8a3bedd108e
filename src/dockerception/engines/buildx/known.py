"""What is known of a level before it is built: its final config, and the key of all that it is made from.

buildx tells no config of what it builds.  But a config depends on text, build arguments and the bases' configs only, so
the Dockerfile is evaluated here, as the embedded engine does it.
"""

from __future__ import annotations

import secrets

import msgspec

from ...context.select import content_digest
from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, Stage, find_stage
from ...errors import BuilderError
from ...oci import config as oci_config
from ...oci.config import ContainerConfig, ImageConfig
from ...reference import Platform
from ...store.images import StoredImage
from ..base import Level, Settings
from ..daemon.references import Outside
from ..embedded import keys
from ..embedded.evaluate import Evaluator
from ..embedded.scope import environment_of
from ..embedded.values import Base, Evaluated
from ..emission import nothing_to_run
from .contexts import Contexts
from .images import Found

_WORKING = (ins.Run, ins.Copy, ins.Add)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """``config`` lacks what is inherited where the base's config can't be read; ``unknown_base`` is then its name,
    ``why`` the reason, and ``has_entrypoint`` says that the Dockerfile has one of its own.

    ``arguments`` are the names of build arguments that are no variables of the image; ``platform`` is that of its
    programs, whatever the image is built for.
    """

    config: ContainerConfig
    platform: Platform
    author: str = ""
    unknown_base: str = ""
    why: str = ""
    has_entrypoint: bool = False
    arguments: frozenset[str] = frozenset()

    def image_config(self, settings: Settings) -> ImageConfig:
        """The config as far as it is known."""
        platform = settings.platform
        return ImageConfig(
            author=self.author,
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            config=self.config,
        )

    def command(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """What to run as the builder: ENTRYPOINT, and CMD or what is ``given``.  Raises ``BuilderError``."""
        if self.unknown_base and not self.has_entrypoint:
            if given:
                return given
            raise BuilderError(
                f"What the builder runs is not known: its ENTRYPOINT comes from the base “{self.unknown_base}”, whose"
                f" config can't be read: {self.why or 'no place that this machine reaches has it'}.",
                hint="say it after two dashes: … -- COMMAND; or set ENTRYPOINT in the Dockerfile",
            )
        command = (*(self.config.entrypoint or ()), *(given or self.config.cmd or ()))
        if not command:
            raise nothing_to_run()
        return command


def evaluate(level: Level, contexts: Contexts) -> Known:
    """The config of the level's target.  Raises ``DockerfileError`` and what finding its base raises."""
    unknown: dict[str, str] = {}

    def resolve(name: str, platform: Platform) -> Base:
        found = contexts.find(Outside(name=name, is_base=True, platform=platform))
        if found.config is None:
            unknown[name] = found.why
            return Base(name=name)
        return Base(name=name, image=_without_work(found, platform), identity=found.identity)

    dockerfile = msgspec.structs.replace(
        level.dockerfile, stages=tuple(_settings_of(stage) for stage in level.dockerfile.stages)
    )
    evaluator = Evaluator(
        dockerfile, level.settings, level.target, resolve_image=resolve, is_named_context=contexts.is_named
    )
    target = find_stage(dockerfile, level.target) if level.target else dockerfile.stages[-1]
    stage = evaluator.stage(target.index)
    chain = _chain(stage)
    base = chain[-1].base.name
    return Known(
        config=stage.config,
        platform=stage.platform,
        author=stage.author,
        unknown_base=base if base in unknown else "",
        why=unknown.get(base, ""),
        has_entrypoint=any(isinstance(step.instruction, ins.Entrypoint) for one in chain for step in one.steps),
        arguments=_arguments(chain) - frozenset(environment_of(stage.config.env)),
    )


def definition_key(level: Level, outside: tuple[Outside, ...], contexts: Contexts) -> str:
    """The key of the level's image.  An equal key means an equal image as far as a builder's cache knows one.

    What can't be told from here (an image that only the builder reaches, a remote source without a checksum) makes the
    key another one each time.
    """
    settings = level.settings
    identities = tuple((each.name, contexts.find(each).identity or secrets.token_hex(16)) for each in outside)
    return keys.derive(
        "buildx level",
        (
            ("text", "\n".join(level.dockerfile.document.lines)),
            ("target", level.target),
            ("context", content_digest(level.context, "", owners=level.context.keeps_owners)),
            ("build arguments", tuple(sorted(settings.build_args.items()))),
            ("platform", str(settings.platform)),
            ("network", settings.network),
            ("epoch", settings.epoch if settings.is_epoch_fixed else 0),
            ("from outside", identities),
            ("remote", secrets.token_hex(16) if _has_remote_source(level.dockerfile) else ""),
        ),
    )


def _settings_of(stage: Stage) -> Stage:
    """The stage without what changes its files only."""
    kept = tuple(one for one in stage.instructions if not isinstance(one, _WORKING))
    return msgspec.structs.replace(stage, instructions=kept)


def _without_work(found: Found, platform: Platform) -> StoredImage:
    """A base as the evaluation takes it, for the platform that its FROM asks for: settings are the same on all.  Of its
    triggers it has those that change settings."""
    config = found.config or ImageConfig(architecture="", os="")
    triggers = tuple(
        trigger
        for trigger in config.config.on_build or ()
        if not trigger.lstrip().upper().startswith(("RUN", "COPY", "ADD"))
    )
    inner = msgspec.structs.replace(config.config, on_build=triggers or None)
    config = msgspec.structs.replace(
        config, config=inner, architecture=platform.architecture, os=platform.os, variant=platform.variant
    )
    data = oci_config.encode(config)
    return StoredImage(image=found.identity, config_bytes=data, layers=(), platform=str(config.platform))


def _arguments(chain: list[Evaluated]) -> frozenset[str]:
    args = [step.instruction for one in chain for step in one.steps if isinstance(step.instruction, ins.Arg)]
    return frozenset(argument.name for arg in args for argument in arg.arguments)


def _chain(stage: Evaluated) -> list[Evaluated]:
    """The stage and those that it is made from by FROM, its own first."""
    chain = [stage]
    while chain[-1].base.stage is not None:
        chain.append(chain[-1].base.stage)
    return chain


def _has_remote_source(dockerfile: Dockerfile) -> bool:
    adds = [one for stage in dockerfile.stages for one in stage.instructions if isinstance(one, ins.Add)]
    return any(not add.checksum and any(_is_remote(source) for source in add.sources) for add in adds)


def _is_remote(source: str) -> bool:
    return "://" in source or source.startswith("git@") or "$" in source
