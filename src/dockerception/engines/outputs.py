"""What ``-o/--output`` may say: its attributes, those about packing as values.  Checked before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from ..errors import UsageError
from ..reference import Reference
from .base import Output

Compression = Literal["gzip", "zstd", "uncompressed"]
COMPRESSIONS: Final[tuple[Compression, ...]] = ("gzip", "zstd", "uncompressed")
_LEVELS: Final = {"gzip": range(10), "zstd": range(1, 23)}
_ANNOTATION: Final = ("annotation.", "annotation-manifest.")
_PACKING: Final = ("compression", "compression-level", "force-compression", "oci-mediatypes")
_ATTRIBUTES: Final = {
    "oci": ("tar", "compression", "compression-level", "force-compression"),
    "image": ("name", "push", *_PACKING),
    "registry": ("name", "push", *_PACKING),
}


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """What an output says of layers and manifests, as ``docker buildx build`` names it.

    ``is_forced`` compresses layers anew that are compressed otherwise.  ``level`` is the compressor's, None its
    default.  ``is_given`` says whether any of it was asked for.
    """

    compression: Compression = "gzip"
    level: int | None = None
    is_forced: bool = False
    is_oci: bool = True
    annotations: dict[str, str] = {}
    is_given: bool = False


def check(output: Output) -> Output:
    """The output itself; raises ``UsageError`` for an attribute or a value that its type does not have."""
    known = _ATTRIBUTES.get(output.type, ())
    for name, _ in output.attributes:
        if name in known or (known and name.startswith(_ANNOTATION)):
            continue
        there = ", ".join((*known, "annotation.KEY")) if known else "none but dest"
        raise UsageError(f"The output type={output.type} has no attribute “{name}”.", hint=f"it has {there}")
    read_packing(output.attributes)
    is_push(output)
    read_flag("tar", dict(output.attributes).get("tar", "true"))
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
    """Where an output pushes to: its ``name``, several separated by commas, else the image's own names."""
    given = dict(output.attributes).get("name", "")
    return tuple(Reference.parse(name.strip()) for name in given.split(",")) if given else names


def read_packing(attributes: Sequence[tuple[str, str]], *, default: Compression = "gzip") -> Packing:
    """The packing that an output's attributes describe; others are passed over.

    Raises ``UsageError`` for a value that there is not.
    """
    given = {name: value for name, value in attributes if name in _PACKING or name.startswith(_ANNOTATION)}
    compression = given.get("compression", default)
    if compression not in COMPRESSIONS:
        raise UsageError(f"“{compression}” is not a compression.", hint=f"choose one of {', '.join(COMPRESSIONS)}")
    is_oci = read_flag("oci-mediatypes", given.get("oci-mediatypes", "true"))
    annotations = {name.partition(".")[2]: value for name, value in given.items() if name.startswith(_ANNOTATION)}
    if not is_oci and (compression == "zstd" or annotations):
        what = "annotations" if annotations else "layers in zstd"
        raise UsageError(f"Docker's media types know no {what}.", hint="leave oci-mediatypes=false out")
    return Packing(
        compression=compression,
        level=_level(given.get("compression-level", ""), compression),
        is_forced=read_flag("force-compression", given.get("force-compression", "false")),
        is_oci=is_oci,
        annotations=annotations,
        is_given=bool(given),
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
