"""A request with more items than an order holds: several runs behind one handle."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import NotPossible, OrderQueue, RunFailed, RunHandle, State, keys
from jobs.outcomes import Advance
from jobs.run import Stage
from jobs.store import RunStore
from planet_sdk.trust import Origin
from tests.batch_rig import DONE, FAILED, step
from tests.fleet_rig import Fleet
from tests.receiver import receiver
from tests.stage_rig import request
from worker.callbacks import Callbacks


@pytest.fixture
def queue(redis: ArqRedis) -> OrderQueue:
    return OrderQueue(RunStore(redis))


def large(count: int = 1_200, **more: Any) -> dict[str, Any]:
    return request([f"item-{number}" for number in range(count)], **more)


async def part_handles(queue: OrderQueue, run: RunHandle) -> list[RunHandle]:
    return [queue.run(part.run_id) for part in await run.parts()]


async def test_it_becomes_several_runs_and_one_handle(queue: OrderQueue) -> None:
    run = await queue.submit(large(), key="field-7")

    parts = await run.parts()
    assert [len(part.request["products"][0]["item_ids"]) for part in parts] == [400, 400, 400]
    assert [part.name for part in parts] == [f"field 7 ({number} of 3)" for number in (1, 2, 3)]
    assert [part.part_of for part in parts] == [None, run.run_id, run.run_id]
    whole = await queue.run(run.run_id).status()
    assert (whole.run_id, whole.name, whole.state) == (run.run_id, "field 7", State.QUEUED)
    assert await queue.store.redis.zcard(queue.store.queue) == 3


async def test_the_same_key_or_request_is_the_same_run_with_all_its_parts(queue: OrderQueue) -> None:
    run = await queue.submit(large(), key="field-7")

    assert (await queue.submit(large(), key="field-7")).run_id == run.run_id
    assert (await queue.submit(large())).ordered_before
    assert await queue.store.redis.zcard(keys.RUNS) == 3


async def test_it_is_not_bought_again_when_only_some_of_its_parts_were(queue: OrderQueue) -> None:
    """The first part failed without an order; the others are on their way."""
    run = await queue.submit(large())
    first, *_ = await part_handles(queue, run)
    await step(queue, first, FAILED)

    again = await queue.submit(large())

    assert (again.run_id, again.ordered_before) == (run.run_id, True)


async def test_it_is_where_the_part_is_that_is_furthest_behind(queue: OrderQueue) -> None:
    run = await queue.submit(large())
    first, second, third = await part_handles(queue, run)

    await step(queue, first, DONE)
    await step(queue, second, Advance(Stage.WAIT, "ordered"))
    assert (await run.status()).state is State.QUEUED
    await step(queue, third, DONE)
    whole = await run.status()
    assert (whole.state, whole.reason, whole.finished_at) == (State.WAITING, "part 2 of 3: ordered", None)

    await step(queue, second, DONE)
    whole = await run.result(timeout=10)
    assert (whole.state, whole.files_done, whole.bytes_done) == (State.DONE, 9, 300)


async def test_it_has_failed_when_one_part_has_and_a_retry_takes_up_that_part_alone(queue: OrderQueue) -> None:
    run = await queue.submit(large())
    first, second, third = await part_handles(queue, run)
    for part, outcome in ((first, DONE), (second, FAILED), (third, DONE)):
        await step(queue, part, outcome)

    with pytest.raises(RunFailed, match="no quota"):
        await run.result(timeout=10)
    assert (await queue.retry(run.run_id)).state is State.QUEUED
    assert [part.state for part in await run.parts()] == [State.DONE, State.QUEUED, State.DONE]

    await step(queue, second, DONE)
    with pytest.raises(NotPossible):
        await queue.retry(run.run_id)


async def test_to_cancel_it_cancels_all_of_its_parts(queue: OrderQueue) -> None:
    run = await queue.submit(large())
    first, *_ = await part_handles(queue, run)
    await step(queue, first, DONE)

    assert (await queue.cancel(run.run_id)).state is State.CANCELLED

    assert [part.state for part in await run.parts()] == [State.DONE, State.CANCELLED, State.CANCELLED]
    assert (await queue.cancel(run.run_id)).state is State.CANCELLED


async def test_its_parts_are_runs_of_its_batch(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([request(), large(), request(name="field 8")])

    record = await batch.status()
    assert (record.requests, record.total) == (3, 5)
    names = [run.name async for run in batch.runs()]
    assert (names[0], names[-1]) == ("field 7", "field 8")
    assert sorted(names[1:-1]) == [f"field 7 ({number} of 3)" for number in (1, 2, 3)]


async def test_its_end_is_told_once_when_all_parts_have_ended(queue: OrderQueue) -> None:
    with receiver() as producer:
        run = await queue.submit(large(), callback_url=producer.url)
        telling = Callbacks(queue.store, allowed=[Origin.of(producer.url)], secret="a secret")
        ctx = {"job_try": 1, "enqueue_time": datetime.now(UTC)}
        tell = partial(telling.call, told="run")
        handles = await part_handles(queue, run)
        for part in handles[:2]:
            await step(queue, part, DONE)
            assert (await tell({**ctx, "job_id": "j"}, about=part.run_id)).startswith("nothing to tell")
        await step(queue, handles[2], FAILED)

        for part in handles[1:]:  # two that ended at once may both see that all have
            assert await tell({**ctx, "job_id": "j"}, about=part.run_id) == "delivered"
        await telling.aclose()

    first, second = producer.events()
    assert first == second
    assert (first["run"]["run_id"], first["run"]["name"], first["run"]["state"]) == (run.run_id, "field 7", "failed")
    assert first["run"]["files_done"] == 6


async def test_a_fleet_delivers_all_of_it(fleet: Fleet) -> None:
    await fleet.start_worker()
    product = {
        "item_ids": [f"20200909_182525_ssc{number}" for number in range(51)],
        "item_type": "SkySatCollect",
        "product_bundle": "visual",
    }
    wanted = {"name": "field 7", "products": [product], "delivery": {"archive_type": "zip", "single_archive": True}}

    run = await fleet.queue.submit(wanted)
    whole = await run.result(timeout=60)

    assert whole.state is State.DONE
    assert list(fleet.simulator.report().orders.values()) == [1, 1]
    assert {file.path.split("/")[0] for file in await run.files()} == {part.order_id for part in await run.parts()}
