"""A worker for plain arq functions, in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

from arq.connections import ArqRedis
from arq.jobs import Job
from arq.worker import Function, func
from redis import Redis

from jobs import codec
from jobs.policy import Policy
from worker.identity import Identity
from worker.order_worker import OrderWorker

HASTY = Policy(backoff_base_s=0.02, backoff_cap_s=0.05)

PATIENT: dict[str, Any] = {"timeout": 30, "poll_delay": 0.02}
"""How tests wait for a result of arq's."""


class MakeWorker(Protocol):
    """Makes a worker that is at work as long as the block runs."""

    def __call__(self, *functions: Any, **options: Any) -> AbstractAsyncContextManager[OrderWorker]:
        """`options` are those of new_worker, and so of OrderWorker and of arq's Worker."""


def new_worker(*functions: Any, redis_url: str, name: str = "w1", **options: Any) -> OrderWorker:
    """A worker that nobody has started."""
    pool: ArqRedis = ArqRedis.from_url(redis_url)
    pool.job_serializer, pool.job_deserializer = codec.dumps, codec.loads
    return OrderWorker(
        functions,
        redis_pool=pool,
        connect_pulse=lambda: Redis.from_url(redis_url),
        identity=Identity(name),
        **{"lease_s": 2, "health_interval_s": 0.2, "stop_wait_s": 0, "policy": HASTY, **options},
    )


@asynccontextmanager
async def running(worker: OrderWorker) -> AsyncIterator[OrderWorker]:
    """The worker at work, until the block ends."""
    main = asyncio.create_task(worker.async_run())
    try:
        yield worker
    finally:
        worker.stop("end of test")
        await main
        await worker.close()


def arq_function(name: str, coroutine: Callable[..., Awaitable[Any]], **settings: Any) -> Function:
    return func(cast("Any", coroutine), name=name, **settings)


async def enqueue(redis: ArqRedis, name: str, *args: Any, **options: Any) -> Job:
    job = await redis.enqueue_job(name, *args, **options)
    assert job is not None
    return job
