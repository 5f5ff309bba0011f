"""The last log lines of a job in hand: kept in memory, and written down with its run only if it fails."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from structlog.typing import EventDict, WrappedLogger

__all__ = ["Tail", "as_lines", "collect_lines", "remember_line"]

_MOST_LINES = 50
_MOST_CHARACTERS = 32_000  # of all lines of one failure
_VALUE_CHARACTERS = 2_000  # of one value: a traceback keeps its end

Tail = deque[EventDict]

_tail: ContextVar[Tail | None] = ContextVar("log_tail", default=None)


@contextmanager
def collect_lines() -> Iterator[Tail]:
    """Remember what is logged inside, also by tasks and threads that are started there: the last fifty lines."""
    lines: Tail = deque(maxlen=_MOST_LINES)
    token = _tail.set(lines)
    try:
        yield lines
    finally:
        _tail.reset(token)


def remember_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that stands behind the one that takes secrets out."""
    lines = _tail.get()
    if lines is not None:
        lines.append(dict(event))  # a renderer takes its event apart
    return event


def as_lines(events: Iterable[EventDict]) -> tuple[str, ...]:
    """The events as JSON lines, the oldest first; where they are too long together, the last of them."""
    lines = [json.dumps({name: _shortened(value) for name, value in event.items()}, default=str) for event in events]
    room, kept = _MOST_CHARACTERS, 0
    for line in reversed(lines):
        room -= len(line)
        if room < 0:
            break
        kept += 1
    return tuple(lines[len(lines) - kept :])


def _shortened(value: Any) -> Any:
    return f"…{value[-_VALUE_CHARACTERS:]}" if isinstance(value, str) and len(value) > _VALUE_CHARACTERS else value
