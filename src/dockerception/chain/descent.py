"""From one level to the next: what is built when a level has given its context, until nothing is (docs/nested.md)."""

from __future__ import annotations

import hashlib

import msgspec

from ..context.base import Context
from ..context.select import content_digest
from ..dockerfile import nested
from ..dockerfile.instructions import Build, Lines
from ..dockerfile.nested import Part
from ..dockerfile.stages import Dockerfile, find_stage
from ..engines.base import Built, Settings
from ..engines.directories import check_path
from ..errors import ContextError, DockerfileError, UsageError
from ..request import BuildRequest
from .emitting import Emitted
from .sources import DEFAULT_DOCKERFILE, Origin, Sources
from .variables import absolute, expanded


class Upcoming(msgspec.Struct, frozen=True, kw_only=True):
    """A level that is to be built: its number, its part of a Dockerfile, its files, and the stage that is wanted (empty
    for the last one).  A part without a BUILD ends the chain; ``is_implied`` says that nobody has written its BUILD."""

    index: int
    part: Part
    context: Context
    target: str = ""
    is_implied: bool = False

    def is_named_in(self, names: frozenset[str]) -> bool:
        """Whether ``--no-cache-filter`` names this level or a stage of it: what it is made of is made anew."""
        own = {f"level:{self.index}", *(stage.name or str(stage.index) for stage in self.part.dockerfile.stages)}
        return any(name.lower() in own for name in names)


class Descent:
    """Goes down the levels of one build.  All methods raise ``DockerfileError`` with the lines of a BUILD that can't be
    followed."""

    def __init__(self, request: BuildRequest, settings: Settings, sources: Sources) -> None:
        self._request = request
        self._settings = settings
        self._sources = sources
        self._rest: tuple[Part, ...] = ()
        self._target_level, self._target = 0, request.target
        self._seen: dict[str, int] = {}

    def first(self, *, implies_build: bool) -> Upcoming:
        """Level 0.  ``implies_build``: a file without a BUILD has ``BUILD -`` at its end."""
        origin = self._sources.first()
        parts = nested.split(origin.dockerfile)
        is_implied = implies_build and not nested.has_build(origin.dockerfile)
        if is_implied:
            parts = (msgspec.structs.replace(parts[0], build=_implied(origin.dockerfile)),)
        elif self._request.command:
            raise UsageError(
                "What follows -- is for a builder that is run without being told so; this Dockerfile has a BUILD.",
                hint="write the command into the Dockerfile, as CMD",
            )
        return self._take(0, self._up_to_target(parts), origin.context, is_implied=is_implied)

    def following(self, done: Upcoming, build: Build, emitted: Emitted) -> Upcoming:
        """The level after one that has given a context; ``build`` is its BUILD, expanded."""
        index = done.index + 1
        if index >= self._request.max_depth:
            raise done.part.located(self._too_deep())
        if self._rest:
            self._check_no_runtime_options(index)
            return self._take(index, self._rest, self._sources.context_of(emitted))
        try:
            origin = self._origin(index, build, emitted)
        except ContextError as error:
            error.details = error.details or ("" if done.is_implied else done.part.excerpt)
            raise
        parts = nested.split(origin.dockerfile)
        if parts[0].build is not None:
            self._check_circle(index, done.part, origin)
        return self._take(index, parts, origin.context)

    def expanded(self, level: Upcoming, built: Built) -> Build:
        """The BUILD of a built level: variables expanded, its directory absolute.

        Raises ``DockerfileError`` for a directory that can't be a context.
        """
        build = level.part.build
        if build is None:
            raise TypeError("this level ends the chain")
        if build.directory == nested.STDOUT:
            return build
        dockerfile = level.part.dockerfile
        stage = find_stage(dockerfile, level.target) if level.target else dockerfile.stages[-1]
        config = built.config.config
        try:
            directory = expanded(build.directory, dockerfile, stage, config, self._settings)
            name = expanded(build.dockerfile, dockerfile, stage, config, self._settings)
            _check_words(build, directory, name)
            path = absolute(directory, config)
            check_path(path)
        except DockerfileError as error:
            raise level.part.located(error) from error
        return msgspec.structs.replace(build, directory=path, dockerfile=name)

    def _up_to_target(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The levels that are built for ``--target``: a stage behind a BUILD ends the chain."""
        if not self._target:
            return parts
        level, self._target = nested.find_target(parts, self._target)
        self._target_level = level
        return (*parts[:level], msgspec.structs.replace(parts[level], build=None)) if level else parts

    def _take(self, index: int, parts: tuple[Part, ...], context: Context, *, is_implied: bool = False) -> Upcoming:
        self._check_depth(index, parts)
        self._rest = parts[1:]
        target = self._target if index == self._target_level else ""
        return Upcoming(index=index, part=parts[0], context=context, target=target, is_implied=is_implied)

    def _origin(self, index: int, build: Build, emitted: Emitted) -> Origin:
        """What a level is built from whose Dockerfile is not written behind the BUILD."""
        request = self._request
        if build.dockerfile:
            self._check_no_runtime_options(index)
            return self._sources.of_context(emitted, build.dockerfile)
        name = (request.runtime_file if index == 1 else "") or DEFAULT_DOCKERFILE
        if index == 1 and request.runtime_dockerfile:
            return self._sources.of_outside(emitted, request.runtime_dockerfile, name)
        return self._sources.of_context(emitted, name)

    def _check_depth(self, index: int, parts: tuple[Part, ...]) -> None:
        """What is written too deep is not built at all."""
        left = self._request.max_depth - index
        if len(parts) > left:
            raise parts[left - 1].located(self._too_deep())

    def _too_deep(self) -> DockerfileError:
        most = self._request.max_depth
        return DockerfileError(
            f"The chain has more than {most} level{'s' if most > 1 else ''}.",
            hint="if that is meant, allow more with --max-depth N",
        )

    def _check_no_runtime_options(self, index: int) -> None:
        if index == 1 and (self._request.runtime_file or self._request.runtime_dockerfile):
            raise UsageError(
                "--runtime-file and --runtime-dockerfile say which Dockerfile level 1 has; here its BUILD says that.",
                hint="leave the option out",
            )

    def _check_circle(self, index: int, before: Part, origin: Origin) -> None:
        """A level that goes on, and is what one before it was, would go on for ever: the build arguments are the same
        for all."""
        text = "\n".join(origin.dockerfile.document.lines).encode("utf-8", "surrogateescape")
        files = content_digest(origin.context, "", owners=False)
        digest = hashlib.sha256(hashlib.sha256(text).digest() + files).hexdigest()
        earlier = self._seen.setdefault(digest, index)
        if earlier != index:
            raise before.located(
                DockerfileError(
                    f"The chain goes round in a circle: level {index} has the Dockerfile and the files of"
                    f" level {earlier}.",
                    hint="a level that goes on with BUILD must give something else than what it was built from",
                )
            )


def _check_words(build: Build, directory: str, name: str) -> None:
    """A variable without a value would be the working directory, or the name that is looked for anyway."""
    for word, what, value in ((build.directory, "directory", directory), (build.dockerfile, "Dockerfile", name)):
        if word and not value:
            raise DockerfileError(
                f"BUILD names no {what}: “{word}” is empty.",
                hint="give the variable a value: ENV NAME=value, or ARG NAME and --build-arg NAME=value",
            )


def _implied(dockerfile: Dockerfile) -> Build:
    end = len(dockerfile.document.lines)
    return Build(directory=nested.STDOUT, location=Lines(end, end), original=f"BUILD {nested.STDOUT}")
