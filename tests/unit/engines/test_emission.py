"""What is said while a builder is silent."""

from __future__ import annotations

import os

import pytest

from dockerception.engines import emission
from dockerception.errors import EmitTimeoutError
from dockerception.oci.config import ContainerConfig
from dockerception.progress import Event, Notice, StepProgress


class _Hanging:
    """A container that never ends by itself."""

    def wait(self, cancel: emission.Cancel | None) -> emission.Ended:
        return emission.Ended(returncode=137)

    def kill(self) -> None:
        return


@pytest.mark.parametrize("is_server", [True, False])
def test_a_silent_server_is_told_from_a_slow_builder(is_server: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emission, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(emission, "_SAY_WAITING_SECONDS", 0.02)
    monkeypatch.setattr(emission, "_SAY_SERVER_SECONDS", 0.05)
    events: list[Event] = []
    config = ContainerConfig(exposed_ports={"8001/tcp": {}} if is_server else None)
    read_end, write_end = os.pipe()
    log = emission.BuilderLog(events.append, step=7)
    running = emission.PipeEmission(_Hanging(), read_end, log, command="serve", timeout=0.3, config=config)
    with pytest.raises(EmitTimeoutError, match=r"“serve” has been silent for 0\.3 s and has not emitted") as caught:
        running.read(10)
    running.close()
    os.close(write_end)
    assert events[0] == StepProgress(step=7, done_bytes=0, note="waiting for a context")
    notices = [event.text for event in events[1:] if isinstance(event, Notice)]
    assert len(notices) == len(events) - 1 == int(is_server)
    for text in (*notices, caught.value.hint):
        assert ("dockerception assemble" in text) == is_server
