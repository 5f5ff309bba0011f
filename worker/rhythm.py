"""When to look next: soon while things change, ever more rarely while nothing does, at once when somebody asks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic

_GROWTH = 1.5


class Rhythm:
    """The pauses between looks.

    Args:
        quick_s, slow_s: the shortest and the longest pause of its own accord.
        apart_s: between two looks, however often somebody asks.
    """

    def __init__(self, quick_s: float, slow_s: float, apart_s: float) -> None:
        self._quick_s, self._slow_s, self._apart_s = quick_s, slow_s, apart_s
        self._pause_s = quick_s
        self._last = monotonic() - slow_s
        self._is_asked = False
        self._news = asyncio.Event()

    async def turn(self) -> None:
        """Return when the next look's turn has come."""
        while (left_s := self._next_at() - monotonic()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()
        self._is_asked = False
        self._last = monotonic()

    def ask(self) -> None:
        """Somebody knows that there is something to be seen."""
        self._is_asked = True
        self._news.set()

    def quicken(self) -> None:
        """Something has changed, or is about to."""
        self._pause_s = self._quick_s
        self._news.set()

    def slow_down(self) -> None:
        """Nothing has changed."""
        self._pause_s = min(self._slow_s, self._pause_s * _GROWTH)

    def _next_at(self) -> float:
        return self._last + (self._apart_s if self._is_asked else self._pause_s)
