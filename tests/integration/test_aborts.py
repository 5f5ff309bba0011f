"""Giving jobs up: arq's abort, which hits the job it is meant for and no other, and the cancel of runs in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from arq.utils import timestamp_ms

from jobs import RunFailed, State, codec, keys
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function, enqueue


class Work:
    """A job that goes on until it is told to end, and knows how often it was started."""

    def __init__(self) -> None:
        self.starts = 0
        self.started, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Any) -> str:
        self.starts += 1
        self.started.set()
        await self.go_on.wait()
        return "done"


def function(work: Work) -> Any:
    async def run(ctx: Any) -> str:
        return await work(ctx)

    return arq_function("work", run)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def deaf_url(redis: ArqRedis, redis_url: str) -> AsyncIterator[str]:
    """A Redis as a worker has it that hears no bell: its user may do everything but subscribe."""
    await redis.acl_setuser(
        "deaf", enabled=True, passwords=["+secret"], categories=["+@all"], commands=["-subscribe"], keys=["*"]
    )
    yield redis_url.replace("unix://", "unix://deaf:secret@")
    await redis.acl_deluser("deaf")


async def set_is_empty(redis: ArqRedis) -> bool:
    return not await redis.exists(keys.ABORTS)


async def is_gone(redis: ArqRedis, job_id: str) -> bool:
    return not await redis.exists(keys.job(job_id))


async def has_one_entry(redis: ArqRedis) -> bool:
    return len(await redis.zrange(keys.ABORTS, 0, -1)) == 1


async def test_a_running_job_is_aborted_and_its_result_says_so(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    """However long its lease: the wish is looked for, not met by chance at a renewal."""
    async with make_worker(function(work), lease_s=600):
        job = await enqueue(redis, "work")
        await work.started.wait()

        assert await job.abort(**PATIENT) is True

        with pytest.raises(asyncio.CancelledError):
            await job.result(timeout=1)
    assert await set_is_empty(redis)


@pytest.mark.parametrize("options", [{}, {"_defer_by": timedelta(hours=1)}], ids=["queued", "deferred"])
async def test_a_job_that_is_aborted_before_its_start_is_never_started(
    redis: ArqRedis, make_worker: MakeWorker, work: Work, options: dict[str, Any]
) -> None:
    job = await enqueue(redis, "work", **options)
    aborting = asyncio.create_task(job.abort(**PATIENT))

    async def is_asked() -> bool:
        return bool(await redis.zscore(keys.ABORTS, job.job_id))

    await until("the abort stands in the set", is_asked)
    async with make_worker(function(work)):
        assert await aborting is True
    assert work.starts == 0
    assert await set_is_empty(redis)


async def test_an_abort_that_came_too_late_does_not_hit_the_next_job_of_that_id(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    """With plain arq the entry stays, and ends that job before its start."""
    work.go_on.set()
    async with make_worker(function(work), keep_result=0):
        first = await enqueue(redis, "work", _job_id="again")
        await until("the first job has ended", lambda: work.starts == 1)
        await until("its id is free", lambda: is_gone(redis, "again"))
        assert await first.abort(**PATIENT) is False
        asked_ms = timestamp_ms()
        await until("the clock has moved on", lambda: timestamp_ms() > asked_ms)

        await enqueue(redis, "work", _job_id="again")
        await until("the second job has run", lambda: work.starts == 2)
        await until("it has ended", lambda: is_gone(redis, "again"))


async def test_a_stale_abort_hits_neither_a_queued_job_nor_a_running_one(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    job = await enqueue(redis, "work", _job_id="again")
    definition = await job.info()
    assert definition is not None
    a_moment_before = definition.enqueue_time.timestamp() * 1000 - 1
    await redis.zadd(keys.ABORTS, {"again": a_moment_before})
    async with make_worker(function(work)):
        await work.started.wait()
        await redis.zadd(keys.ABORTS, {"again": a_moment_before})
        await until("the stale abort is gone", lambda: set_is_empty(redis))
        work.go_on.set()
        assert await job.result(**PATIENT) == "done"


async def test_aborts_of_jobs_that_do_not_exist_are_forgotten_by_an_idle_worker(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    assert await Job("unknown", redis).abort(timeout=1) is False
    assert not await set_is_empty(redis)
    async with make_worker(function(work)):
        await until("the abort is forgotten", lambda: set_is_empty(redis))


async def test_an_abort_of_another_queues_job_is_left_to_that_queues_workers(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    """All queues of a Redis share one set."""
    theirs = await enqueue(redis, "other", _queue_name="other:queue")
    with suppress(TimeoutError):
        await theirs.abort(timeout=0, poll_delay=0.01)
    await Job("unknown", redis).abort(timeout=1)
    async with make_worker(function(work)):
        await until("the set was looked through", lambda: has_one_entry(redis))
    assert await redis.zscore(keys.ABORTS, theirs.job_id)
    await redis.delete("other:queue")


async def test_a_job_that_shrugs_off_its_abort_ends_as_it_likes_and_its_id_stays_usable(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    cancelled, starts = [], []

    async def stubborn(_: Any) -> str:
        starts.append(1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            if len(cancelled) == 2:
                raise
        return "not now"

    async with make_worker(arq_function("stubborn", stubborn), keep_result=0.2):
        job = await enqueue(redis, "stubborn", _job_id="again")
        await until("it has started", lambda: starts)
        assert await job.abort(**PATIENT) is False
        await until("its id is free", lambda: redis.enqueue_job("stubborn", _job_id="again"))
        await until("it has started again", lambda: len(starts) == 2)
        assert await job.abort(**PATIENT) is True


async def test_an_abort_as_the_job_ends_leaves_its_result_as_it_is(
    redis: ArqRedis, make_worker: MakeWorker, work: Work
) -> None:
    """arq's client moves a job whose score is in the future, as that of a running job is here; then it is gone."""
    work.go_on.set()
    async with make_worker(function(work)):
        job = await enqueue(redis, "work")
        assert await job.result(**PATIENT) == "done"
        await redis.zadd("arq:queue", {job.job_id: 1})

        async def queue_is_empty() -> bool:
            return not await redis.exists("arq:queue")

        await until("the id is out of the queue again", queue_is_empty)
        assert await job.result(**PATIENT) == "done"
    assert work.starts == 1


