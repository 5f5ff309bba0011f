"""Logs, configured in one place: everything that is logged comes out once, in one form, without secrets.

Our own events (structlog) and those of libraries (`logging`) take the same way: what `structlog.contextvars` has bound
(run_id, order_id, stage, worker), time, level, traceback, then the `Redactor`, then JSON lines or a console.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a cached logger would keep the level of an earlier call
    )
    renderer: Processor = _console_renderer(colors=colors) if console else _json_renderer()
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _RedactEvent(Redactor(secrets)),
                remember_line,
                *([_escape_line_breaks] if console else []),
                renderer,
            ],
        )
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


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False)


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
