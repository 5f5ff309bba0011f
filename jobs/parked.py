"""The parked runs: which are due for a look of their own, and which of them belong to given orders.

All of them stay in Redis, whatever their number; what is held here is a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from jobs import keys
from jobs.clock import ServerClock
from jobs.scripts import script

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_FACTS = ["updated_at", "deadline_at", "cancel_requested"]


@dataclass(frozen=True, slots=True)
class DueRun:
    """A parked run whose look is due.

    Attributes:
        due_ms: when it was due: the fence of put_off().
        waited_s: since when it has been parked; None where its record does not say.
        ends_in_s: until its deadline; nothing is left where somebody wants it cancelled.
    """

    run_id: str
    due_ms: float
    waited_s: float | None = None
    ends_in_s: float = inf

    @property
    def has_to_end(self) -> bool:
        """Whether somebody wants it cancelled, or its deadline is past."""
        return self.ends_in_s <= 0


class ParkedRuns:
    """The watch list. Idempotent reads and writes; a run leaves it by being moved, and only so."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._clock = ServerClock(redis)
        self._put_off = script(redis, "put_off")

    async def count(self) -> int:
        """How many runs are parked."""
        number: int = await self._redis.zcard(keys.WATCH)
        return number

    async def due(self, limit: int) -> list[DueRun]:
        """The runs that are due now, the longest due first; two round trips however many."""
        now_ms = await self._clock.now_ms()
        found = await self._redis.zrangebyscore(keys.WATCH, "-inf", now_ms, 0, limit, withscores=True)
        async with self._redis.pipeline(transaction=False) as pipe:
            for run_id, _ in found:
                pipe.hmget(keys.run(run_id.decode()), _FACTS)
            facts = await pipe.execute(raise_on_error=False) if found else []
        return [
            _due_run(run_id.decode(), due, fields, now_ms) for (run_id, due), fields in zip(found, facts, strict=True)
        ]

    async def due_of(self, run_id: str) -> DueRun | None:
        """One run, due or not; None where it is not parked."""
        due_ms = await self._redis.zscore(keys.WATCH, run_id)
        return None if due_ms is None else DueRun(run_id, due_ms)

    async def of_orders(self, order_ids: Sequence[str]) -> dict[str, str]:
        """The parked runs of these orders, by order; two round trips however many, whoever the orders belong to."""
        if not order_ids:
            return {}
        run_ids = await self._redis.mget([keys.order(order_id) for order_id in order_ids])
        ours = {order_id: run_id for order_id, run_id in zip(order_ids, run_ids, strict=True) if run_id}
        if not ours:
            return {}
        places = await self._redis.zmscore(keys.WATCH, list(ours.values()))
        return {
            order_id: run_id.decode()
            for (order_id, run_id), place in zip(ours.items(), places, strict=True)
            if place is not None
        }

    async def put_off(self, checks_in_s: Mapping[DueRun, float]) -> None:
        """Look at these runs so many seconds from now, or at their deadline; not if they were made due meanwhile."""
        if not checks_in_s:
            return
        now_ms = await self._clock.now_ms()
        triples = (
            (run.run_id, run.due_ms, now_ms + round(min(in_s, run.ends_in_s) * 1000))
            for run, in_s in checks_in_s.items()
        )
        await self._put_off(keys=[keys.WATCH], args=[part for triple in triples for part in triple])

    async def forget(self, run_id: str) -> None:
        """Drop an entry that has no run."""
        await self._redis.zrem(keys.WATCH, run_id)


def _due_run(run_id: str, due_ms: float, fields: object, now_ms: int) -> DueRun:
    """What is damaged is due at once: whoever looks at it sets it aside."""
    try:
        updated_at, deadline_at, cancel_requested = fields if isinstance(fields, list) else (None,) * 3
        ends_in_s = (int(deadline_at) - now_ms) / 1000 if deadline_at else inf
        waited_s = (now_ms - int(updated_at)) / 1000 if updated_at else None
        return DueRun(run_id, due_ms, waited_s, 0.0 if cancel_requested else ends_in_s)
    except ValueError:
        return DueRun(run_id, due_ms)
