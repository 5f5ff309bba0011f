"""arq's contract as its clients see it: enqueue_job, Job, and what lies in Redis meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus, ResultNotFound, SerializationError

from jobs import codec, keys
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function, enqueue


async def echo(_: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": args, "kwargs": kwargs}


ECHO = arq_function("echo", echo)


async def test_arguments_reach_the_function_and_its_result_comes_back(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async with make_worker(ECHO):
        job = await enqueue(redis, "echo", 1, "zwei", [3], four={"five": None})
        assert await job.result(**PATIENT) == {"args": [1, "zwei", [3]], "kwargs": {"four": {"five": None}}}


async def test_a_job_says_where_it_stands_in_each_state(redis: ArqRedis, make_worker: MakeWorker) -> None:
    """In progress too: a running job's score is in the future here, which arq's client must not take for deferred."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> str:
        started.set()
        await go_on.wait()
        return "done"

    assert await Job("unknown", redis).status() is JobStatus.not_found
    deferred = await enqueue(redis, "work", _defer_by=3600)
    assert await deferred.status() is JobStatus.deferred
    job = await enqueue(redis, "work")
    assert await job.status() is JobStatus.queued
    async with make_worker(arq_function("work", work)):
        await started.wait()
        assert await job.status() is JobStatus.in_progress
        go_on.set()
        await job.result(**PATIENT)
        assert await job.status() is JobStatus.complete


@pytest.mark.parametrize("when", ["_defer_by", "_defer_until"])
async def test_a_deferred_job_is_not_started_before_its_time(
    redis: ArqRedis, make_worker: MakeWorker, when: str
) -> None:
    async def tell_time(ctx: dict[str, Any]) -> float:
        assert isinstance(ctx["score"], int)
        return datetime.now(UTC).timestamp() * 1000 - ctx["score"]

    delay = timedelta(milliseconds=700)
    options: dict[str, Any] = {when: delay if when == "_defer_by" else datetime.now(UTC) + delay}
    async with make_worker(arq_function("tell_time", tell_time)):
        job = await enqueue(redis, "tell_time", **options)
        assert await job.result(**PATIENT) >= 0


