"""The worker on a real Valkey, with plain arq functions: arq's contract, and where ours goes beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import JobStatus

from jobs import keys
from tests.waiting import until
from tests.worker_rig import MakeWorker, arq_function, enqueue
from worker.fleet import Presence, read_fleet


async def test_a_plain_arq_job_runs_and_its_result_is_read_with_arqs_own_client(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    async def add(_: Any, a: int, b: int) -> int:
        return a + b

    async with make_worker(arq_function("add", add)):
        job = await enqueue(redis, "add", 1, 2)
        assert await job.result(timeout=10, poll_delay=0.02) == 3
        assert await job.status() is JobStatus.complete


async def test_a_failed_job_tells_its_error_and_the_worker_goes_on(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def fail(_: Any) -> None:
        raise ValueError("no such field")

    async def succeed(_: Any) -> str:
        return "ok"

    async with make_worker(arq_function("fail", fail), arq_function("succeed", succeed)):
        failed, succeeded = await enqueue(redis, "fail"), await enqueue(redis, "succeed")
        with pytest.raises(RuntimeError, match="ValueError: no such field"):
            await failed.result(timeout=10, poll_delay=0.02)
        assert await succeeded.result(timeout=10, poll_delay=0.02) == "ok"


async def test_a_stopping_worker_hands_its_jobs_back_at_once_and_costs_them_no_try(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    seen: list[tuple[str, int]] = []
    go_on = asyncio.Event()

    def sleeper(name: str) -> Callable[..., Awaitable[str]]:
        async def work(ctx: dict[str, Any]) -> str:
            seen.append((name, ctx["job_try"]))
            await go_on.wait()
            return name

        return work

    async with make_worker(arq_function("work", sleeper("w1")), name="w1"):
        job = await enqueue(redis, "work")
        await until("the first worker has the job", lambda: seen)
    assert await redis.exists(keys.in_progress(job.job_id)) == 0
    async with make_worker(arq_function("work", sleeper("w2")), name="w2"):
        await until("the second worker has the job", lambda: len(seen) == 2)
        go_on.set()
        assert await job.result(timeout=10, poll_delay=0.02) == "w2"
    assert seen == [("w1", 1), ("w2", 1)]


async def test_all_slots_of_a_fleet_are_used_however_many_jobs_run_already(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    """Plain arq stops at its read limit, because running jobs stay at the head of the queue."""
    running = 0
    go_on = asyncio.Event()

    async def work(_: Any) -> None:
        nonlocal running
        running += 1
        await go_on.wait()

    jobs = [await enqueue(redis, "work") for _ in range(120)]
    async with (
        make_worker(arq_function("work", work), name="w1", max_jobs=60),
        make_worker(arq_function("work", work), name="w2", max_jobs=60),
    ):
        await until("all 120 run at once", lambda: running == 120)
        go_on.set()
        for job in jobs:
            await job.result(timeout=10, poll_delay=0.02)


async def test_leases_outlive_their_length_while_the_job_runs(redis: ArqRedis, make_worker: MakeWorker) -> None:
    """No second worker starts a job that takes longer than its lease, even if the loop stands still meanwhile."""
    starts = 0
    until_renewed = asyncio.Event()

    async def work(_: Any) -> str:
        nonlocal starts
        starts += 1
        await until_renewed.wait()
        return "ok"

    async with (
        make_worker(arq_function("work", work), name="w1", lease_s=0.4),
        make_worker(arq_function("work", work), name="w2", lease_s=0.4),
    ):
        job = await enqueue(redis, "work")
        await until("the job has started", lambda: starts)
        first_end = await redis.zscore("arq:queue", job.job_id)

        async def renewed_thrice() -> bool:
            score = await redis.zscore("arq:queue", job.job_id)
            return bool(score and first_end and score > first_end + 1200)

        await until("its lease was renewed beyond three lengths", renewed_thrice)
        until_renewed.set()
        assert await job.result(timeout=10, poll_delay=0.02) == "ok"
    assert starts == 1


async def test_a_job_of_a_vanished_worker_starts_elsewhere(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def work(_: Any) -> str:
        return "ok"

    job = await enqueue(redis, "work")
    soon = await redis.time()
    await redis.psetex(keys.in_progress(job.job_id), 300, "vanished/boot")
    await redis.zadd("arq:queue", {job.job_id: soon[0] * 1000 + 300})
    async with make_worker(arq_function("work", work)):
        assert await job.result(timeout=10, poll_delay=0.02) == "ok"


async def test_a_finish_that_comes_too_late_is_refused(redis: ArqRedis, make_worker: MakeWorker) -> None:
    """The worker that lost its lease ends the job for nobody; the one that has it now does."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> str:
        started.set()
        await go_on.wait()
        return "late"

    async with make_worker(arq_function("work", work), lease_s=60):
        job = await enqueue(redis, "work")
        await started.wait()
        await redis.psetex(keys.in_progress(job.job_id), 60_000, "other/boot")
        go_on.set()
        await until("the slot is free again", lambda: True)
    assert await redis.exists(keys.result(job.job_id)) == 0
    assert await redis.exists(keys.job(job.job_id)) == 1
    await redis.delete(keys.in_progress(job.job_id), keys.job(job.job_id))


async def test_each_worker_reports_its_health_and_the_shared_key_outlives_a_clean_exit(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> None:
        started.set()
        await go_on.wait()

    async with make_worker(arq_function("work", work), name="w1", max_jobs=3):
        await enqueue(redis, "work")
        await started.wait()

        async def busy() -> bool:
            return any(worker.name == "w1" and worker.jobs for worker in await read_fleet(redis))

        await until("w1 reports the job in hand", busy)
        (w1,) = await read_fleet(redis)
        assert (w1.presence, w1.slots, len(w1.jobs)) == (Presence.ALIVE, 3, 1)
        assert b"j_ongoing=1" in (await redis.get(keys.health("arq:queue", "w1")) or b"")
        go_on.set()
    (w1,) = await read_fleet(redis)
    assert w1.presence is Presence.STOPPED
    assert await redis.exists(keys.health("arq:queue", "w1")) == 0
    assert b"j_complete" in (await redis.get(keys.health("arq:queue")) or b"")
