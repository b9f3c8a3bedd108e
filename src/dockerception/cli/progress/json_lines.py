"""Progress for programs: one JSON object a line on stderr (docs/reference/progress-json.md is the schema)."""

from __future__ import annotations

import codecs
import json
import threading
import time
from collections.abc import Callable

from ...errors import DockerceptionError
from ...progress import Event, LevelFinished, Notice, StepExplained, StepFinished, StepLog, StepProgress, StepStarted
from ..summary import Summary

_STREAMS = {1: "stdout", 2: "stderr"}


class JsonRenderer:
    """Each event as an object: ``event`` (its kind), ``time`` (seconds since 1970), and the event's own fields."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._decoders: dict[tuple[int, int], codecs.IncrementalDecoder] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            kind, fields = self._fields(event)
            self._object(kind, fields)

    def finish(self, summary: Summary) -> None:
        """The object ``result``, with what ``--metadata-file`` holds."""
        self._object("result", {"metadata": summary.metadata()})

    def fail(self, error: DockerceptionError, log: str) -> bool:
        """The object ``error``; nothing else is to be printed among the objects."""
        self._object(
            "error",
            {
                "code": error.code,
                "exit_code": error.exit_code,
                "message": error.message,
                "details": error.details,
                "hint": error.hint,
                "log": log,
            },
        )
        return True

    def close(self) -> None:
        """Nothing is open."""

    def _fields(self, event: Event) -> tuple[str, dict[str, object]]:
        match event:
            case StepStarted():
                return "step-started", {"step": event.step, "level": event.level, "name": event.name}
            case StepExplained():
                return "step-explained", {
                    "step": event.step,
                    "cause": event.cause,
                    "text": event.text,
                    "paths": event.paths,
                }
            case StepLog():
                text = self._decode(event)
                return "step-log", {"step": event.step, "stream": _STREAMS[event.stream], "text": text}
            case StepProgress():
                return "step-progress", {
                    "step": event.step,
                    "done_bytes": event.done_bytes,
                    "total_bytes": event.total_bytes,
                    "files": event.files,
                    "note": event.note,
                }
            case StepFinished():
                return "step-finished", {
                    "step": event.step,
                    "cached": event.cached,
                    "seconds": round(event.seconds, 6),
                    "error": event.error,
                }
            case Notice():
                return "notice", {"severity": event.severity, "text": event.text}
            case LevelFinished():
                return "level-finished", {
                    "level": event.level,
                    "image": event.image,
                    "size": event.size,
                    "is_last": event.is_last,
                    "cached": event.cached,
                }

    def _decode(self, event: StepLog) -> str:
        """The chunk's text; a character that is cut in two is given with the next chunk."""
        key = (event.step, event.stream)
        if key not in self._decoders:
            self._decoders[key] = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return self._decoders[key].decode(event.data)

    def _object(self, kind: str, fields: dict[str, object]) -> None:
        self._write(json.dumps({"event": kind, "time": round(self._clock(), 6), **fields}) + "\n")
