"""What an engine can't do is an error before work starts."""

from __future__ import annotations

from typing import Final

from ..errors import UnsupportedError, UsageError
from ..limits import Limits
from .base import Capabilities, Settings
from .privileges import DEVICE, INSECURE

_BY_THE_API: Final = "the engines embedded and podman can, and Docker's classic builder (DOCKER_BUILDKIT=0)"
_BY_BUILDKIT: Final = "the engines embedded and podman can, docker and buildx with BuildKit of Docker 23 or newer"
_LIMITING: Final = {
    "--memory": _BY_THE_API,
    "--cpus": _BY_THE_API,
    "--shm-size": _BY_BUILDKIT,
    "--ulimit": _BY_BUILDKIT,
    **dict.fromkeys(("--pids-limit", "--timeout"), "the embedded engine can"),
}
"""Who can, by the option that somebody can't."""


def check(capabilities: Capabilities, settings: Settings) -> None:
    """Raise ``UnsupportedError`` for the first thing that is asked for and that the engine can't do, and ``UsageError``
    for what none can."""
    name = capabilities.name
    stages = sorted(stage for stage in settings.no_cache_filter if stage != "emit" and not stage.startswith("level:"))
    if stages and not capabilities.stage_filters:
        raise UnsupportedError(
            f"{name} can't do single stages again (--no-cache-filter {','.join(stages)}).",
            hint="use --no-cache, or --no-cache-filter with level:N or emit",
        )
    if (settings.cache_from or settings.cache_to) and not capabilities.caches:
        raise UnsupportedError(
            f"{name} has no cache elsewhere (--cache-from, --cache-to).",
            hint="the engines embedded and buildx have them",
        )
    if settings.explain and not capabilities.explains:
        raise UnsupportedError(
            f"{name} can't say why steps are done again (--explain).", hint="the embedded engine explains"
        )
    _check_privileges(capabilities, settings)
    _check_limits(capabilities, settings.limits)
    _check_times(capabilities, settings)


def _check_limits(capabilities: Capabilities, limits: Limits) -> None:
    for option in limits.asked:
        if option not in capabilities.limits:
            raise UnsupportedError(
                f"{capabilities.name} can't limit what steps use by {option}.",
                hint=f"{_LIMITING[option]}; or limit the daemon, or the builder of buildx, as a whole",
            )


def _check_times(capabilities: Capabilities, settings: Settings) -> None:
    if settings.is_epoch_fixed and not capabilities.epoch:
        raise UnsupportedError(
            f"{capabilities.name} can't give its images the time of SOURCE_DATE_EPOCH.",
            hint="unset it, or use an engine that can: embedded, or docker with BuildKit",
        )
    if settings.rewrites_times and not settings.is_epoch_fixed:
        raise UsageError(
            "rewrite-timestamp=true has no time to rewrite to.",
            hint="set SOURCE_DATE_EPOCH to whole seconds since 1970, e.g. $(git log -1 --pretty=%ct)",
        )
    if settings.rewrites_times and not capabilities.rewrites:
        raise UnsupportedError(
            f"{capabilities.name} can't rewrite times of files in layers (rewrite-timestamp=true).",
            hint="the engine embedded can, and buildx with builders that are no part of a daemon",
        )


def _check_privileges(capabilities: Capabilities, settings: Settings) -> None:
    hint = "use an engine that can: embedded, or docker with BuildKit"
    has_devices = any(text.partition("=")[0] == DEVICE for text in settings.allow)
    wanted = (
        (settings.secrets, capabilities.secrets, "give secrets to steps (--secret)"),
        (settings.ssh, capabilities.ssh, "give an ssh agent to steps (--ssh)"),
        (INSECURE in settings.allow, capabilities.insecure, f"run steps with all privileges (--allow {INSECURE})"),
        (has_devices, capabilities.insecure, f"give devices to steps (--allow {DEVICE})"),
    )
    for is_wanted, is_possible, what in wanted:
        if is_wanted and not is_possible:
            raise UnsupportedError(f"{capabilities.name} can't {what}.", hint=hint)
