"""What ``-o/--output`` may say: its attributes, those about packing as values.  Checked before anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from ..errors import UsageError
from ..oci import annotating
from ..oci.annotating import Annotation
from ..reference import Reference
from .base import Output

Compression = Literal["gzip", "zstd", "uncompressed"]
TYPES: Final = ("docker", "oci", "tar", "local", "image", "registry", "load")
COMPRESSIONS: Final[tuple[Compression, ...]] = ("gzip", "zstd", "uncompressed")
_LEVELS: Final = {"gzip": range(10), "zstd": range(1, 23)}
_REWRITE: Final = "rewrite-timestamp"
_PACKING: Final = ("compression", "compression-level", "force-compression", "oci-mediatypes")
_MANIFEST: Final = ("name", *_PACKING, _REWRITE)
_PUSH: Final = ("push", "push-by-digest", "registry.insecure")
_ATTRIBUTES: Final = {
    "oci": ("tar", *_MANIFEST),
    "docker": _MANIFEST,
    "load": _MANIFEST,
    "image": (*_PUSH, *_MANIFEST),
    "registry": (*_PUSH, *_MANIFEST),
}
"""Those of ``docker buildx build``, by output type, but for what is about its own store, and for eStargz."""
_WITH_MANIFESTS: Final = ("oci", "docker", "image", "registry")
_FLAGS: Final = ("tar", "push-by-digest", "registry.insecure", _REWRITE)


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """What an output says of layers and manifests, as ``docker buildx build`` names it.

    ``is_forced`` compresses layers anew that are compressed otherwise.  ``level`` is the compressor's, None its
    default.  ``is_given`` says whether any of it was asked for.
    """

    compression: Compression = "gzip"
    level: int | None = None
    is_forced: bool = False
    is_oci: bool = True
    annotations: tuple[Annotation, ...] = ()
    is_given: bool = False


def check(output: Output) -> Output:
    """The output itself; raises ``UsageError`` for an attribute or a value that its type does not have."""
    if output.type not in TYPES:
        raise UsageError(f"“{output.type}” is not an output type.", hint=f"choose one of {', '.join(TYPES)}")
    known = _ATTRIBUTES.get(output.type, ())
    for name, value in output.attributes:
        if name in known:
            if name in _FLAGS:
                read_flag(name, value)
        elif not (known and annotating.is_annotation(name)):
            there = ", ".join((*known, "annotation.KEY")) if known else "none but dest"
            raise UsageError(f"The output type={output.type} has no attribute “{name}”.", hint=f"it has {there}")
    read_packing(output.attributes)
    is_push(output)
    names_of(output, ())
    return output


def describe(output: Output, names: tuple[Reference, ...]) -> str:
    """What progress calls an output of an image with these names."""
    if is_push(output):
        return f"push {', '.join(name.familiar for name in names_of(output, names))}"
    if output.type == "load" or (output.type == "docker" and not output.destination):
        return "load into the daemon of Docker, else of Podman"
    return f"exporting to {output.type} {output.destination}".rstrip()


def is_push(output: Output) -> bool:
    """Whether an output goes to a registry: ``type=registry``, or ``type=image,push=true``."""
    if output.type not in ("image", "registry"):
        return False
    return read_flag("push", dict(output.attributes).get("push", str(output.type == "registry")))


def names_of(output: Output, names: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """The names that an image has in an output: its ``name``, several separated by commas, else the image's own.

    Without tags where it is pushed by digest.
    """
    given = dict(output.attributes).get("name", "")
    found = tuple(Reference.parse(name.strip()) for name in given.split(",")) if given else names
    if has_flag(output, "push-by-digest"):
        return tuple(dict.fromkeys(msgspec.structs.replace(name, tag="") for name in found))
    return found


def names_to_give(outputs: Sequence[Output], names: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """The names that an image gets where the engine keeps images: its own, and those of ``type=image,name=…`` and
    ``type=docker,name=…``, which are about such places."""
    more = (name for output in outputs if output.type in ("image", "load") for name in names_of(output, ()))
    return tuple(dict.fromkeys((*names, *(name for name in more if name.tag))))


def has_flag(output: Output, name: str) -> bool:
    """Whether an attribute that is false by default is true."""
    return read_flag(name, dict(output.attributes).get(name, "false"))


def rewrites_times(outputs: Sequence[Output]) -> bool:
    """Whether a build is to rewrite the times of what it adds (``rewrite-timestamp``).

    A build has one image, which all outputs get.  So ``UsageError`` is raised where they disagree.
    """
    said = {value for output in outputs for value in _rewrites(output)}
    if len(said) > 1:
        raise UsageError(
            "One output has rewrite-timestamp=true, and another one false, but a build has one image.",
            hint="say the same of both, or build twice: all steps are cached",
        )
    return True in said


def _rewrites(output: Output) -> list[bool]:
    return [read_flag(name, value) for name, value in output.attributes if name == _REWRITE]


def annotated(output: Output, more: Iterable[Iterable[Annotation]]) -> Output:
    """An output with more annotations, where it has manifests; its own are stronger."""
    if output.type not in _ATTRIBUTES:
        return output
    attributes = dict(annotating.attribute(each) for group in more for each in group)
    own = {annotating.read(*each) for each in output.attributes if annotating.is_annotation(each[0])}
    for each in own:
        attributes.pop(annotating.attribute(each)[0], None)
    return msgspec.structs.replace(output, attributes=(*output.attributes, *attributes.items()))


def check_annotations(more: Sequence[object], outputs: Sequence[Output]) -> None:
    """Raise ``UsageError`` for annotations where no output writes a manifest that could have them."""
    if more and not any(output.type in _WITH_MANIFESTS for output in outputs):
        raise UsageError(
            "--annotation needs an output that writes a manifest.",
            hint="add --push, or -o type=oci,dest=FILE; what is only in a store has labels (--label)",
        )


def check_platforms(outputs: Sequence[Output], count: int) -> None:
    """Raise ``UsageError`` for an output that has no room for images of so many platforms, and for annotations of an
    index where there is none: an image for one platform has no index."""
    for output in outputs:
        nowhere = annotating.of_indexes(read_packing(output.attributes).annotations)
        if nowhere and count < 2:
            raise UsageError(
                f"There is no {nowhere[0].place} to annotate with “{nowhere[0].key}”: the image is for one platform.",
                hint="annotate the manifest: annotation.KEY=VALUE",
            )
        if count > 1 and output.type in ("docker", "load"):
            what = "An archive of Docker's" if output.destination else "A daemon (--load)"
            raise UsageError(
                f"{what} takes an image for one platform, and there are {count}.",
                hint="write type=oci,dest=FILE, or push; or build for one --platform",
            )


def read_packing(attributes: Sequence[tuple[str, str]], *, default: Compression = "gzip") -> Packing:
    """The packing that an output's attributes describe; others are passed over.

    Raises ``UsageError`` for a value that there is not.
    """
    given = {name: value for name, value in attributes if name in _PACKING}
    found = tuple(annotating.read(name, value) for name, value in attributes if annotating.is_annotation(name))
    compression = given.get("compression", default)
    if compression not in COMPRESSIONS:
        raise UsageError(f"“{compression}” is not a compression.", hint=f"choose one of {', '.join(COMPRESSIONS)}")
    is_oci = read_flag("oci-mediatypes", given.get("oci-mediatypes", "true"))
    if not is_oci and (compression == "zstd" or found):
        what = "annotations" if found else "layers in zstd"
        raise UsageError(f"Docker's media types know no {what}.", hint="leave oci-mediatypes=false out")
    return Packing(
        compression=compression,
        level=_level(given.get("compression-level", ""), compression),
        is_forced=read_flag("force-compression", given.get("force-compression", "false")),
        is_oci=is_oci,
        annotations=found,
        is_given=bool(given or found),
    )


def read_flag(name: str, value: str) -> bool:
    """A yes or no as an attribute's value; raises ``UsageError``."""
    if value.lower() in ("true", "1", ""):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise UsageError(f"{name}={value} is neither true nor false.")


def _level(text: str, compression: str) -> int | None:
    if not text:
        return None
    levels = _LEVELS.get(compression, range(0))
    if not text.isdigit() or int(text) not in levels:
        there = f"it has {levels[0]} to {levels[-1]}" if levels else "it has none"
        raise UsageError(f"compression-level={text}: {compression} has no such level.", hint=there)
    return int(text)
