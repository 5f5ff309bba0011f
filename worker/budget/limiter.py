"""The fleet's request budget: one account's requests by kind, whoever in the fleet sends them.

Planet counts requests by API key, so the count is kept where all workers see it: in Redis, by its clock. A turn is
given to one process at a time, in order of asking, the urgent sooner. It counts from the moment its request departs, so
that no window of the server's ever sees more than the limit. While Redis is away, each process keeps to its share; on
the way there and back it sends nothing for longer than a window, so that the two counts do not add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from hashlib import sha256

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

_ASK_AGAIN_S = 0.25  # whether the fleet's count is within reach again; all of a fleet know it about then
_PAST_S = 1.5  # until what all have sent alone is out of every window of a second


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
        self._owner = owner
        self._share: LocalLimiter | None = None  # while the fleet's count is out of reach
        self._coming_back: asyncio.Task[None] | None = None
        self._in_line_alone: set[asyncio.Timeout] = set()

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for this request's turn in the fleet, and hold one of this process's places while inside."""
        return self._hold(kind)

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """Let nothing of this kind pass in the whole fleet for `delay_s` seconds, and lower its pace."""
        if self._share:
            self._share.pause(kind, delay_s)
        if kind in self._turns:
            self._turns[kind].refused(delay_s)

    async def aclose(self) -> None:
        """Stop asking, once nobody waits any more; the connection to Redis is the caller's."""
        if self._coming_back:
            self._coming_back.cancel()
            await asyncio.wait([self._coming_back])
        for line in self._lines.values():
            await line.aclose()

    @asynccontextmanager
    async def _hold(self, kind: RequestKind) -> AsyncIterator[Turn | None]:
        async with AsyncExitStack() as held:
            yield await self._take_turn(kind, held) if kind in self._lines else None

    async def _take_turn(self, kind: RequestKind, held: AsyncExitStack) -> Turn | None:
        """Wait for a turn, of the fleet's or of the own share, whichever counts when it comes."""
        while True:
            if self._share:
                if own_turn := await self._turn_alone(self._share, kind, held):
                    return own_turn
                continue
            line = self._lines[kind]
            try:
                turn = _FleetTurn(line, await line.wait())
            except REDIS_AWAY as error:
                self._go_alone(error)
                continue
            held.callback(turn.end)
            return None if kind is RequestKind.BODY else turn

    async def _turn_alone(self, share: LocalLimiter, kind: RequestKind, held: AsyncExitStack) -> Turn | None:
        """Wait for a turn of the own share; None where the fleet's count is within reach before it comes."""
        try:
            async with asyncio.timeout(None) as wait:
                self._in_line_alone.add(wait)
                return await held.enter_async_context(share.slot(kind))
        except TimeoutError:
            return None
        finally:
            self._in_line_alone.discard(wait)

    def _go_alone(self, error: BaseException) -> None:
        if self._share:  # another request has found out before
            return
        workers = max([1, *(turns.workers for turns in self._turns.values())])
        log.warning("request budget not shared, Redis is away", share=f"1/{workers}", error=str(error))
        self._share = self._own_share(workers)
        self._hold_off(self._share, _PAST_S)  # what the fleet sent just now still counts
        self._coming_back = asyncio.create_task(self._come_back(self._share), name="budget comes back")

    def _hold_off(self, share: LocalLimiter, delay_s: float) -> None:
        for kind in self._rates:
            share.pause(kind, delay_s)

    async def _come_back(self, share: LocalLimiter) -> None:
        """Return to the fleet's count as soon as it is within reach, and what was sent alone is past."""
        while not await self._is_within_reach():  # noqa: ASYNC110 — nothing here is told when Redis is back
            await asyncio.sleep(_ASK_AGAIN_S)
        self._hold_off(share, 2 * _PAST_S)  # it gives out no more turns
        await asyncio.sleep(_PAST_S)
        self._share = None
        log.info("request budget shared with the fleet again")
        for wait in self._in_line_alone:
            wait.reschedule(asyncio.get_running_loop().time())

    async def _is_within_reach(self) -> bool:
        """Whether Redis takes a write: one that may only be read, or is still loading, keeps no count."""
        try:
            await next(iter(self._turns.values())).leave(self._owner)
        except REDIS_AWAY:
            return False
        return True

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
