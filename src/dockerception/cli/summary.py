"""What came of a build: the closing lines for a person, and the metadata document for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from . import formats

if TYPE_CHECKING:
    from ..api import Outcome
    from ..chain.finishing import ForPlatform
    from ..engines.base import Exported


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A builder; ``image`` is empty unless it has been given a name, ``size`` in bytes, uncompressed."""

    level: int
    key: str
    image: str
    size: int
    is_cached: bool


class OnePlatform(msgspec.Struct, frozen=True, kw_only=True):
    """The images of a chain for one platform, ``builders`` in their order."""

    platform: str = ""
    builders: tuple[Made, ...] = ()
    image: str
    size: int

    def rows(self, *, says_platform: bool) -> list[tuple[str, str, int]]:
        """What each image is, its id, and its size."""
        prefix = f"{self.platform} " if says_platform else ""
        last = "runtime" if self.builders else "image"
        return [
            *((prefix + _builder_name(made, len(self.builders)), made.image, made.size) for made in self.builders),
            (prefix + last, self.image, self.size),
        ]

    def facts(self) -> dict[str, object]:
        """What ``--metadata-file`` says of it."""
        return {"platform": self.platform, "image": self.image, "size": self.size, "levels": self.levels()}

    def levels(self) -> list[dict[str, object]]:
        """What ``--metadata-file`` says of its builders."""
        return [
            {"level": made.level, "key": made.key, "image": made.image, "size": made.size, "cached": made.is_cached}
            for made in self.builders
        ]


class Summary(OnePlatform, frozen=True, kw_only=True):
    """What came of a build: for its first platform, and for ``others``.  ``names`` are those of the last image,
    canonical; ``pushed_names`` lead to it where outputs have written it."""

    others: tuple[OnePlatform, ...] = ()
    names: tuple[str, ...] = ()
    familiar_names: tuple[str, ...] = ()
    materials: tuple[dict[str, str], ...] = ()
    pushed_names: tuple[str, ...] = ()
    manifest: dict[str, str | int] | None = None
    seconds: float = 0.0
    is_cached: bool = False

    @classmethod
    def of(cls, outcome: Outcome) -> Summary:
        """The summary of what ``api.build`` returns."""
        first, *others = (_one(each) for each in outcome.platforms)
        return cls(
            platform=first.platform,
            builders=first.builders,
            image=first.image,
            size=first.size,
            others=tuple(others),
            names=tuple(str(name) for name in outcome.image.names),
            familiar_names=tuple(name.familiar for name in outcome.image.names),
            materials=tuple(
                {"kind": each.kind, "name": each.name, "digest": each.digest} for each in outcome.materials
            ),
            pushed_names=tuple(dict.fromkeys(each.name for each in outcome.exported if each.name)),
            manifest=_descriptor(outcome.exported),
            seconds=outcome.seconds,
            is_cached=outcome.is_cached,
        )

    @property
    def images(self) -> list[str]:
        """The ids of the images, one a platform."""
        return [self.image, *(each.image for each in self.others)]

    def lines(self) -> list[str]:
        """Sizes of builder and runtime image, and how much smaller it got."""
        rows = [row for each in (self, *self.others) for row in each.rows(says_platform=bool(self.others))]
        width = max(len(name) for name, _, _ in rows)
        lines = [f"{name:<{width}}  {formats.short(image):12}  {_size(size, image):>7}" for name, image, size in rows]
        if self.familiar_names:
            lines[-1] += "  " + ", ".join(self.familiar_names)
        if self.builders and self.builders[-1].size > self.size > 0:
            ratio = round(self.builders[-1].size / self.size)
            if ratio > 1:
                lines.append(f"The runtime image is 1/{ratio} of its builder.")
        lines.append(
            f"Everything was cached ({self.seconds:.2f}s)." if self.is_cached else f"Done in {self.seconds:.2f}s."
        )
        return lines

    def _pushed(self) -> dict[str, object]:
        if self.manifest is None:
            return {}
        return {"containerimage.digest": self.manifest["digest"], "containerimage.descriptor": self.manifest}

    def metadata(self) -> dict[str, object]:
        """The document of ``--metadata-file``: buildx's keys where it has one, else our own."""
        one = {} if self.others else {"containerimage.config.digest": self.image, "dockerception.size": self.size}
        return {
            **self._pushed(),
            **one,
            "image.name": ",".join(self.names or self.pushed_names),
            **({} if self.others else {"dockerception.levels": self.levels()}),
            "dockerception.platforms": [each.facts() for each in (self, *self.others)],
            "dockerception.materials": list(self.materials),
            "dockerception.seconds": round(self.seconds, 3),
            "dockerception.cached": self.is_cached,
        }


def _one(found: ForPlatform) -> OnePlatform:
    return OnePlatform(
        platform=str(found.platform),
        builders=tuple(
            Made(level=each.level, key=each.key, image=each.image, size=each.size, is_cached=each.is_cached)
            for each in found.builders
        ),
        image=found.image.image,
        size=found.image.size,
    )


def _descriptor(exported: tuple[Exported, ...]) -> dict[str, str | int] | None:
    """The manifest that the outputs have written last, as buildx describes it; outputs that are packed differently have
    different ones."""
    last = exported[-1] if exported else None
    return {"mediaType": last.media_type, "digest": last.digest, "size": last.size} if last else None


def _size(size: int, image: str) -> str:
    """A size; none for a builder that its engine never made an image of, whose size is not known."""
    return formats.size(size) if size or image else ""


def _builder_name(made: Made, count: int) -> str:
    return "builder" if count == 1 else f"builder {made.level}"
