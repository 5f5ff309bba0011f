"""arq's contract: tries. What starts a job again, when, and what that costs it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import Retry, RetryJob

from jobs import keys
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function, enqueue


async def test_retry_runs_the_job_again_and_counts_the_try(redis: ArqRedis, make_worker: MakeWorker) -> None:
    tries = []

    async def flaky(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        if ctx["job_try"] < 3:
            raise Retry(defer=0.01)
        return "done"

    async with make_worker(arq_function("flaky", flaky)) as worker:
        job = await enqueue(redis, "flaky")
        assert await job.result(**PATIENT) == "done"
    assert tries == [1, 2, 3]
    assert (worker.jobs_complete, worker.jobs_retried) == (1, 2)


async def test_a_deferred_retry_counts_from_now_however_late_the_job_is(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    async def flaky(ctx: dict[str, Any]) -> str:
        if ctx["job_try"] == 1:
            raise Retry(defer=timedelta(milliseconds=10))
        return "done"

    async with make_worker(arq_function("flaky", flaky)):
        job = await enqueue(redis, "flaky", _defer_until=datetime.now(UTC) - timedelta(hours=1))
        assert await job.result(**PATIENT) == "done"


async def test_a_deferred_retry_waits_in_the_queue_and_holds_no_slot(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def later(_: Any) -> None:
        raise Retry(defer=3600)

    async with make_worker(arq_function("later", later)) as worker:
        job = await enqueue(redis, "later")
        await until("it was put off", lambda: worker.jobs_retried and not worker.tasks)

        assert (await job.status()).value == "deferred"
        info = await job.info()
        assert info is not None
        assert info.score is not None
        due_in_s = info.score / 1000 - (await redis.time())[0]
        assert due_in_s == pytest.approx(3600, abs=300)


@pytest.mark.parametrize("error", [Retry, RetryJob, asyncio.CancelledError])
async def test_whatever_a_job_itself_does_to_be_run_again_costs_it_a_try(
    redis: ArqRedis, make_worker: MakeWorker, error: type[BaseException]
) -> None:
    """Else a job that always asks for it would run for ever."""
    tries = []

    async def again(ctx: dict[str, Any]) -> None:
        tries.append(ctx["job_try"])
        raise error

    async with make_worker(arq_function("again", again), max_tries=3):
        job = await enqueue(redis, "again")
        with pytest.raises(RuntimeError, match="max 3 retries exceeded"):
            await job.result(**PATIENT)
    assert tries == [1, 2, 3]


async def test_each_function_may_have_its_own_number_of_tries(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def again(_: Any) -> None:
        raise Retry

    async with make_worker(arq_function("again", again, max_tries=2), max_tries=7):
        job = await enqueue(redis, "again")
        with pytest.raises(RuntimeError, match="max 2 retries exceeded"):
            await job.result(**PATIENT)


async def test_a_job_may_be_enqueued_at_a_later_try(redis: ArqRedis, make_worker: MakeWorker) -> None:
    tries = []

    async def again(ctx: dict[str, Any]) -> None:
        tries.append(ctx["job_try"])
        raise Retry

    async with make_worker(arq_function("again", again), max_tries=5):
        job = await enqueue(redis, "again", _job_try=4)
        with pytest.raises(RuntimeError, match="max 5 retries exceeded"):
            await job.result(**PATIENT)
    assert tries == [4, 5]


async def test_without_retry_jobs_a_retry_is_an_error_like_any_other(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def again(_: Any) -> None:
        raise Retry

    async with make_worker(arq_function("again", again), retry_jobs=False):
        job = await enqueue(redis, "again")
        with pytest.raises(RuntimeError, match="Retry"):
            await job.result(**PATIENT)


async def test_deploys_one_after_another_cost_a_job_no_try(redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Each stop hands the job back at once, in its middle; plain arq would have used all its tries up."""
    tries: list[int] = []
    go_on = asyncio.Event()

    async def work(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        await go_on.wait()
        return "done"

    job = await enqueue(redis, "work")
    for stops in range(4):
        async with make_worker(arq_function("work", work, max_tries=2), name=f"w{stops}", lease_s=600):
            await until("the job was started", lambda: len(tries) > stops)  # noqa: B023 — asked within the loop's turn
        assert not await redis.exists(keys.in_progress(job.job_id))
    go_on.set()
    async with make_worker(arq_function("work", work, max_tries=2)):
        assert await job.result(**PATIENT) == "done"
    assert tries == [1, 1, 1, 1, 1]


async def test_a_delay_a_job_asks_for_as_its_worker_stops_is_kept_and_free(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    started = asyncio.Event()

    async def work(_: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Retry(defer=3600) from None

    async with make_worker(arq_function("work", work)):
        job = await enqueue(redis, "work")
        await started.wait()
    assert (await job.status()).value == "deferred"
    assert await redis.get(keys.retry(job.job_id)) == b"0"


async def test_deploys_cost_a_run_no_try_and_no_patience(fleet: Fleet) -> None:
    fleet.simulator.stall_body("*.tif", after_bytes=400, times=None)
    handle = await fleet.queue.submit(request())
    for stops in range(3):
        async with fleet.worker(f"w{stops}") as worker:

            def is_downloading(worker: Any = worker) -> bool:
                jobs = [worker.pulse.in_hand(job_id) for job_id in worker.job_tasks]
                return any(job and job.stage == "download" and job.bytes_done for job in jobs)

            await until("bytes are coming in", is_downloading)
        run = await handle.status()
        assert (run.stage, run.tries, run.faults) == ("download", 0, 0)
        assert run.vain_starts <= 1  # files that arrived are progress, whoever stops


async def test_a_job_that_ends_while_redis_refuses_is_ended_once_it_takes_it(
    redis: ArqRedis, redis_url: str, make_worker: MakeWorker
) -> None:
    """Neither is its work done twice, nor does it wait for its lease."""
    await redis.acl_setuser("worker", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["*"])
    ends = []

    async def work(ctx: dict[str, Any]) -> str:
        await redis.acl_setuser("worker", enabled=True, commands=["-evalsha"], keys=["*"])
        ends.append(ctx["job_try"])
        return "done"

    as_user = redis_url.replace("unix://", "unix://worker:secret@")
    async with make_worker(arq_function("work", work), lease_s=600, redis_url=as_user):
        job = await enqueue(redis, "work")
        await until("the work is done", lambda: ends)
        assert await redis.exists(keys.in_progress(job.job_id))
        await redis.acl_setuser("worker", enabled=True, commands=["+evalsha"], keys=["*"])
        assert await job.result(**PATIENT) == "done"
    assert ends == [1]
    await redis.acl_deluser("worker")
