"""Logs, configured in one place: everything that is logged comes out once, in one form, without secrets.

Our own events (structlog) and those of libraries (`logging`) get the same: what `structlog.contextvars` has bound
(run_id, order_id, stage, worker), time, level, traceback, then the `Redactor`, then JSON lines or a console. Ours do
not go through `logging` on their way, which would cost a stage as much as its commit; both end in one handler.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jobs.json_text import to_json
from jobs.redaction import Redactor
from worker.log_tail import remember_line

__all__ = ["configure_logs"]

# Libraries that log every request or every poll: their warnings are news, the rest is not. httpx logs whole URLs, and
# arq the arguments of every job, at INFO.
_TALKATIVE = ("arq", "httpcore", "httpx", "asyncio", "multipart", "watchfiles")
_ROUTED = ("arq", "arq.worker", "planet_sdk", "uvicorn", "uvicorn.access", "uvicorn.error")
_LINE_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\x1b": "\\x1b"})


def configure_logs(
    level: str = "INFO",
    log_format: Literal["auto", "json", "console"] = "auto",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process to one stream; calling it again replaces what was set up before.

    uvicorn must be started with `log_config=None`, or it adds handlers of its own.

    Args:
        level: what is logged from there up; libraries that log every request stay at WARNING unless it is DEBUG.
        log_format: JSON lines, a console for people, or `auto`: a console where the stream is a terminal.
        secrets: values that must never be seen, such as the API key.
        stream: default: stderr.
    """
    output = sys.stderr if stream is None else stream
    console = log_format == "console" or (log_format == "auto" and output.isatty())
    colors = console and output.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Processor] = [
        structlog.processors.format_exc_info,
        _RedactEvent(Redactor(secrets)),
        remember_line,
        *([_escape_line_breaks] if console else []),
        _console_renderer(colors=colors) if console else _json_renderer(),
    ]
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=lambda name="": _Lines(name, handler, rendering),
        cache_logger_on_first_use=False,  # a cached logger would keep the level of an earlier call
    )
    _route_everything_to(handler, level)


def _route_everything_to(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _ROUTED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else "WARNING")
    logging.captureWarnings(capture=True)


class _Lines:
    """Where our own events end: rendered, and written whole. What goes wrong in that is told on stderr, and no more."""

    def __init__(self, name: str, handler: logging.StreamHandler[TextIO], rendering: Sequence[Processor]) -> None:
        self.name, self._handler, self._rendering = name, handler, rendering

    def info(self, **event: Any) -> None:
        try:
            line: Any = event
            for process in self._rendering:
                line = process(self, event["level"], line)
            with self._handler.lock or nullcontext():
                self._handler.stream.write(f"{line}\n")
                self._handler.flush()
        except Exception:  # noqa: BLE001 — as every handler of `logging` has it: no job may fail for its log
            if logging.raiseExceptions and sys.stderr:
                with suppress(OSError):
                    traceback.print_exc(file=sys.stderr)

    debug = warning = error = critical = info


def _json_renderer() -> Processor:
    return lambda _logger, _method, event: to_json(event, str)


def _console_renderer(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


class _RedactEvent:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return self._redactor.mapping(event)


def _escape_line_breaks(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """On a console a line break in a value could pass for a second event; a traceback may have its lines."""
    return {
        name: value.translate(_LINE_BREAKS) if isinstance(value, str) and name not in {"exception", "stack"} else value
        for name, value in event.items()
    }
