"""Turns: the right to send one request, given out in Redis to one process of the fleet at a time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import structlog
from redis.asyncio import Redis

from jobs import keys
from planet_sdk.limits import RequestKind
from worker.budget.rates import Limit
from worker.claims import REDIS_AWAY, script_source

log = structlog.get_logger(__name__)

urgency_s: ContextVar[float] = ContextVar("urgency_s", default=0.0)
"""By how many seconds of waiting the requests of this task go before others'."""

_WINDOW = 1.03  # of a limit's period: departures keep their distance exactly, arrivals nearly
_AHEAD_S = 0.05  # a turn is given so long before its time, that no round trip is lost
UNUSED_S = 10.0  # longer than a request takes to connect; the turns of killed processes count as used after it
# At the earliest, where another's turn is overdue; at the latest, since turns are given back. take_turn.lua knows both.
_ASK_AGAIN_S = 0.02, 1.0
_PACE_MIN = 0.1
_LIFE_MS = 600_000  # of an account's count, after its last request; nothing older than a period matters
_US = 1_000_000


class Turns:
    """The turns of one account and kind of request, as all processes see them.

    Attributes:
        workers: how many workers the fleet had when a turn was last asked for.
    """

    def __init__(self, redis: Redis, account: str, kind: RequestKind, limits: Sequence[Limit]) -> None:
        self._redis = redis
        self._take, self._departed, self._refused = (
            redis.register_script(script_source(name)) for name in ("take_turn", "departed", "refused")
        )
        self._departures, self._pending, self._waiters, self._seen, self._state = (
            keys.budget(account, kind, part) for part in ("departures", "pending", "waiters", "seen", "state")
        )
        self._windows = [part for limit in limits for part in (limit.requests, round(_WINDOW * limit.period_s * _US))]
        self._life_ms = round(max(limit.period_s for limit in limits) / _PACE_MIN * 1000) + _LIFE_MS
        self.workers = 0
        self._notes: set[asyncio.Task[None]] = set()

    async def take(self, owner: str, waited_s: float) -> tuple[int, float]:
        """Ask for a turn.

        Args:
            owner: who asks; one at a time in each process.
            waited_s: for how long it has waited, plus how urgent it is: the line is in this order.

        Returns:
            (turn, seconds to wait before it is used), or (0, seconds before one can be given).
        """
        turn, wait_us, self.workers = await self._take(
            keys=[self._departures, self._pending, self._waiters, self._seen, self._state, keys.WORKERS],
            args=[
                owner,
                round(waited_s * _US),
                round(_AHEAD_S * _US),
                round(UNUSED_S * _US),
                self._life_ms,
                *self._windows,
            ],
        )
        return turn, wait_us / _US

    async def leave(self, owner: str) -> None:
        """Wait no longer."""
        await self._redis.zrem(self._waiters, owner)

    def note(self, turn: int, what: str) -> None:
        """Tell, without waiting for it, that the turn's request has `departed`, or that the turn goes `unused`."""
        self._soon(self._departed(keys=[self._departures, self._pending], args=[turn, what, self._life_ms]))

    def refused(self, pause_s: float) -> None:
        """Tell, without waiting for it, that the server refused a request as one too many."""
        self._soon(self._refused(keys=[self._state], args=[round(pause_s * _US), _PACE_MIN, self._life_ms]))

    async def aclose(self) -> None:
        """Wait until everything noted has been told."""
        await asyncio.gather(*self._notes)

    def _soon(self, command: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._tell(command))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _tell(self, command: Coroutine[Any, Any, Any]) -> None:
        try:
            await command
        except REDIS_AWAY as error:  # a turn whose departure nobody heard of counts as used, a little later
            log.debug("request budget not told, Redis is away", error=str(error))


@dataclass(order=True, slots=True)
class _Waiter:
    since: float  # monotonic, less urgency
    number: int
    turn: asyncio.Future[int] = field(compare=False)


class Line:
    """Those in this process who wait for a turn of one kind; one task asks for all of them, as long as any waits."""

    def __init__(self, turns: Turns, owner: str, places: asyncio.Semaphore) -> None:
        self._turns, self._owner, self._places = turns, owner, places
        self._waiting: list[_Waiter] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def wait(self) -> int:
        """Wait for a turn, and for one of this process's places; a cancelled wait leaves neither behind.

        Raises:
            RedisError, OSError: the fleet's count is out of reach.
        """
        waiter = _Waiter(monotonic() - urgency_s.get(), next(self._numbers), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiter)
        if self._waiting[0] is waiter:
            self._changed.set()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_all())
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._changed.set()
            if waiter.turn.done() and not waiter.turn.cancelled() and not waiter.turn.exception():
                self.end(waiter.turn.result(), departed=False)
            raise

    def end(self, turn: int, *, departed: bool) -> None:
        """Give the place back, and the turn with it if it was not used."""
        self._places.release()
        if not departed:
            self._turns.note(turn, "unused")
            self._changed.set()  # somebody here may have it

    def departed(self, turn: int) -> None:
        """The turn's request goes out now."""
        self._turns.note(turn, "departed")

    async def aclose(self) -> None:
        """Ask no more; nobody waits any longer."""
        if self._asking:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._turns.aclose()

    async def _ask_for_all(self) -> None:
        try:
            while self._first():
                if wait_s := await self._ask():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await self._changed.wait()
                    if not self._first():
                        await self._turns.leave(self._owner)
        except REDIS_AWAY as error:
            while first := self._first():
                first.turn.set_exception(error)

    async def _ask(self) -> float:
        """Hand a turn to the first in line, or return the seconds before it is worth asking again."""
        async with AsyncExitStack() as place:
            await place.enter_async_context(self._places)
            first = self._first()
            if first is None:
                return 0
            self._changed.clear()
            turn, wait_s = await self._turns.take(self._owner, monotonic() - first.since)
            if not turn:
                return min(max(wait_s - _AHEAD_S, _ASK_AGAIN_S[0]), _ASK_AGAIN_S[1])
            await asyncio.sleep(wait_s)
            if first := self._first():
                place.pop_all()  # it goes with the turn
                first.turn.set_result(turn)
            else:
                self._turns.note(turn, "unused")
            return 0

    def _first(self) -> _Waiter | None:
        while self._waiting and self._waiting[0].turn.done():
            heapq.heappop(self._waiting)
        return self._waiting[0] if self._waiting else None
