"""The judge: are two saved images the same, entry by entry and field by field?

    PYTHONPATH=tests python tests/peers/compare.py EXPECTED.tar GOT.tar

Times and the texts of the history are not compared; which steps of the history made no layer is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from peers.archive import SavedImage, read_image
from peers.tree import Node, Tree, hard_links

_IMAGE_FIELDS = ("architecture", "os", "variant", "author")
_CONFIG_FIELDS = (
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
)


class Difference(msgspec.Struct, frozen=True):
    """``where`` is ``/a/path``, ``config Env`` or ``image os``; ``what`` says what was expected there and what is."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def compare(expected: Path, got: Path) -> list[Difference]:
    """All differences between two archives, the files' first; empty when they hold the same image."""
    return differences(read_image(expected), read_image(got))


def differences(left: SavedImage, right: SavedImage) -> list[Difference]:
    """The same of two images that are read already."""
    return [*_tree_differences(left.tree, right.tree), *_config_differences(left, right)]


def _tree_differences(expected: Tree, got: Tree) -> Iterator[Difference]:
    expected_links, got_links = hard_links(expected), hard_links(got)
    for path in sorted(expected.keys() | got.keys()):
        left, right, where = expected.get(path), got.get(path), f"/{path}"
        if left is None or right is None:
            # An archive need not mention the root directory.
            if path:
                yield Difference(where, "is missing" if right is None else f"should not be there ({_describe(right)})")
            continue
        if _facts(left) != _facts(right):
            yield Difference(where, f"expected {_describe(left)}, got {_describe(right)}")
        if expected_links.get(path) != got_links.get(path):
            yield Difference(where, f"expected {_group(expected_links, path)}, got {_group(got_links, path)}")


def _config_differences(expected: SavedImage, got: SavedImage) -> Iterator[Difference]:
    for field in _IMAGE_FIELDS:
        yield from _field(f"image {field}", expected.config.get(field), got.config.get(field))
    for field in _CONFIG_FIELDS:
        left, right = expected.config["config"].get(field), got.config["config"].get(field)
        yield from _field(f"config {field}", left, right)
    yield from _field("image history (steps without a layer)", _empty_steps(expected), _empty_steps(got))


def _field(where: str, expected: Any, got: Any) -> Iterator[Difference]:
    # Absent, null and empty are one and the same to every reader of a config.
    if (expected or None) != (got or None):
        yield Difference(where, f"expected {expected!r}, got {got!r}")


def _empty_steps(image: SavedImage) -> list[bool]:
    return [bool(step.get("empty_layer")) for step in image.config.get("history", [])]


def _facts(node: Node) -> tuple[object, ...]:
    # The mode of a symbolic link means nothing, and writers of tars disagree on it.
    mode = 0 if node.kind == "symlink" else node.mode
    return node.kind, mode, node.uid, node.gid, node.content, node.xattrs


def _describe(node: Node) -> str:
    content = node.content[:12] if node.kind == "file" else node.content
    xattrs = f" {node.xattrs}" if node.xattrs else ""
    return f"{node.kind} {node.mode:04o} {node.uid}:{node.gid} {content}".rstrip() + xattrs


def _group(links: dict[str, tuple[str, ...]], path: str) -> str:
    return "one file with " + ", ".join(f"/{other}" for other in links[path]) if path in links else "a file of its own"


def main(arguments: list[str]) -> int:
    """Print the differences; 0 when there are none, 1 otherwise."""
    found = compare(Path(arguments[0]), Path(arguments[1]))
    for difference in found:
        print(difference)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
