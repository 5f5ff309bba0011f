"""Numbers, times and foreign text as people read them, in a terminal and on the page."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TENTHS_BELOW_S = 10
_KILO = 1000
_UNITS = ("kB", "MB", "GB", "TB")


def size(size_bytes: int | None) -> str:
    """Bytes in decimal units, as Planet and disks count them: `1.2 MB`; an unknown size is a dash."""
    if size_bytes is None:
        return "-"
    if size_bytes < _KILO:
        return f"{size_bytes} B"
    value, power = size_bytes / _KILO, 0
    while round(value, 1) >= _KILO and power < len(_UNITS) - 1:
        value, power = value / _KILO, power + 1
    return f"{value:.1f} {_UNITS[power]}"


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`."""
    seconds = max(0.0, seconds)
    if seconds < _TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def age(when: datetime, now: datetime | None = None) -> str:
    """How long ago something was: `3 min 05 s ago`; clocks that differ never make it the future."""
    return f"{duration(((now or datetime.now(UTC)) - when).total_seconds())} ago"


def instant(when: datetime) -> str:
    """A date and time on this machine's clock, with its offset: `2026-11-22 20:01:02 +0100`."""
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S %z}"


def clock_time(when: datetime) -> str:
    """The time of day on this machine's clock."""
    return f"{when.astimezone():%H:%M:%S}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A count with its noun: `1 run`, `2 runs`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def sentence(text: str) -> str:
    """An error's words as a sentence: a capital at its start, a full stop at its end."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def one_line(text: str) -> str:
    """Text from elsewhere as one line that cannot steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