async def test_a_cancel_reaches_a_stage_whose_worker_hears_no_bell(fleet: Fleet, deaf_url: str) -> None:
    """A subscription may be down just as the bell rings."""
    fleet.simulator.stall_body("*.tif", after_bytes=400, times=None)
    async with fleet.worker(redis_url=deaf_url) as worker:
        handle = await fleet.queue.submit(request())
        await until("a download is in hand", lambda: any(":download:" in job_id for job_id in worker.job_tasks))

        await fleet.queue.cancel(handle.run_id)

        with pytest.raises(RunFailed):
            await handle.result(timeout=60)
        assert (await handle.status()).state is State.CANCELLED
        await until("the wish is forgotten", lambda: set_is_empty(fleet.queue.store.redis))


async def test_a_cancel_of_a_waiting_run_needs_no_bell_either(
    redis: ArqRedis, redis_url: str, tmp_path: Path, deaf_url: str
) -> None:
    """Planet still allows it: the order is cancelled there."""
    async with (
        fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, queued_s=600)) as fleet,
        fleet.worker(redis_url=deaf_url),
    ):
        handle = await fleet.queue.submit(request())

        async def is_waiting() -> bool:
            return (await handle.status()).state is State.WAITING

        await until("the run waits for Planet", is_waiting)
        await fleet.queue.cancel(handle.run_id)
        with pytest.raises(RunFailed):
            await handle.result(timeout=60)
        run = await handle.status()
        assert (run.state, run.order_state) == (State.CANCELLED, "cancelled")


async def test_aborting_a_queued_stage_cancels_its_run_before_anything_is_ordered(fleet: Fleet) -> None:
    """arq's client knows nothing of runs; what it asks for is done all the same."""
    handle = await fleet.queue.submit(request())
    job_id = (await handle.status()).job_id
    assert job_id is not None
    with suppress(TimeoutError):
        await Job(job_id, fleet.queue.store.redis, _deserializer=codec.loads).abort(timeout=0, poll_delay=0.01)
    await fleet.start_worker()

    with pytest.raises(RunFailed):
        await handle.result(timeout=60)
    assert (await handle.status()).state is State.CANCELLED
    assert fleet.simulator.report().orders == {}
