"""The fleet's request budget: one account's requests by kind, whoever in the fleet sends them.

Planet counts requests by API key, so the count is kept where all workers see it: in Redis, by its clock. A turn is
given to one process at a time, in order of asking, the urgent sooner. It counts from the moment its request departs, so
that no window of the server's ever sees more than the limit. While Redis is away, each process keeps to its share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from time import monotonic

import structlog
from redis.asyncio import Redis

from planet_sdk import Auth
from planet_sdk.auth import AuthType
from planet_sdk.limits import MAX_ACTIVE, LocalLimiter, RequestKind, Turn
from worker.budget.places import Places
from worker.budget.rates import PUBLISHED, Rates
from worker.budget.turns import Line, Turns
from worker.claims import REDIS_AWAY

log = structlog.get_logger(__name__)

_ALONE_S = 5.0  # before Redis is asked again


def account_of(api_url: str, auth: AuthType) -> str:
    """The name under which an account's requests are counted; it does not tell the key."""
    credentials = auth.to_dict() if isinstance(auth, Auth) else {}
    account = credentials.get("client_id") or credentials.get("key", "")
    return sha256(f"planet-orders budget {api_url} {account}".encode()).hexdigest()[:16]


class FleetLimiter:
    """A limiter for all processes of a fleet that use one account; pass it to Session.

    Args:
        redis: where the fleet keeps its count; better one that does not repeat commands for long.
        account: from account_of().
        owner: this process's name in the line.
        rates: limits by kind of request; a kind that is missing has none.
        max_active: API requests in flight at once in this process, of all kinds together.
        max_bodies: files being fetched at once in the whole fleet; 0 for no bound.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        account: str,
        owner: str,
        rates: Rates = PUBLISHED,
        max_active: int = MAX_ACTIVE,
        max_bodies: int = 0,
    ) -> None:
        self._rates, self._max_active, self._max_bodies = rates, max_active, max_bodies
        self._turns = {kind: Turns(redis, account, kind, limits) for kind, limits in rates.items()}
        places = asyncio.Semaphore(max_active)
        self._lines = {kind: Line(turns, owner, places) for kind, turns in self._turns.items()}
        if max_bodies:
            bodies = self._turns[RequestKind.BODY] = Places(redis, account, RequestKind.BODY, max_bodies)
            self._lines[RequestKind.BODY] = Line(bodies, owner, asyncio.Semaphore(max_bodies))
        self._alone = self._own_share(1)  # made anew each time it is needed
        self._alone_until = 0.0

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for this request's turn in the fleet, and hold one of this process's places while inside."""
        return self._hold(kind)

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """Let nothing of this kind pass in the whole fleet for `delay_s` seconds, and lower its pace."""
        self._alone.pause(kind, delay_s)
        if kind in self._turns:
            self._turns[kind].refused(delay_s)

    async def aclose(self) -> None:
        """Stop asking, once nobody waits any more; the connection to Redis is the caller's."""
        for line in self._lines.values():
            await line.aclose()

    @asynccontextmanager
    async def _hold(self, kind: RequestKind) -> AsyncIterator[Turn | None]:
        if kind not in self._lines:
            yield None
        elif turn := await self._turn_of_the_fleet(self._lines[kind]):
            try:
                yield None if kind is RequestKind.BODY else turn
            finally:
                turn.end()
        else:
            async with self._alone.slot(kind) as own_turn:
                yield own_turn

    async def _turn_of_the_fleet(self, line: Line) -> _FleetTurn | None:
        """Wait for a turn; None while the fleet's count is out of reach."""
        if monotonic() < self._alone_until:
            return None
        try:
            number = await line.wait()
        except REDIS_AWAY as error:
            self._go_alone(error)
            return None
        if self._alone_until:
            self._alone_until = 0.0
            log.info("request budget shared with the fleet again")
        return _FleetTurn(line, number)

    def _go_alone(self, error: BaseException) -> None:
        is_alone_already = self._alone_until > 0
        self._alone_until = monotonic() + _ALONE_S
        if is_alone_already:
            return
        workers = max([1, *(turns.workers for turns in self._turns.values())])
        log.warning("request budget not shared, Redis is away", share=f"1/{workers}", error=str(error))
        self._alone = self._own_share(workers)
        for kind in self._rates:  # what the fleet sent just now still counts
            self._alone.pause(kind, 1.0)

    def _own_share(self, workers: int) -> LocalLimiter:
        slowest = {
            kind: min(limit.requests / limit.period_s for limit in limits) for kind, limits in self._rates.items()
        }
        bodies = max(1, self._max_bodies // workers) if self._max_bodies else 0
        return LocalLimiter({kind: rate / workers for kind, rate in slowest.items()}, self._max_active, bodies)


class _FleetTurn:
    """A turn in hand; it ends once, used or not."""

    def __init__(self, line: Line, number: int) -> None:
        self._line, self._number, self._has_departed = line, number, False

    def departed(self) -> None:
        if not self._has_departed:
            self._has_departed = True
            self._line.departed(self._number)

    def end(self) -> None:
        self._line.end(self._number, departed=self._has_departed)
