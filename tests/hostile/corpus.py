"""The hostile corpus, made anew each time: what each target is given, by name.

``python corpus.py TARGET DIRECTORY`` writes it as seeds for the fuzzer, which needs no large ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from hostile import answers, documents, records, tars, texts

Cases = Iterator[tuple[str, bytes]]
LARGEST_SEED: Final = 1 << 14


def _texts(*names: str) -> Callable[[], Cases]:
    return lambda: chain.from_iterable(map(texts.texts, names))


def _all(*parts: Callable[[], Cases]) -> Callable[[], Cases]:
    return lambda: chain.from_iterable(part() for part in parts)


CASES: Final[dict[str, Callable[[], Cases]]] = {
    "tar": tars.tars,
    "context": tars.tars,
    "layer": tars.tars,
    "toc": _all(tars.lists, records.records),
    "archive": documents.archives,
    "documents": documents.documents,
    "cache": _all(records.shared, documents.documents),
    "docker_config": _all(_texts("docker_config"), documents.documents),
    "config": _texts("config"),
    "challenge": _texts("challenge"),
    "token": _all(_texts("token"), documents.documents),
    "headers": _texts("headers"),
    "answer": answers.answers,
    "dockerfile": _texts("dockerfile"),
    "word": _texts("word", "dockerfile"),
    "ignored": _texts("ignored"),
    "names": _texts("names"),
    "location": _texts("location"),
    "option": _texts("option"),
    "record": records.records,
    "trace": records.records,
    "listing": records.listings,
}


def write(target: str, folder: Path) -> None:
    """Write a target's cases into a directory, but for the large ones."""
    for number, (_, data) in enumerate(CASES[target]()):
        if len(data) <= LARGEST_SEED:
            (folder / f"{number:04}").write_bytes(data)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
