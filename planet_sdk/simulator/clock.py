from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MICROSECONDS = 1_000_000
_CENTURY_S = 100 * 366 * 86_400.0
_EPOCH = datetime.fromtimestamp(0, UTC)


class Clock:
    """Time as the simulator sees it: never runs backwards, and can be moved forward by hand.

    Args:
        source: Seconds since the epoch; by default the wall clock at the start, carried on by the monotonic one.
    """

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        anchor_s = time.time() - time.monotonic()
        self._source = source or (lambda: anchor_s + time.monotonic())
        self._ahead_us = 0

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return int(self._source() * MICROSECONDS) + self._ahead_us

    def now_s(self) -> float:
        """Seconds since the epoch."""
        return self.now_us() / MICROSECONDS

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once: orders finish, links expire."""
        if not 0 <= seconds <= _CENTURY_S:
            raise ValueError(f"time only moves forward, by a century at most: {seconds} s")
        self._ahead_us += int(seconds * MICROSECONDS)


def format_time(moment_us: int) -> str:
    """The instant as Planet writes it: UTC, with as many digits of the second as it needs; readers must be lenient."""
    text = as_datetime(moment_us).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def parse_time(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 instant; ValueError when it is none. Without an offset it is UTC."""
    moment = datetime.fromisoformat(text.replace(" ", "+"))  # a "+" that was not escaped in a query arrives as a blank
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except OverflowError as error:
        raise ValueError(f"too far away: {text}") from error


def as_datetime(moment_us: int) -> datetime:
    """The instant as an aware datetime, to the microsecond."""
    seconds, microsecond = divmod(moment_us, MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microsecond)
