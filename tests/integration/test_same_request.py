"""The very same request is ordered once, whoever hands it in, unless its run is long over or somebody says `again`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue, RunHandle, State, Submission
from jobs.moves import By, plan_move
from jobs.outcomes import Finish
from jobs.run import Facts, to_ms
from jobs.store import Lifetimes, RunStore
from tests.stage_rig import request

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"


@pytest.fixture
def queue(redis: ArqRedis) -> OrderQueue:
    return OrderQueue(RunStore(redis))


async def end(handle: RunHandle, queue: OrderQueue, state: State, facts: Facts | None = None) -> None:
    """Let a run end so, as a worker would."""
    await queue.store.move(plan_move(await handle.status(), Finish(state, "ended", facts=facts or {}), By.person()))


async def forget_end(handle: RunHandle, queue: OrderQueue, ago: timedelta) -> None:
    """Let the run have ended so long ago."""
    name = f"orders:run:{handle.run_id}"
    await queue.store.redis.hset(name, "finished_at", str(to_ms(datetime.now(UTC) - ago)))  # type: ignore[misc]  # redis-py: perhaps awaitable


async def test_the_same_request_is_the_same_run_whoever_submits_it(queue: OrderQueue) -> None:
    first = await queue.submit(request(), key="a", producer="one", destination="memory://one")

    second = await queue.submit(dict(reversed(request().items())), producer="two", destination="memory://two")

    assert (first.created, first.ordered_before) == (True, False)
    assert (second.run_id, second.created, second.ordered_before) == (first.run_id, False, True)
    assert await queue.store.redis.zcard(queue.store.queue) == 1


async def test_another_key_is_another_order(queue: OrderQueue) -> None:
    """Whoever gives a key has said what is the same, and what is not."""
    handles = [await queue.submit(request(), key=key) for key in ("a", "b")]

    assert [handle.created for handle in handles] == [True, True]
    assert (await queue.submit(request())).run_id == handles[1].run_id


async def test_another_name_or_item_is_another_request(queue: OrderQueue) -> None:
    handles = [await queue.submit(each) for each in (request(), request(name="field 8"), request(items=("other",)))]

    assert all(handle.created for handle in handles)


async def test_whoever_asks_for_it_again_gets_it_and_is_found_from_then_on(queue: OrderQueue) -> None:
    await queue.submit(request())
    second = await queue.submit(request(), again=True)

    third = await queue.submit(request())

    assert second.created
    assert third.run_id == second.run_id


async def test_the_same_lines_of_one_batch_are_one_run(queue: OrderQueue) -> None:
    answers = await queue.submit_many([request(), request(name="field 8"), request()])

    handles = [answer for answer in answers if isinstance(answer, RunHandle)]
    assert [handle.created for handle in handles] == [True, True, False]
    assert handles[2].run_id == handles[0].run_id
    assert handles[2].ordered_before


async def test_of_many_producers_at_the_same_moment_one_orders(queue: OrderQueue) -> None:
    handles = await asyncio.gather(*(queue.submit(request()) for _ in range(20)))

    assert sum(handle.created for handle in handles) == 1
    assert len({handle.run_id for handle in handles}) == 1


BILLED = {"order_id": ORDER_ID, "order_state": "success"}


@pytest.mark.parametrize(
    ("state", "facts", "ordered"),
    [
        (State.DONE, BILLED, True),
        (State.PARTIAL, BILLED, True),
        (State.FAILED, {}, False),
        (State.CANCELLED, {}, False),
        (State.EXPIRED, {}, False),
        (State.FAILED, {"order_id": ORDER_ID, "order_state": "failed"}, False),
        (State.CANCELLED, {"order_id": ORDER_ID, "order_state": "cancelled"}, False),
        pytest.param(State.FAILED, BILLED, True, id="billed-and-not-fetched"),
        pytest.param(State.EXPIRED, {"order_id": ORDER_ID, "order_state": "running"}, True, id="goes-on-at-planet"),
        pytest.param(State.FAILED, {"intent_at": datetime.now(UTC)}, True, id="perhaps-ordered"),
    ],
)
async def test_a_run_that_ended_counts_where_planet_may_bill_its_order(
    queue: OrderQueue, state: State, facts: dict[str, Any], ordered: bool
) -> None:
    first = await queue.submit(request())
    await end(first, queue, state, facts)

    assert (await queue.submit(request())).ordered_before is ordered


@pytest.mark.parametrize(("days", "ordered"), [(6.9, True), (7.1, False)])
async def test_a_week_after_its_end_a_run_does_not_count(queue: OrderQueue, days: float, ordered: bool) -> None:
    first = await queue.submit(request())
    await end(first, queue, State.DONE)
    await forget_end(first, queue, timedelta(days=days))

    assert (await queue.submit(request())).ordered_before is ordered


async def test_a_run_that_has_not_ended_counts_however_old_it_is(queue: OrderQueue) -> None:
    first = await queue.submit(request())
    name = f"orders:run:{first.run_id}"
    await queue.store.redis.hset(name, "created_at", "1")  # type: ignore[misc]  # redis-py: perhaps awaitable

    assert (await queue.submit(request())).ordered_before


async def test_a_run_that_is_forgotten_does_not_count(queue: OrderQueue) -> None:
    first = await queue.submit(request(), key="a")
    await queue.store.redis.delete(f"orders:run:{first.run_id}")

    assert (await queue.submit(request(), key="a")).created


async def test_a_record_that_cannot_be_read_is_not_ordered_a_second_time(queue: OrderQueue) -> None:
    """And holds nobody else up."""
    first = await queue.submit(request())
    await queue.store.redis.set(f"orders:run:{first.run_id}", "garbage", px=600_000)

    same, other = await queue.submit_many([request(), request(name="field 8")])

    assert isinstance(same, RunHandle)
    assert isinstance(other, RunHandle)
    assert (same.run_id, same.created, other.created) == (first.run_id, False, True)


async def test_without_days_every_submission_is_a_run(redis: ArqRedis) -> None:
    queue = OrderQueue(RunStore(redis, lifetimes=Lifetimes(same_request=timedelta())))

    answers = await queue.submit_many([Submission(request()) for _ in range(3)])

    assert [isinstance(answer, RunHandle) and answer.created for answer in answers] == [True] * 3
