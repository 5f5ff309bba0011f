"""arq's contract as the author of functions sees it: ctx, hooks, slots, bursts, health, and how a worker ends."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import create_subprocess_exec
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import Job, JobStatus
from arq.worker import FailedJobs, async_check_health

from jobs import codec, keys
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function, enqueue, new_worker


async def nothing(_: Any) -> None:
    """Do it."""


NOTHING = arq_function("nothing", nothing)


async def test_a_function_learns_of_its_job_and_of_what_startup_has_made(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    seen: dict[str, Any] = {}

    async def start(ctx: dict[str, Any]) -> None:
        ctx["made"] = "at startup"

    async def look(ctx: dict[str, Any]) -> None:
        seen.update(ctx)

    async with make_worker(arq_function("look", look), on_startup=start, ctx={"given": 1}) as worker:
        job = await enqueue(redis, "look")
        await job.result(**PATIENT)
        assert seen["redis"] is worker.pool
    assert (seen["given"], seen["made"], seen["job_id"], seen["job_try"]) == (1, "at startup", job.job_id, 1)
    info = await job.result_info()
    assert info is not None
    assert seen["enqueue_time"] == info.enqueue_time
    assert seen["score"] == round(info.enqueue_time.timestamp() * 1000)
    assert info.enqueue_time <= datetime.now(UTC)


async def test_hooks_are_called_in_arqs_order_with_the_ctx_of_their_job(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    calls: list[tuple[str, Any]] = []

    def hook(name: str) -> Any:
        async def call(ctx: dict[str, Any]) -> None:
            calls.append((name, ctx.get("note")))

        return call

    async def work(ctx: dict[str, Any]) -> None:
        calls.append(("work", None))
        ctx["note"] = "from the function"

    hooks = ("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end")
    async with make_worker(arq_function("work", work), **{name: hook(name) for name in hooks}) as worker:
        await (await enqueue(redis, "work")).result(**PATIENT)
        await until("the job is over", lambda: not worker.tasks)
    assert calls == [
        ("on_startup", None),
        ("on_job_start", None),
        ("work", None),
        ("on_job_end", "from the function"),
        ("after_job_end", "from the function"),
        ("on_shutdown", None),
    ]


async def test_a_worker_whose_startup_fails_does_not_start_and_can_be_closed(redis: ArqRedis, redis_url: str) -> None:
    async def refuse(_: Any) -> None:
        raise RuntimeError("no database")

    worker = new_worker(NOTHING, redis_url=redis_url, on_startup=refuse)
    job = await enqueue(redis, "nothing")
    with pytest.raises(RuntimeError, match="no database"):
        await worker.async_run()
    await worker.close()
    assert await job.status() is JobStatus.queued
    await redis.delete(keys.job(job.job_id))


async def test_no_more_jobs_run_at_a_time_than_there_are_slots(redis: ArqRedis, make_worker: MakeWorker) -> None:
    running, most = 0, 0

    async def work(_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    jobs = [await enqueue(redis, "work") for _ in range(30)]
    async with make_worker(arq_function("work", work), max_jobs=3):
        for job in jobs:
            await job.result(**PATIENT)
    assert most <= 3


async def test_a_burst_ends_when_the_queue_is_empty_and_counts_what_it_did(redis: ArqRedis, redis_url: str) -> None:
    async def fail(_: Any) -> None:
        raise ValueError("no")

    for name in ("nothing", "fail", "nothing"):
        await enqueue(redis, name)
    worker = new_worker(NOTHING, arq_function("fail", fail, max_tries=1), redis_url=redis_url, burst=True)
    with pytest.raises(FailedJobs) as failed:
        await worker.run_check()
    await worker.close()
    assert failed.value.count == 1
    assert (worker.jobs_complete, worker.jobs_failed) == (2, 1)


async def test_a_burst_runs_no_more_jobs_than_it_may(redis: ArqRedis, redis_url: str) -> None:
    for _ in range(5):
        await enqueue(redis, "nothing")
    worker = new_worker(NOTHING, redis_url=redis_url, burst=True)
    assert await worker.run_check(max_burst_jobs=3) == 3
    await worker.close()
    left = await redis.queued_jobs()
    assert len(left) == 2
    await redis.delete("arq:queue", *(keys.job(job.job_id or "") for job in left))


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq's own call
async def test_arqs_check_finds_any_worker_and_each_of_them(redis: ArqRedis, make_worker: MakeWorker) -> None:
    where = RedisSettings(unix_socket_path=redis.connection_pool.connection_kwargs["path"])

    async def is_well(name: str | None = None) -> bool:
        return await async_check_health(where, keys.health("arq:queue", name)) == 0

    assert not await is_well()
    async with make_worker(NOTHING, name="w1", health_interval_s=0.05):
        async with make_worker(NOTHING, name="w2", health_interval_s=0.05):
            for name in ("w1", "w2", None):
                await until(f"{name or 'any worker'} is well", lambda name=name: is_well(name))  # type: ignore[misc]  # mypy infers no lambda with a default
        assert not await is_well("w2")
        assert await is_well("w1")


async def test_arqs_own_command_checks_it_too(redis: ArqRedis, make_worker: MakeWorker, tmp_path: Path) -> None:
    """With plain arq, a worker that ends takes the key with it, and the others are taken for dead."""
    path = redis.connection_pool.connection_kwargs["path"]
    (tmp_path / "fleet.py").write_text(
        "from arq.connections import RedisSettings\n"
        "class WorkerSettings:\n"
        "    functions = ()\n"
        f"    redis_settings = RedisSettings(unix_socket_path={path!r})\n"
    )

    async def check() -> int:
        process = await create_subprocess_exec(
            Path(sys.executable).with_name("arq"), "fleet.WorkerSettings", "--check", cwd=tmp_path
        )
        return await process.wait()

    async with make_worker(NOTHING, name="w1"):
        async with make_worker(NOTHING, name="w2"):
            pass

        async def is_reported() -> bool:
            return bool(await redis.exists(keys.health("arq:queue", "w1")))

        await until("w1 has reported itself", is_reported)
        assert await check() == 0
    await redis.delete(keys.health("arq:queue"))
    assert await check() == 1


async def test_a_loop_that_stands_still_for_several_leases_loses_no_job(
    redis: ArqRedis, redis_url: str, make_worker: MakeWorker
) -> None:
    """A real process, held up by a call that blocks: its thread renews, and no other worker starts the job."""
    process = await create_subprocess_exec(sys.executable, "-m", "tests.blocked_worker", redis_url)
    started_here = []

    async def block(ctx: dict[str, Any]) -> None:
        started_here.append(ctx["job_id"])

    try:

        async def is_up() -> bool:
            return bool(await redis.exists(keys.health("arq:queue", "blocked")))

        await until("the other process is up", is_up, deadline_s=60)
        job = await enqueue(redis, "block")
        await until("its loop stands still", lambda: redis.get("blocked"))
        begun = await redis.zscore("arq:queue", job.job_id) or 0
        async with make_worker(arq_function("block", block), name="w2"):

            async def renewed_for_three_leases() -> bool:
                return (await redis.zscore("arq:queue", job.job_id) or 0) > begun + 3 * 2000

            await until("the lease was renewed beyond three lengths", renewed_for_three_leases, deadline_s=60)
            assert await job.status() is JobStatus.in_progress
            async with redis.pipeline() as pipe:
                pipe.rpush("unblock", 1)
                await pipe.execute()
            again = Job(job.job_id, redis, _deserializer=codec.loads)
            assert await again.result(**PATIENT) == "blocked once"
        assert started_here == []
    finally:
        process.terminate()
        await process.wait()
        await redis.delete("unblock", "blocked")
