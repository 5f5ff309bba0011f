"""Producers are told of ends: signed, at least once, to allowed hosts only; and no run waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus

from jobs import BatchHandle, OrderQueue, RunHandle, verify_callback
from jobs.store import RunStore
from planet_sdk.trust import Origin
from tests.batch_rig import DONE, FAILED, requests, step
from tests.receiver import Receiver, receiver
from tests.stage_rig import request
from tests.waiting import until
from tests.worker_rig import PATIENT, MakeWorker, arq_function
from worker.callbacks import Callbacks

SECRET = "a secret of the fleet's own"


@pytest.fixture
def queue(redis: ArqRedis) -> OrderQueue:
    return OrderQueue(RunStore(redis))


@pytest.fixture
def producer() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def callbacks(queue: OrderQueue, *allowed: str, **options: Any) -> Callbacks:
    origins = [Origin.of(url) for url in allowed]
    return Callbacks(queue.store, allowed=origins, secret=SECRET, **{"pauses_s": (0.02, 0.1), **options})


@asynccontextmanager
async def calling(queue: OrderQueue, make_worker: MakeWorker, *allowed: str, **options: Any) -> AsyncIterator[None]:
    """A worker that calls back, and does nothing else, until the block ends."""
    telling = callbacks(queue, *allowed)
    async with make_worker(telling.function(), on_shutdown=telling.aclose, **options):
        yield


async def submit(queue: OrderQueue, url: str, **more: Any) -> RunHandle:
    return await queue.submit(request(), callback_url=f"{url}/ended?for=field-7", key="field-7", **more)


async def note_of(batch: BatchHandle) -> str | None:
    return (await batch.status()).callback_note


async def last_note(queue: OrderQueue, run: RunHandle) -> str:
    lines = await queue.run(run.run_id).log()
    return lines[-1]["why"] if lines else ""


async def test_the_end_of_a_run_is_told_signed_and_without_secrets(
    queue: OrderQueue, make_worker: MakeWorker, producer: Receiver
) -> None:
    run = await submit(queue, producer.url)
    await step(queue, run, DONE)

    async with calling(queue, make_worker, producer.url):
        await until("the producer is called", lambda: bool(producer.bodies))

    (event,) = producer.events()
    assert (event["event"], event["run"]["run_id"]) == ("run.ended", run.run_id)
    assert (event["run"]["state"], event["run"]["key"], event["run"]["files_done"]) == ("done", "field-7", 3)
    assert "request" not in event["run"]
    assert producer.paths == ["/ended?for=field-7"]
    signature = producer.headers[0]["orders-signature"]
    assert verify_callback(producer.bodies[0], signature, SECRET)
    assert not verify_callback(producer.bodies[0] + b" ", signature, SECRET)


async def test_the_end_of_a_batch_is_told_once_when_its_last_run_has_ended(
    queue: OrderQueue, make_worker: MakeWorker, producer: Receiver
) -> None:
    batch = await queue.submit_batch(requests(2), name="harvest", callback_url=producer.url)
    async with calling(queue, make_worker, producer.url):
        await step(queue, batch.answers[0], DONE)
        await step(queue, batch.answers[1], FAILED)
        await until("the batch says that it was told of", partial(note_of, batch))

    (event,) = producer.events()
    assert (event["event"], event["batch"]["batch_id"]) == ("batch.ended", batch.batch_id)
    assert (event["batch"]["runs"]["done"], event["batch"]["failures"][0]["type"]) == (1, "OverQuota")
    assert await note_of(batch) == "delivered"


async def test_the_job_that_tells_is_written_with_the_end_itself(queue: OrderQueue, producer: Receiver) -> None:
    """Whoever dies after that leaves it to others."""
    run = await submit(queue, producer.url)
    ended = await step(queue, run, DONE)

    job = Job(f"callback:{run.run_id}:{ended.step}", queue.store.redis)

    assert await job.status() is JobStatus.queued


async def test_a_producer_that_is_out_of_order_is_called_again(
    queue: OrderQueue, make_worker: MakeWorker, producer: Receiver
) -> None:
    producer.answers = [500, 302, 404]
    batch = await queue.submit_batch(requests(1), callback_url=producer.url)
    await step(queue, batch.answers[0], DONE)

    async with calling(queue, make_worker, producer.url):
        await until("it is called until it takes the call", lambda: len(producer.bodies) == 4)

    assert producer.paths == ["/"] * 4, "no redirect is followed"
    assert len({event["id"] for event in producer.events()}) == 1


async def test_nobody_is_called_whom_settings_do_not_allow(
    queue: OrderQueue, make_worker: MakeWorker, producer: Receiver
) -> None:
    """The port counts, and so does the scheme; the run is as done as ever, and its log tells."""
    run = await submit(queue, producer.url)
    await step(queue, run, DONE)

    async with calling(queue, make_worker, "http://127.0.0.1:1", producer.url.replace("http", "https")):
        await until("the run's log tells", partial(last_note, queue, run))

    assert "ORDERS_CALLBACK_HOSTS" in await last_note(queue, run)
    assert producer.bodies == []
    assert (await run.status()).state.has_files


async def test_a_producer_that_does_not_answer_keeps_no_other_job_from_going_on(
    queue: OrderQueue, make_worker: MakeWorker, producer: Receiver
) -> None:
    producer.is_open.clear()
    for number in range(6):
        run = await queue.submit(request(name=f"field {number}"), callback_url=producer.url)
        await step(queue, run, DONE)

    async def answer(_ctx: object) -> str:
        return "at work"

    telling = callbacks(queue, producer.url)
    functions = telling.function(), arq_function("answer", answer)
    async with make_worker(*functions, max_jobs=5, on_shutdown=telling.aclose):
        await until("as many calls as there may be are under way", lambda: len(producer.bodies) == 4)
        job = await queue.store.redis.enqueue_job("answer")
        assert job is not None
        assert await job.result(**PATIENT) == "at work"
        assert len(producer.bodies) == 4
        producer.is_open.set()
        await until("the others are called after that", lambda: len(producer.bodies) >= 6)


async def test_it_is_given_up_after_a_day_and_the_run_tells(queue: OrderQueue, producer: Receiver) -> None:
    run = await submit(queue, "http://127.0.0.1:1")
    await step(queue, run, DONE)
    telling = callbacks(queue, "http://127.0.0.1:1", now=lambda: datetime.now(UTC) + timedelta(days=2))
    ctx = {"job_id": "j", "job_try": 30, "enqueue_time": datetime.now(UTC)}

    assert (await telling.call(ctx, "run", run.run_id)).startswith("not delivered: given up after a day: ConnectError")
    assert (await last_note(queue, run)).startswith("given up")
    await telling.aclose()


async def test_a_run_that_was_taken_up_again_is_not_told_of(queue: OrderQueue, producer: Receiver) -> None:
    run = await submit(queue, producer.url)
    await step(queue, run, FAILED)
    await queue.retry(run.run_id)
    ctx = {"job_id": "j", "job_try": 1, "enqueue_time": datetime.now(UTC)}

    assert (await callbacks(queue, producer.url).call(ctx, "run", run.run_id)).startswith("nothing to tell")
    assert (await callbacks(queue).call(ctx, "batch", "gone")).startswith("nothing to tell")
    assert producer.bodies == []
