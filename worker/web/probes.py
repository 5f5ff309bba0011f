"""What load balancers and orchestrators ask."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from jobs.errors import RedisUnavailable
from worker.web.asking import AtDesk

router = APIRouter(tags=["probes"])


class Alive(BaseModel):
    """The process lives."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether runs that are submitted now would be worked on, and what is missing if not."""

    ready: bool
    redis: bool
    workers_alive: int
    missing: list[str]


@router.get("/healthz", operation_id="is_alive")
async def is_alive() -> Alive:
    """200 as long as the web process answers at all; it says nothing of Redis or of workers."""
    return Alive()


@router.get("/readyz", operation_id="is_ready", responses={503: {"model": Readiness}})
async def is_ready(desk: AtDesk, response: Response) -> Readiness:
    """200 when Redis answers and at least one worker is alive; else 503, with what is missing."""
    readiness = await _look(desk)
    if not readiness.ready:
        response.status_code = 503
    return readiness


async def _look(desk: AtDesk) -> Readiness:
    try:
        workers = await desk.list_workers()
    except RedisUnavailable as error:
        return Readiness(ready=False, redis=False, workers_alive=0, missing=[f"Redis is away: {error}"])
    alive = sum(worker.is_alive for worker in workers)
    missing = [] if alive else ["no worker is alive; start one with `planet-orders worker`"]
    return Readiness(ready=alive > 0, redis=True, workers_alive=alive, missing=missing)
