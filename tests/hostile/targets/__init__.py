"""What reads bytes from elsewhere: one function each, which lets nothing but an error of ours pass over, and returns.

Property tests and the fuzzer (``scripts/fuzz.py``) call them with anything.  Memory and time are bounded from outside.
"""

from __future__ import annotations

from typing import Final

from hostile.targets import answers, documents, languages, store, streams
from hostile.targets.guard import Target

_ALL: Final[tuple[Target, ...]] = (
    streams.tar, streams.context, streams.layer, streams.toc, streams.archive,
    documents.documents, documents.cache, documents.docker_config, documents.config,
    answers.challenge, answers.token, answers.headers, answers.answer,
    languages.dockerfile, languages.word, languages.ignored, languages.names, languages.location, languages.option,
    store.record, store.trace, store.listing,
)  # fmt: skip

TARGETS: Final[dict[str, Target]] = {each.__name__: each for each in _ALL}
