"""What a run of a builder depends on, as it is kept to explain why a builder is run again (``engines.explaining``)."""

from __future__ import annotations

import msgspec

from ..engines.base import Built, Settings
from ..engines.explaining import Facts, Miss, digest, sorted_out, told
from ..request import BuildRequest
from ..store.traces import Traces

_TEXT = "run the builder"


def emit_miss(traces: Traces, built: Built, request: BuildRequest, settings: Settings, key: str) -> Miss:
    """The miss of the run of a builder that has this key."""
    site = (request.place, str(built.level), str(settings.platform), _TEXT)
    return Miss(traces, site=site, slot="emit", key=key, facts=_facts(built, request, settings))


def _facts(built: Built, request: BuildRequest, settings: Settings) -> Facts:
    config = msgspec.structs.asdict(built.config.config)
    environment = dict(told(item).partition("=")[::2] for item in config.pop("env") or ())
    asked = (("command after “--”", request.command), ("network", settings.network))
    of_config = (
        (name.replace("_", " "), value) for name, value in msgspec.to_builtins(config, builtin_types=(tuple,)).items()
    )
    options, digests = sorted_out((*asked, *of_config))
    return Facts(
        text=_TEXT,
        environment=environment,
        options=options,
        digests={**digests, "image": digest(built.key)},
    )
