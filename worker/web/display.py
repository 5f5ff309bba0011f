"""Numbers, times and sizes in the words of people."""

from __future__ import annotations

from datetime import datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THREE_DIGITS = 100
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def size(size_bytes: float | None) -> str:
    """Bytes in decimal units with at most three digits: 0 B, 1.5 MB, 230 GB; a dash where it is not known."""
    if size_bytes is None:
        return "–"  # noqa: RUF001 — a dash is what a table shows for nothing
    power = min((len(str(int(size_bytes))) - 1) // 3, len(_UNITS) - 1)
    number = size_bytes / 1000**power
    return f"{number:.0f} {_UNITS[power]}" if power == 0 or number >= _THREE_DIGITS else f"{number:.1f} {_UNITS[power]}"


def duration(seconds: float) -> str:
    """A length of time in one or two units: 0.4 s, 12 s, 5 min, 2 h 10 min, 3 d 4 h."""
    if seconds < 1:
        return f"{max(0, seconds):.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    big, small, unit, inner = (_HOUR, _MINUTE, "h", "min") if whole < _DAY else (_DAY, _HOUR, "d", "h")
    rest = whole % big // small
    return f"{whole // big} {unit} {rest} {inner}" if rest else f"{whole // big} {unit}"


def ago(instant: datetime, now: datetime) -> str:
    """How long ago an instant was; clocks that differ never make it the future."""
    seconds = (now - instant).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 job, 1,204 jobs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sentence(text: str) -> str:
    """An error's words as a sentence: a capital at its start, a full stop at its end."""
    return text[:1].upper() + text[1:].rstrip(".") + "."
