"""Times as they are typed: `2h`, `7d`, `1h30m`, or an instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from worker.cli.exits import CommandError

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_span(text: str, option: str) -> timedelta:
    """A span of time: numbers with s, m, h, d or w behind them; a bare number is seconds.

    Raises:
        CommandError: it is none, or is not more than zero.
    """
    written = text.strip()
    written += "s" if written.isdecimal() else ""
    parts = _PART.findall(written) if _SPAN.fullmatch(written) else []
    try:
        span = sum((timedelta(**{_UNITS[unit.lower()]: float(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        span = timedelta()
    if not span:
        raise CommandError(f"{option}: {text!r} is no span of time; write for example 90m, 2h or 7d")
    return span


def read_deadline(text: str, now: datetime | None = None) -> datetime:
    """When to give up: a span from now, or an instant with its time zone.

    Raises:
        CommandError: it is neither, or is past.
    """
    now = now or datetime.now(UTC)
    try:
        deadline = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return now + read_span(text, "--deadline")
        except OverflowError as error:
            raise CommandError(f"--deadline: {text!r} is too far away") from error
    if deadline.tzinfo is None:
        raise CommandError(f"--deadline: {text!r} has no time zone; add Z for UTC, or an offset such as +01:00")
    if deadline <= now:
        raise CommandError(f"--deadline: {text!r} is past already")
    return deadline
