"""Places: what is counted is how many are held at once, not how many were taken in a second."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from planet_sdk.limits import RequestKind
from worker.budget.rates import Limit
from worker.budget.turns import UNUSED_S, Turns
from worker.claims import script_source

_ASK_EVERY_S = 0.2  # while all places are taken


class Places(Turns):
    """So many places in the whole fleet, each held from the moment it is taken until it is given back.

    A place is a turn that never departs: turns that are pending count in full. It is kept by a sign of life, so that
    the places of a killed process are given to others after ten seconds.
    """

    def __init__(self, redis: Redis, account: str, kind: RequestKind, number: int) -> None:
        super().__init__(redis, account, kind, (Limit(number, _ASK_EVERY_S),))
        self._keep = redis.register_script(script_source("keep_places"))
        self._held: set[int] = set()
        self._keeping: asyncio.Task[None] | None = None

    async def take(self, owner: str, waited_s: float) -> tuple[int, float]:
        """Ask for a place; as `Turns.take`."""
        place, wait_s = await super().take(owner, waited_s)
        if place:
            self._held.add(place)
            if self._keeping is None or self._keeping.done():
                self._keeping = asyncio.create_task(self._keep_all())
        return place, wait_s

    def note(self, turn: int, what: str) -> None:
        """Give the place back, without waiting for it."""
        self._held.discard(turn)
        super().note(turn, what)

    async def aclose(self) -> None:
        """As `Turns.aclose`."""
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await super().aclose()

    async def _keep_all(self) -> None:
        while True:
            await asyncio.sleep(UNUSED_S / 3)
            if not self._held:
                return
            await self._tell(self._keep(keys=[self._pending, self._state], args=[self._life_ms, *self._held]))
