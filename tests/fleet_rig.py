"""A fleet in one process: workers with their watchers, a real Valkey, and a simulated Planet over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from arq.connections import ArqRedis
from redis import Redis

from jobs import OrderQueue
from jobs.policy import Policy
from jobs.store import RunStore
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import LocalLimiter
from planet_sdk.retry import RetryPolicy
from planet_sdk.simulator import Simulator, SimulatorSettings
from worker.identity import Identity
from worker.order_worker import OrderWorker
from worker.stage_jobs import StageJobs
from worker.watcher import Watcher

QUICK = Policy(
    backoff_base_s=0.05,
    backoff_cap_s=0.2,
    settle_s=0.5,
    first_check_s=0.05,
    max_check_s=0.2,
)


@dataclass
class Fleet:
    """What a test of the whole way needs at hand."""

    queue: OrderQueue
    simulator: Simulator
    folder: Path
    redis_url: str
    stack: AsyncExitStack
    webhook_url: str | None = None

    async def start_worker(self, name: str = "w1", policy: Policy = QUICK, *, uses_list: bool = True) -> OrderWorker:
        return await self.stack.enter_async_context(self.worker(name, policy, uses_list=uses_list))

    @asynccontextmanager
    async def worker(
        self, name: str = "w1", policy: Policy = QUICK, redis_url: str | None = None, *, uses_list: bool = True
    ) -> AsyncIterator[OrderWorker]:
        """A worker and its watcher, at work until the block ends."""
        redis_url = redis_url or self.redis_url
        session = Session(
            Auth.from_key(self.simulator.api_key),
            base_url=self.simulator.url,
            limiter=LocalLimiter(rates={}),
            retry=RetryPolicy(max_tries=2, base_s=0.01, cap_s=0.05),
        )
        theirs = self.queue.store.redis
        pool: ArqRedis = ArqRedis.from_url(redis_url)
        pool.job_serializer, pool.job_deserializer = theirs.job_serializer, theirs.job_deserializer
        identity = Identity(name)
        stages = StageJobs(
            store=RunStore(pool),
            orders=OrdersClient(session),
            identity=identity,
            destination=self.folder.as_uri(),
            staging=self.folder / "staging",
            policy=policy,
            webhook_url=self.webhook_url,
        )
        worker = OrderWorker(
            redis_pool=pool,
            connect_pulse=lambda: Redis.from_url(redis_url),
            identity=identity,
            stage_jobs=stages,
            lease_s=2,
            health_interval_s=0.2,
            stop_wait_s=0,
        )
        watching = asyncio.create_task(Watcher(stages, lease_s=2, uses_list=uses_list).run())
        main = asyncio.create_task(worker.async_run())
        try:
            yield worker
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            worker.stop("end of test")
            await main
            await worker.close()
            await session.aclose()


@asynccontextmanager
async def fleet_on(
    redis: ArqRedis,
    redis_url: str,
    folder: Path,
    settings: SimulatorSettings,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Fleet]:
    async with Simulator(settings, clock=clock) as simulator, AsyncExitStack() as stack:
        yield Fleet(OrderQueue(RunStore(redis)), simulator, folder, redis_url, stack)


SETTINGS = SimulatorSettings(queued_s=0.05, running_s=0.05, rate_limits={}, scene_size_px=32)
