"""A lease that lapses, is seen to have lapsed, and is taken up again by its own worker's pulse."""

from __future__ import annotations

import asyncio
from typing import Any

from arq.connections import ArqRedis

from jobs import State, keys
from jobs.errors import Fenced
from jobs.moves import By
from jobs.run import Run
from jobs.store import RunStore
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until
from tests.worker_rig import MakeWorker, arq_function, enqueue


class LapsesOnce(RunStore):
    """The process stood still between the claim and the first start; then its pulse was quicker than the rest of it."""

    has_lapsed = False

    async def begin(self, run_id: str, job_id: str, by: By, destination: str, **options: int) -> Run:
        if self.has_lapsed:
            return await super().begin(run_id, job_id, by, destination, **options)
        self.has_lapsed = True
        await self.redis.delete(keys.in_progress(job_id))
        try:
            return await super().begin(run_id, job_id, by, destination, **options)
        except Fenced:
            await self.redis.set(keys.in_progress(job_id), by.owner, px=2000)
            raise


async def test_a_job_whose_lease_lapsed_before_it_began_stays_in_the_queue(fleet: Fleet) -> None:
    """Whoever is refused leaves the job to the next one: were it ended, the run would have none until the sweep."""
    worker = await fleet.start_worker()
    assert worker.stages is not None
    store = worker.stages.store = LapsesOnce(worker.pool)

    handle = await fleet.queue.submit(request())

    assert (await handle.result(timeout=30)).state is State.DONE
    assert store.has_lapsed


async def test_a_job_in_hand_whose_lease_lapsed_is_not_started_beside_itself(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    """Its worker finds it due and claims it once more: that is a new lease for the job in hand, not a second job."""
    starts, may_end = [], asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> str:
        starts.append(ctx["job_try"])
        await may_end.wait()
        return "done"

    async with make_worker(arq_function("wait", wait), lease_s=600, health_interval_s=600):
        job = await enqueue(redis, "wait")
        mark = keys.in_progress(job.job_id)
        await until("the job is started", lambda: starts)
        async with redis.pipeline() as lapse:
            lapse.delete(mark)
            lapse.zadd("arq:queue", {job.job_id: 0})
            lapse.publish(keys.bell("arq:queue"), "job")
            await lapse.execute()
        await until("the job is claimed once more", lambda: redis.exists(mark))
        may_end.set()
        assert await job.result(timeout=30, poll_delay=0.02) == "done"

    assert starts == [1]
    assert await redis.zcard("arq:queue") == 0
