"""What becomes of a plain function's errors: arq tries none of them again, here they are sorted as a stage's are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.cron import cron
from arq.jobs import JobStatus

from jobs.errors import BadRequest, Problem
from jobs.policy import Policy
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function, enqueue

TEMPORARY = [ConnectionResetError("gone"), TimeoutError("too slow"), OSError("network down")]


def failing_with(error: Exception, tries: list[int], until_try: int = 100) -> Callable[..., Awaitable[str]]:
    async def fail(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        if ctx["job_try"] < until_try:
            raise error
        return "done"

    return fail


@pytest.mark.parametrize("error", TEMPORARY, ids=repr)
async def test_what_may_pass_is_tried_again_and_the_job_goes_through(
    redis: ArqRedis, make_worker: MakeWorker, error: Exception
) -> None:
    tries: list[int] = []
    async with make_worker(arq_function("work", failing_with(error, tries, until_try=3))):
        job = await enqueue(redis, "work")
        assert await job.result(**PATIENT) == "done"
    assert tries == [1, 2, 3]


async def test_what_does_not_pass_ends_with_the_error_itself_when_the_tries_are_used_up(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    tries: list[int] = []
    work = failing_with(ConnectionRefusedError("nobody there"), tries)
    async with make_worker(arq_function("work", work, max_tries=4)):
        job = await enqueue(redis, "work")
        with pytest.raises(RuntimeError, match="ConnectionRefusedError: nobody there"):
            await job.result(**PATIENT)
    assert tries == [1, 2, 3, 4]


async def test_a_bug_has_a_few_tries(redis: ArqRedis, make_worker: MakeWorker) -> None:
    tries: list[int] = []
    async with make_worker(arq_function("work", failing_with(ValueError("no such field"), tries)), max_tries=10):
        job = await enqueue(redis, "work")
        with pytest.raises(RuntimeError, match="ValueError: no such field"):
            await job.result(**PATIENT)
    assert len(tries) == Policy().max_faults_of_bugs


async def test_what_no_repetition_helps_is_not_repeated(redis: ArqRedis, make_worker: MakeWorker) -> None:
    tries: list[int] = []
    refused = BadRequest([Problem("products", "it is empty")])
    async with make_worker(arq_function("work", failing_with(refused, tries))):
        job = await enqueue(redis, "work")
        with pytest.raises(RuntimeError, match="products"):
            await job.result(**PATIENT)
    assert tries == [1]


@pytest.mark.parametrize("options", [{"max_tries": 1}, {"retry_jobs": False}], ids=str)
async def test_whoever_wants_one_try_gets_one(
    redis: ArqRedis, make_worker: MakeWorker, options: dict[str, Any]
) -> None:
    tries: list[int] = []
    async with make_worker(arq_function("work", failing_with(ConnectionResetError("gone"), tries)), **options):
        job = await enqueue(redis, "work")
        with pytest.raises(RuntimeError, match="ConnectionResetError: gone"):
            await job.result(**PATIENT)
    assert tries == [1]


async def test_a_function_that_exceeds_its_time_is_stopped_and_tried_again(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    stopped = []

    async def slow(ctx: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(ctx["job_try"])
            raise

    async with make_worker(arq_function("slow", slow, timeout=0.05, max_tries=2), job_timeout=3600):
        job = await enqueue(redis, "slow")
        with pytest.raises(RuntimeError, match=r"slow had not ended after 0\.05 s"):
            await job.result(**PATIENT)
    assert stopped == [1, 2]


async def test_a_pause_between_two_tries_holds_no_slot(redis: ArqRedis, make_worker: MakeWorker) -> None:
    tries: list[int] = []
    failing = arq_function("failing", failing_with(ConnectionResetError("gone"), tries))

    async def work(_: Any) -> str:
        return "ok"

    patient = Policy(backoff_base_s=3600, backoff_cap_s=3600)
    async with make_worker(failing, arq_function("work", work), max_jobs=1, policy=patient):
        failed = await enqueue(redis, "failing")
        await until("it has failed once", lambda: tries)
        assert await (await enqueue(redis, "work")).result(**PATIENT) == "ok"
        assert await failed.status() is JobStatus.deferred


@pytest.mark.parametrize("hook", ["on_job_start", "on_job_end", "after_job_end"])
async def test_an_error_in_a_hook_changes_nothing_for_its_job(
    redis: ArqRedis, make_worker: MakeWorker, hook: str
) -> None:
    """With plain arq it ends the worker, and work that is done is done again."""
    starts = []

    async def broken(_: Any) -> None:
        raise RuntimeError("broken hook")

    async def work(ctx: dict[str, Any]) -> str:
        starts.append(ctx["job_try"])
        return "ok"

    options: dict[str, Any] = {hook: broken}
    async with make_worker(arq_function("work", work), lease_s=600, **options) as worker:
        for _ in range(2):
            job = await enqueue(redis, "work")
            assert await job.result(**PATIENT) == "ok"
        await until("both have ended", lambda: not worker.tasks)
    assert starts == [1, 1]


async def test_an_error_at_shutdown_is_told_and_the_worker_ends(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def broken(_: Any) -> None:
        raise RuntimeError("broken hook")

    async def work(_: Any) -> str:
        return "ok"

    async with make_worker(arq_function("work", work), on_shutdown=broken):
        assert await (await enqueue(redis, "work")).result(**PATIENT) == "ok"


async def test_a_cron_is_run_at_its_time_and_once_by_workers_whose_clocks_differ(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    ran = []

    async def tick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    every_second = cron(tick, second=set(range(60)), microsecond=0)
    async with make_worker(cron_jobs=[every_second]) as worker:
        job_id = (await until("it ran", lambda: ran))[0]
        await until("it has ended", lambda: job_id not in worker.tasks)
        assert await redis.enqueue_job("cron:x", _job_id=job_id) is None  # as a worker whose clock is late would
    assert len(set(ran)) == len(ran)
    assert job_id.startswith("cron:")
    assert datetime.now(UTC).timestamp() * 1000 >= int(job_id.rpartition(":")[2])
