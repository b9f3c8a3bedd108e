"""The mounts of a RUN: from what the Dockerfile says to what the sandbox is told, for as long as the RUN takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from ...dockerfile import instructions as ins
from ...errors import UsageError
from ...sandbox.messages import Hidden, Mount
from ...store.mounts import Sharing
from ...store.store import Store
from .. import secrets
from ..base import Secret, Settings
from . import mount_names
from .bound_trees import BoundTrees
from .pending import Stop
from .reading import Bound

_STRICTEST_FIRST: Final[tuple[Sharing, ...]] = ("locked", "private", "shared")
_SECRET_MODE: Final = 0o400
_AGENT_MODE: Final = 0o600
_CACHE_MODE: Final = 0o755


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What a RUN gets besides its layers; ``environment`` is stronger than the image's."""

    mounts: tuple[Mount, ...]
    environment: dict[str, str]


class _Wanted(msgspec.Struct, frozen=True):
    """One mount as it is wanted: where, and what it shows if that comes from elsewhere."""

    mount: ins.Mount
    target: str
    bound: Bound | None


class RunMounts:
    """Makes mounts ready in one store, with the secrets and agents of one build.

    ``fill(directory)`` is called before a cache is used that is not here yet; it may make it.
    """

    def __init__(
        self, store: Store, trees: BoundTrees, settings: Settings, stop: Stop, fill: Callable[[str], None]
    ) -> None:
        self._store = store
        self._trees = trees
        self._fill = fill
        self._secrets = {secret.id: secret for secret in settings.secrets}
        self._agents = {agent.id: agent for agent in settings.ssh}
        self._stop = stop

    @contextmanager
    def ready(self, instruction: ins.Run, bound: Sequence[Bound | None], working_dir: str) -> Iterator[Ready]:
        """What to mount and to set, for the duration of the block.

        Waits for locked caches, which may raise ``StoppedError``.  Raises ``UsageError`` for what is required and was
        not given.
        """
        wanted = [
            _Wanted(mount, mount_names.target(instruction, mount, working_dir), files)
            for mount, files in zip(instruction.mounts, bound, strict=True)
        ]
        socket = mount_names.agent_socket(instruction, working_dir)
        environment = {"SSH_AUTH_SOCK": socket} if socket else {}
        with ExitStack() as held:
            mounts = [each for one in self._with_caches(wanted, held) if (each := self._plain(one, environment))]
            yield Ready(mounts=(*mounts, *_script(instruction)), environment=environment)

    def _with_caches(self, wanted: list[_Wanted], held: ExitStack) -> Iterator[_Wanted | Mount]:
        """``wanted`` with the caches in it taken, each as its mount."""
        names = {number: _cache_name(one) for number, one in enumerate(wanted) if one.mount.type == "cache"}
        # In one order everywhere, each once: RUNs that lock the same caches must not wait for each other, or for
        # themselves, for ever.
        directories = {
            name: held.enter_context(self._store.mounts.use(name, _sharing(name, names, wanted), self._stop.check))
            for name in sorted(set(names.values()))
        }
        for directory in directories.values():
            if not os.path.isdir(directory):
                self._fill(directory)
        for number, one in enumerate(wanted):
            yield self._cache(one, directories[names[number]]) if number in names else one

    def _plain(self, one: _Wanted | Mount, environment: dict[str, str]) -> Mount | None:
        """The mount that is no cache; a secret that is a variable goes into ``environment``."""
        if isinstance(one, Mount):
            return one
        match one.mount.type:
            case "secret":
                return self._secret(one, environment)
            case "ssh":
                return self._agent(one)
            case "tmpfs":
                mount = one.mount
                return Mount(kind="tmpfs", target=one.target, size=mount.size or 0, is_readonly=mount.is_read_only)
        return self._layers(one)

    def _layers(self, one: _Wanted) -> Mount:
        if one.bound is None:
            raise TypeError(f"a mount of the type {one.mount.type} shows files")
        layers, inner = self._trees.stacked(one.bound)
        return Mount(kind="layers", target=one.target, layers=layers, inner=inner, is_readonly=one.mount.is_read_only)

    def _cache(self, one: _Wanted, directory: str) -> Mount:
        mount = one.mount
        layers, inner = ((), "") if one.bound is None or _is_fresh(mount) else self._trees.stacked(one.bound)
        return Mount(
            kind="cache",
            target=one.target,
            source=directory,
            layers=layers,
            inner=inner,
            is_readonly=mount.is_read_only,
            mode=_mode(mount, _CACHE_MODE),
            uid=mount.uid or 0,
            gid=mount.gid or 0,
        )

    def _secret(self, one: _Wanted, environment: dict[str, str]) -> Mount | None:
        mount = one.mount
        name = mount_names.secret_id(mount)
        secret = self._secrets.get(name)
        if secret is None:
            if mount.is_required:
                raise _not_given(f"secret “{name}”", f"--secret id={name},src=FILE, or --secret id={name},env=VARIABLE")
            return None
        value = secrets.read(secret)
        if mount.env:
            environment[mount.env] = _text(value, secret)
        if not one.target:
            return None
        return Mount(
            kind="secret",
            target=one.target,
            content=Hidden(value),
            mode=_mode(mount, _SECRET_MODE),
            uid=mount.uid or 0,
            gid=mount.gid or 0,
        )

    def _agent(self, one: _Wanted) -> Mount | None:
        mount = one.mount
        name = mount_names.ssh_id(mount)
        agent = self._agents.get(name)
        if agent is None:
            if mount.is_required:
                raise _not_given(f"ssh agent “{name}”", f"--ssh {name}, or --ssh {name}=KEY")
            return None
        return Mount(
            kind="agent",
            target=one.target,
            source=secrets.socket_of(agent),
            keys=agent.keys,
            mode=_mode(mount, _AGENT_MODE),
            uid=mount.uid or 0,
            gid=mount.gid or 0,
        )


def _mode(mount: ins.Mount, otherwise: int) -> int:
    """The mode of what a mount makes.  As in BuildKit, the bits above the permissions do not count."""
    return otherwise if mount.mode is None else mount.mode & 0o777


def _script(instruction: ins.Run) -> list[Mount]:
    command = instruction.command
    if not isinstance(command, ins.Script):
        return []
    content = Hidden(command.content.encode(errors="surrogateescape"))
    return [Mount(kind="script", target=command.path, content=content, mode=0o755)]


def _is_fresh(mount: ins.Mount) -> bool:
    """Whether a cache begins empty though it has a ``from``: as in BuildKit, where it is to have an owner or a mode."""
    return not mount.source and any(value is not None for value in (mount.mode, mount.uid, mount.gid))


def _cache_name(one: _Wanted) -> str:
    start = one.bound.digest.hex() if one.bound is not None else ""
    return mount_names.cache(one.mount, one.target, start)


def _sharing(name: str, names: dict[int, str], wanted: Sequence[_Wanted]) -> Sharing:
    """The strictest that a RUN asks of one cache; ``shared`` where it asks nothing."""
    asked = {wanted[number].mount.sharing for number, other in names.items() if other == name}
    return next((sharing for sharing in _STRICTEST_FIRST if sharing in asked), "shared")


def _text(value: bytes, secret: Secret) -> str:
    """A secret as the value of a variable."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(
            f"The secret “{secret.id}” can't be the value of a variable: it is not UTF-8 text, or has a NUL in it.",
            hint="mount it as a file: leave env= out",
        ) from None
    return text


def _not_given(what: str, option: str) -> UsageError:
    return UsageError(f"This step requires the {what}, and it was not given.", hint=f"add {option}")
