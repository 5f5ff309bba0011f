"""How many requests a second, and how many at once: the limiter as an object.

A Session asks its limiter before every request it sends. The one here serves one process; a fleet passes one that
shares its budget, which is why this is a protocol and not a class to inherit from.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol


class RequestKind(StrEnum):
    """What a request is for, as Planet counts it; each kind has its own budget.

    The published limits are requests per second and API key: docs.planet.com, "Orders API", read 2026-11.
    """

    CREATE = "create"  # 3/s
    GET = "get"  # 3/s
    LIST = "list"  # 3/s
    CANCEL = "cancel"  # 3/s
    BULK_CANCEL = "bulk_cancel"  # 5/s
    STATS = "stats"  # 5/s
    LINK = "link"  # 5/s: the download endpoint, which redirects to storage
    SPEC = "spec"  # 10/s
    AUTH = "auth"
    DATA = "data"  # 10/s: search and the rest of the Data API
    ACTIVATE = "activate"  # 5/s
    BODY = "body"  # storage: no rate, but a number at once
    OTHER = "other"  # 10/s


class Turn(Protocol):
    """The right to send one request."""

    def departed(self) -> None:
        """The request goes out now: what follows keeps its distance from here, not from when the turn was given.

        Between the two lies a new connection's handshake, or a busy moment of the event loop.
        """


class Limiter(Protocol):
    """What a Session asks before it sends."""

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for this request's turn; hold the slot, until its body has been read, by staying inside.

        A limiter that does not care when requests really depart yields None.
        """

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """Let nothing of this kind pass for `delay_s` seconds, because the server said so."""


# Requests in any one second; a kind that is missing has no rate.
PLANET_RATES: Mapping[RequestKind, float] = MappingProxyType(
    {
        RequestKind.CREATE: 3,
        RequestKind.GET: 3,
        RequestKind.LIST: 3,
        RequestKind.CANCEL: 3,
        RequestKind.BULK_CANCEL: 5,
        RequestKind.STATS: 5,
        RequestKind.LINK: 5,
        RequestKind.SPEC: 10,
        RequestKind.AUTH: 5,
        RequestKind.DATA: 10,
        RequestKind.ACTIVATE: 5,
        RequestKind.OTHER: 10,
    }
)

MAX_ACTIVE = 50

# The server counts arrivals, we count departures: two requests may come closer together than they left.
WINDOW_S = 1.05


class LocalLimiter:
    """A limiter for one process: turns in order of arrival, no more than a kind's rate in any one second.

    Bodies from storage have slots of their own, so that downloads do not use up the API's.

    Args:
        rates: requests a second by kind, also less than one; a kind that is missing, or 0, has no rate.
        max_active: API requests in flight at once, of all kinds together; 0 for no bound.
        max_bodies: bodies being read at once; 0 for no bound. A Session bounds its own (`max_transfers`); this
            one is for several Sessions that share a limiter.
        clock, sleep: where time comes from; tests pass their own.
    """

    def __init__(
        self,
        rates: Mapping[RequestKind, float] = PLANET_RATES,
        max_active: int = MAX_ACTIVE,
        max_bodies: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gates = {kind: _Gate(rates.get(kind, 0), clock, sleep) for kind in RequestKind}
        self._active = _places(max_active)
        self._bodies = _places(max_bodies)

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for this request's turn and hold a place while inside; a cancelled wait leaves nothing behind."""
        return self._hold(self._gates[kind], self._bodies if kind is RequestKind.BODY else self._active)

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """Let nothing of this kind pass for `delay_s` seconds; a longer pause that is under way stays."""
        self._gates[kind].pause(delay_s)

    @asynccontextmanager
    async def _hold(self, gate: _Gate, places: asyncio.Semaphore | None) -> AsyncIterator[Turn]:
        turn = await gate.enter(places)
        try:
            yield turn
        finally:
            turn.departed()
            if places:
                places.release()


class _Turn:
    """When its request departed; until then it counts as departing right now."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._at = clock, None

    _at: float | None

    @property
    def at(self) -> float:
        return self._clock() if self._at is None else self._at

    def departed(self) -> None:
        if self._at is None:
            self._at = self._clock()


class _Gate:
    """One kind's turnstile: one waiter at a time looks at the clock, the others queue behind it."""

    def __init__(self, rate: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._turnstile = asyncio.Lock()  # wakes waiters in order
        self._most = max(1, int(rate)) if rate > 0 else 0
        self._window_s = WINDOW_S * max(1.0, 1 / rate) if rate > 0 else 0.0
        self._last: list[_Turn] = []  # as many as one window may see
        self._closed_until = float("-inf")
        self._clock, self._sleep = clock, sleep

    async def enter(self, places: asyncio.Semaphore | None) -> _Turn:
        async with self._turnstile:
            await self._wait_for_turn()
            if places:
                await places.acquire()
            try:
                await self._wait_for_turn()  # a pause may have begun while there was no place
            except BaseException:
                if places:
                    places.release()
                raise
            return self._give_turn()

    def _give_turn(self) -> _Turn:
        turn = _Turn(self._clock)
        if self._most:
            if len(self._last) == self._most:
                self._last.remove(self._earliest())
            self._last.append(turn)
        return turn

    async def _wait_for_turn(self) -> None:
        while (wait_s := self._opens_at() - self._clock()) > 0:
            await self._sleep(wait_s)

    def _opens_at(self) -> float:
        if not self._most or len(self._last) < self._most:
            return self._closed_until
        return max(self._closed_until, self._earliest().at + self._window_s)

    def _earliest(self) -> _Turn:
        return min(self._last, key=lambda turn: turn.at)

    def pause(self, delay_s: float) -> None:
        self._closed_until = max(self._closed_until, self._clock() + delay_s)


def _places(number: int) -> asyncio.Semaphore | None:
    return asyncio.Semaphore(number) if number > 0 else None
