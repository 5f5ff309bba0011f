"""What Prometheus asks: the whole fleet's metrics, in eight round trips however many runs there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from jobs import keys
from jobs.errors import RedisUnavailable
from jobs.redaction import Redactor
from jobs.store import RunStore
from worker.fleet import WATCHER
from worker.metrics import FleetMetrics, Seen
from worker.web.access import is_unchecked
from worker.web.link import Link
from worker.web.overview import look
from worker.web.problems import REFUSED

_NEWEST_BATCHES = 100
_PLAIN = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["probes"])


class Scrapes:
    """Answers Prometheus.

    Args:
        link: to the fleet's Redis.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def take(self) -> FleetMetrics:
        """What is known now; without Redis, that it is away."""
        try:
            return FleetMetrics(await self._link.ask(_see))
        except RedisUnavailable:
            return FleetMetrics(None)


async def _see(store: RunStore) -> Seen:
    """What the first page shows, and what workers have counted."""
    view = await look(store, Redactor())
    async with store.redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.TALLY)
        pipe.exists(keys.lease(WATCHER))
        pipe.zcard(keys.POISON)
        pipe.zrevrange(keys.BATCHES, 0, _NEWEST_BATCHES - 1)
        tally, duty, set_aside, batch_ids = await pipe.execute()
    alive = [worker for worker in view.workers if worker.is_alive]
    return Seen(
        runs=view.runs,
        waiting={queue.stage: queue.waiting for queue in view.stages},
        oldest_s={queue.stage: queue.oldest_s or 0.0 for queue in view.stages},
        in_hand={queue.stage: queue.in_hand for queue in view.stages},
        due=view.backlog.due,
        oldest_due_s=view.backlog.oldest_due_s or 0.0,
        parked=view.backlog.watched,
        watch_late_s=view.backlog.watch_late_s,
        is_watched=bool(duty),
        workers=Counter(worker.presence for worker in view.workers),
        slots=view.slots,
        busy=view.busy,
        lag_s=max((worker.loop_lag_ms / 1000 for worker in alive), default=0.0),
        batches=await _count_open(store, batch_ids),
        set_aside=set_aside,
        budget=view.budget,
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


async def _count_open(store: RunStore, batch_ids: Sequence[bytes]) -> int:
    """How many of these batches have not ended."""
    async with store.redis.pipeline(transaction=False) as pipe:
        for batch_id in batch_ids:
            pipe.hmget(keys.batch(batch_id.decode(errors="replace")), ["created_at", "ended_at"])
        found = await pipe.execute(raise_on_error=False) if batch_ids else []
    return sum(not isinstance(record, Exception) and bool(record[0]) and not record[1] for record in found)
