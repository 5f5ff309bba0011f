"""What Prometheus asks: the whole fleet's metrics, in five round trips however many runs there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from jobs import keys
from jobs.errors import RedisUnavailable
from jobs.run import Stage, State
from jobs.store import RunStore
from planet_sdk.limits import RequestKind
from worker.budget import Rates
from worker.fleet import WATCHER, read_fleet
from worker.metrics import FleetMetrics, Seen
from worker.web.access import is_unchecked
from worker.web.link import Link
from worker.web.problems import REFUSED

_OF_STAGE: Mapping[Stage, Sequence[State]] = {
    Stage.CREATE: (State.QUEUED, State.CREATING),
    Stage.WAIT: (State.WAITING,),
    Stage.DOWNLOAD: (State.DOWNLOADING,),
    Stage.VALIDATE: (State.VALIDATING,),
}
_UNFINISHED = [state for states in _OF_STAGE.values() for state in states]
_NEWEST_BATCHES = 100
_PLAIN = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["probes"])


class Scrapes:
    """Answers Prometheus.

    Args:
        link: to the fleet's Redis.
        rates: what the fleet may send to Planet.
    """

    def __init__(self, link: Link, rates: Rates) -> None:
        self._link = link
        tightest = {kind: min(limit.requests / limit.period_s for limit in limits) for kind, limits in rates.items()}
        self._limits: Mapping[RequestKind, float] = tightest

    async def take(self) -> FleetMetrics:
        """What is known now; without Redis, that it is away."""
        try:
            return FleetMetrics(await self._link.ask(self._look))
        except RedisUnavailable:
            return FleetMetrics(None)

    async def _look(self, store: RunStore) -> Seen:
        redis = store.redis
        seconds, micros = await redis.time()
        now_ms = seconds * 1000 + micros // 1000
        workers = await read_fleet(redis)
        alive = [worker for worker in workers if worker.is_alive]
        in_hand = Counter(job.stage for worker in alive for job in worker.jobs)
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.TALLY)
            pipe.zcount(store.queue, 0, now_ms)  # what waits in the line of creates, below 0, is not late
            pipe.zrangebyscore(store.queue, 0, now_ms, start=0, num=1, withscores=True)
            pipe.zcard(keys.WATCH)
            pipe.zrange(keys.WATCH, 0, 0, withscores=True)
            pipe.exists(keys.lease(WATCHER))
            pipe.zcard(keys.POISON)
            pipe.zrevrange(keys.BATCHES, 0, _NEWEST_BATCHES - 1)
            for state in State:
                pipe.zcard(keys.state(state))
            for state in _UNFINISHED:
                pipe.zrange(keys.state(state), 0, 0, withscores=True)
            answers: Iterator[Any] = iter(await pipe.execute())
        tally, due, first_due, parked, first_parked, duty, set_aside, batch_ids = islice(answers, 8)
        runs = dict(zip(State, islice(answers, len(State)), strict=True))
        ages = dict(zip(_UNFINISHED, (_age_s(first, now_ms) for first in answers), strict=True))
        return Seen(
            runs=runs,
            waiting={stage: max(0, sum(runs[s] for s in each) - in_hand[stage]) for stage, each in _OF_STAGE.items()},
            oldest_s={stage: max(ages[state] for state in states) for stage, states in _OF_STAGE.items()},
            in_hand=in_hand,
            due=due,
            oldest_due_s=_age_s(first_due, now_ms),
            parked=parked,
            watch_late_s=_age_s(first_parked, now_ms),
            is_watched=bool(duty),
            workers=Counter(worker.presence for worker in workers),
            slots=sum(worker.slots for worker in alive),
            busy=in_hand.total(),
            lag_s=max((worker.loop_lag_ms / 1000 for worker in alive), default=0.0),
            batches=await _count_open(store, batch_ids),
            set_aside=set_aside,
            limits=self._limits,
            sums={name.decode(errors="replace"): int(text) for name, text in tally.items() if text.isdigit()},
        )


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={
        **REFUSED,
        200: {
            "description": "The fleet's metrics; while Redis is away, that it is.",
            "content": {"text/plain": {}, "application/openmetrics-text": {}},
        },
    },
)
async def get_metrics(request: Request) -> Response:
    """The whole fleet's metrics, as Prometheus or OpenMetrics text; it does not matter which web process is asked."""
    scrapes: Scrapes = request.app.state.metrics
    metrics = FleetMetrics(None) if is_unchecked(request) else await scrapes.take()
    text, content_type = _write(metrics, request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type})


def _write(metrics: FleetMetrics, accept: str) -> tuple[bytes, str]:
    """The text and its type; prometheus_client's own choice stumbles over a version that is none."""
    if "application/openmetrics-text" in accept:
        text: bytes = openmetrics.generate_latest(metrics)  # type: ignore[no-untyped-call]  # as it was published
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(metrics), _PLAIN


def _age_s(first: Sequence[tuple[bytes, float]], now_ms: int) -> float:
    """How long ago the first of an index was due, or moved."""
    return max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0


async def _count_open(store: RunStore, batch_ids: Sequence[bytes]) -> int:
    """How many of these batches have not ended."""
    async with store.redis.pipeline(transaction=False) as pipe:
        for batch_id in batch_ids:
            pipe.hmget(keys.batch(batch_id.decode(errors="replace")), ["created_at", "ended_at"])
        found = await pipe.execute(raise_on_error=False) if batch_ids else []
    return sum(not isinstance(record, Exception) and bool(record[0]) and not record[1] for record in found)