async def test_an_id_is_refused_while_its_job_or_result_is_there_and_free_again_after(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> str:
        started.set()
        await go_on.wait()
        return "done"

    async def again() -> Job | None:
        return await redis.enqueue_job("work", _job_id="mine")

    async with make_worker(arq_function("work", work)):
        job = await enqueue(redis, "work", _job_id="mine", _defer_by=0.2)
        assert await again() is None
        await started.wait()
        assert await again() is None
        go_on.set()
        await job.result(**PATIENT)
        assert await again() is None
        await redis.delete(keys.result("mine"))
        assert await again() is not None


async def test_of_many_who_enqueue_the_same_id_one_succeeds_and_the_job_is_run_once(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    runs = []

    async def work(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_id"])

    answers = await asyncio.gather(*(redis.enqueue_job("work", _job_id="mine") for _ in range(20)))
    assert sum(answer is not None for answer in answers) == 1
    async with make_worker(arq_function("work", work)):
        await Job("mine", redis, _deserializer=codec.loads).result(**PATIENT)
    assert runs == ["mine"]


async def test_a_job_that_was_not_started_before_it_expired_is_not_started_after(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    job = await enqueue(redis, "echo", _expires=0.001)

    async def has_expired() -> bool:
        return not await redis.exists(keys.job(job.job_id))

    await until("the job has expired", has_expired)
    async with make_worker(ECHO):
        with pytest.raises(RuntimeError, match="job expired"):
            await job.result(**PATIENT)


async def test_a_function_nobody_has_fails_its_job_and_says_which(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async with make_worker(ECHO):
        job = await enqueue(redis, "unheard_of")
        with pytest.raises(RuntimeError, match="function 'unheard_of' not found"):
            await job.result(**PATIENT)


async def test_info_tells_what_was_asked_for_and_later_what_came_of_it(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    job = await enqueue(redis, "echo", 1, two=2)
    info = await job.info()
    assert info is not None
    assert (info.function, list(info.args), info.kwargs) == ("echo", [1], {"two": 2})
    assert (await redis.queued_jobs())[0].job_id == job.job_id
    async with make_worker(ECHO):
        await job.result(**PATIENT)
    result = await job.result_info()
    assert result is not None
    assert (result.success, result.function, result.job_try, result.queue_name) == (True, "echo", 1, "arq:queue")
    assert info.enqueue_time == result.enqueue_time
    assert result.enqueue_time <= result.start_time <= result.finish_time


async def test_all_results_can_be_read_at_once(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def fail(_: Any) -> None:
        raise ValueError("no")

    async with make_worker(ECHO, arq_function("fail", fail, max_tries=1)):
        jobs = [await enqueue(redis, name) for name in ("echo", "fail", "echo")]
        for job in jobs:
            await until("it has ended", job.result_info)
    results = await redis.all_job_results()
    assert {result.job_id for result in results} == {job.job_id for job in jobs}
    assert sorted(result.success for result in results) == [False, True, True]


async def test_nothing_but_the_result_is_left_of_a_job(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async with make_worker(ECHO):
        job = await enqueue(redis, "echo")
        await job.result(**PATIENT)
        left = [key.decode() for key in await redis.keys(f"*{job.job_id}*")]
        assert left == [keys.result(job.job_id)]
    assert not await redis.exists("arq:queue")


async def test_a_result_that_is_no_json_says_so(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def opaque(_: Any) -> object:
        return object()

    async with make_worker(arq_function("opaque", opaque)):
        job = await enqueue(redis, "opaque")
        with pytest.raises(SerializationError, match="unable to serialize result"):
            await job.result(**PATIENT)


async def test_results_are_kept_as_long_as_the_worker_or_the_function_says(
    redis: ArqRedis, make_worker: MakeWorker
) -> None:
    functions = [
        arq_function("worker_says", echo),
        arq_function("function_says", echo, keep_result=50),
        arq_function("not_kept", echo, keep_result=0),
        arq_function("for_ever", echo, keep_result_forever=True),
    ]
    async with make_worker(*functions, keep_result=500):
        jobs = {function.name: await enqueue(redis, function.name) for function in functions}
        for name in ("worker_says", "function_says", "for_ever"):
            await jobs[name].result(**PATIENT)
        with pytest.raises(ResultNotFound):
            await jobs["not_kept"].result(**PATIENT)
    kept_s = {name: await redis.ttl(keys.result(job.job_id)) for name, job in jobs.items()}
    assert 50 < kept_s["worker_says"] <= 500
    assert 0 < kept_s["function_says"] <= 50
    assert kept_s["for_ever"] == -1
    await redis.delete(keys.result(jobs["for_ever"].job_id))


async def test_a_failure_is_kept_for_ever_where_results_are(redis: ArqRedis, make_worker: MakeWorker) -> None:
    """With plain arq this ends the worker."""
    async with make_worker(ECHO, keep_result_forever=True):
        job = await enqueue(redis, "echo", _job_try=6)
        with pytest.raises(RuntimeError, match="max 5 retries exceeded"):
            await job.result(**PATIENT)
    assert await redis.ttl(keys.result(job.job_id)) == -1
    await redis.delete(keys.result(job.job_id))


async def test_each_queue_has_its_own_workers(redis: ArqRedis, make_worker: MakeWorker) -> None:
    async def where(ctx: dict[str, Any]) -> str:
        job = await ctx["redis"].enqueue_job("echo", _queue_name="other:queue")
        assert job is not None
        return str(job.job_id)

    async with make_worker(arq_function("where", where)):
        first = await enqueue(redis, "where")
        job_id = await first.result(**PATIENT)
        second = Job(job_id, redis, _queue_name="other:queue", _deserializer=codec.loads)
        assert await second.status() is JobStatus.queued
        async with make_worker(ECHO, name="w2", queue_name="other:queue"):
            await second.result(**PATIENT)
    await redis.delete("other:queue")
