"""Which trace a request is submitted in, as its run carries it from process to process: W3C's `traceparent`.

It is that of a producer who uses OpenTelemetry, or of one who sent it as a header. Nothing of OpenTelemetry is loaded
for it: whoever has a trace has loaded it already.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["current_traceparent", "in_trace"]

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_given: ContextVar[str | None] = ContextVar("traceparent", default=None)


@contextmanager
def in_trace(traceparent: str | None) -> Iterator[None]:
    """Have what is submitted in this block belong to a trace; one that cannot be read is none."""
    known = traceparent and _FORM.fullmatch(traceparent)
    token = _given.set(f"00-{traceparent[3:55]}" if traceparent and known else None)
    try:
        yield
    finally:
        _given.reset(token)


def current_traceparent() -> str | None:
    """The trace that this task is in, and the span; None where there is none."""
    return _given.get() or _of_opentelemetry(sys.modules.get("opentelemetry.trace"))


def _of_opentelemetry(api: Any) -> str | None:
    if api is None:
        return None
    span = api.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
