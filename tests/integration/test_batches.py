"""Batches on a real Valkey: counts are exact, the last run ends them, and a key makes them safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import (
    BadRequest,
    BatchHandle,
    BatchNotFound,
    BatchTimeout,
    OrderQueue,
    RunHandle,
    State,
    Submission,
    UnreadableBatch,
    keys,
)
from jobs.moves import plan_move
from jobs.outcomes import Advance, Park
from jobs.run import Stage
from jobs.store import RunStore, read
from jobs.sweep import sweep
from tests.batch_rig import DONE, FAILED, ME, requests, step
from tests.stage_rig import request

BAD = request(items=())


class ProducerDied(Exception):
    """What a test ends a submission with."""


@pytest.fixture
def queue(redis: ArqRedis) -> OrderQueue:
    return OrderQueue(RunStore(redis))


async def counts(batch: BatchHandle) -> dict[str, int]:
    return {state.value: count for state, count in (await batch.status()).runs.items() if count}


def until(count: int, requests: list[Any]) -> Iterator[Any]:
    """The first requests; then the producer dies."""
    yield from requests[:count]
    raise ProducerDied


async def test_a_batch_counts_its_runs_by_state_as_they_move(queue: OrderQueue) -> None:
    batch = await queue.submit_batch(requests(3))
    assert await counts(batch) == {"queued": 3}

    await step(queue, batch.answers[0], Advance(Stage.WAIT, "ordered"))
    await step(queue, batch.answers[1], Park(0, "waiting"))
    assert await counts(batch) == {"queued": 1, "waiting": 2}

    await step(queue, batch.answers[0], DONE)
    assert isinstance(batch.answers[2], RunHandle)
    await queue.cancel(batch.answers[2].run_id)
    assert await counts(batch) == {"waiting": 1, "done": 1, "cancelled": 1}


async def test_a_started_run_is_counted_as_creating(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([request()])
    (answer,) = batch.answers
    assert isinstance(answer, RunHandle)
    job_id = (await answer.status()).job_id or ""
    await queue.store.redis.psetex(keys.in_progress(job_id), 15_000, ME.owner)

    for _ in range(2):  # the second start is after a kill
        run = await queue.store.begin(answer.run_id, job_id, ME, "file:///data")
        assert await counts(batch) == {"creating": 1}
    await queue.store.move(plan_move(run, DONE, ME))


async def test_a_move_that_is_asked_for_again_is_counted_once(queue: OrderQueue) -> None:
    batch = await queue.submit_batch(requests(2))
    (first, _) = batch.answers
    assert isinstance(first, RunHandle)
    job_id = (await first.status()).job_id or ""
    await queue.store.redis.psetex(keys.in_progress(job_id), 15_000, ME.owner)
    move = plan_move(await queue.store.begin(first.run_id, job_id, ME, "file:///data"), DONE, ME)

    for _ in range(2):
        await queue.store.move(move)

    assert await counts(batch) == {"queued": 1, "done": 1}


async def test_a_batch_has_ended_when_its_last_run_has_and_a_retry_takes_that_back(queue: OrderQueue) -> None:
    batch = await queue.submit_batch(requests(2))
    await step(queue, batch.answers[0], DONE)
    assert not (await batch.status()).has_ended
    run = await step(queue, batch.answers[1], FAILED)
    assert (await batch.status()).has_ended

    await queue.retry(run.run_id)
    assert not (await batch.status()).has_ended
    await step(queue, batch.answers[1], DONE)

    ended = await batch.status()
    assert ended.has_ended
    assert (ended.total, ended.ended) == (2, 2)


async def test_a_batch_and_all_that_is_its_own_live_as_long_as_its_runs(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([request()], key="harvest")
    names = [keys.batch(batch.batch_id), keys.batch_runs(batch.batch_id), keys.batch_key("harvest")]

    assert [await queue.store.redis.ttl(name) for name in names] == [-1, -1, -1]
    run = await step(queue, batch.answers[0], FAILED)
    assert all([89 * 86_400 < await queue.store.redis.ttl(name) <= 90 * 86_400 for name in names])
    await queue.retry(run.run_id)
    assert [await queue.store.redis.ttl(name) for name in names] == [-1, -1, -1]
    await step(queue, batch.answers[0], DONE)


async def test_the_answers_are_in_the_order_of_the_requests_and_so_are_the_runs(queue: OrderQueue) -> None:
    names = [f"field {number}" for number in range(120)]
    wanted = [request(name=name) for name in names]
    wanted[7] = BAD

    batch = await queue.submit_batch(wanted, name="all fields", producer="farm")

    assert isinstance(batch.answers[7], BadRequest)
    assert [run.name async for run in batch.runs()] == names[:7] + names[8:]
    record = await queue.batch(batch.batch_id).status()
    assert (record.name, record.producer, record.requests, record.refused) == ("all fields", "farm", 120, 1)


async def test_a_batch_whose_producer_died_is_completed_by_submitting_it_again(queue: OrderQueue) -> None:
    """Nothing is lost and nothing is submitted twice."""
    wanted = [request(name=f"field {number}") for number in range(250)]
    with pytest.raises(ProducerDied):
        await queue.submit_batch(until(230, wanted), key="harvest")

    batch = await queue.submit_batch(wanted, key="harvest")

    handles = [answer for answer in batch.answers if isinstance(answer, RunHandle)]
    assert len({handle.run_id for handle in handles}) == 250
    assert 0 < sum(handle.created for handle in handles) < 250
    record = await batch.status()
    assert (record.total, record.requests, record.elsewhere) == (250, 250, 0)
    assert [queued.batch_id for queued in await queue.batches.newest(10)] == [batch.batch_id]


async def test_a_batch_that_was_not_submitted_to_its_end_has_not_ended(queue: OrderQueue) -> None:
    with pytest.raises(ProducerDied):
        await queue.submit_batch(until(1, [request()]), key="harvest")
    (record,) = await queue.batches.newest(1)
    batch = queue.batch(record.batch_id)

    assert (record.submitted_at, record.has_ended) == (None, False)
    with pytest.raises(BatchTimeout, match="not submitted to its end"):
        await batch.result(timeout=0)
    assert await queue.store.redis.ttl(keys.batch(record.batch_id)) > 0


async def test_a_run_that_a_key_had_already_stays_where_it_is(queue: OrderQueue) -> None:
    alone = await queue.submit(request(), key="field-7")

    batch = await queue.submit_batch([Submission(request(), key="field-7"), request(name="field 8")])

    (known, _) = batch.answers
    assert isinstance(known, RunHandle)
    assert (known.run_id, known.created) == (alone.run_id, False)
    record = await batch.status()
    assert (record.total, record.elsewhere) == (1, 1)


async def test_a_batch_of_bad_requests_ends_at_once(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([BAD, BAD])

    summary = await batch.result(timeout=10)

    assert (summary.batch.refused, summary.batch.total) == (2, 0)
    assert not summary.batch.has_all_files


async def test_submitting_an_ended_batch_again_changes_nothing(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([request()], key="harvest")
    await step(queue, batch.answers[0], DONE)
    before = await batch.status()

    again = await queue.submit_batch([request()], key="harvest")

    assert again.batch_id == batch.batch_id
    assert await again.status() == before


async def test_the_result_tells_totals_and_failures_by_cause(queue: OrderQueue) -> None:
    batch = await queue.submit_batch(requests(4))
    for answer in batch.answers[:2]:
        await step(queue, answer, DONE)
    with pytest.raises(BatchTimeout, match="2 of 4 runs"):
        await batch.result(timeout=0)
    for answer in batch.answers[2:]:
        await step(queue, answer, FAILED)

    summary = await queue.batch(batch.batch_id).result(timeout=10)

    assert (summary.files, summary.bytes) == (6, 200)
    assert [(group.runs, group.cause.type) for group in summary.failures] == [(2, "OverQuota")]
    told = summary.as_dict()
    assert (told["runs"]["done"], told["runs"]["failed"]) == (2, 2)
    assert told["failures"][0]["message"] == "no quota for item …"


async def test_a_callback_must_be_an_address(queue: OrderQueue) -> None:
    for url in (
        "hooks.example.com",
        "ftp://example.com/",
        "https://",
        "https://me:secret@example.com/",
        "https://a:b/",
    ):
        with pytest.raises(BadRequest, match="callback_url"):
            await queue.submit_batch([request()], callback_url=url)
    assert await queue.batches.newest(1) == []


async def test_a_batch_that_is_not_there_is_told_so(queue: OrderQueue) -> None:
    with pytest.raises(BatchNotFound, match="nobody"):
        await queue.batch("nobody").status()


async def test_the_sweep_forgets_batches_that_are_no_longer_kept(queue: OrderQueue) -> None:
    batch = await queue.submit_batch([BAD])
    await queue.store.redis.delete(keys.batch(batch.batch_id))
    await queue.store.redis.zadd(keys.BATCHES, {batch.batch_id: 1})

    await sweep(queue.store, ME)

    assert await queue.store.redis.zcard(keys.BATCHES) == 0


async def test_a_batch_whose_runs_ended_before_it_was_whole_ends_when_it_is(queue: OrderQueue) -> None:
    """A worker can be quicker than the producer; the job that tells of the end is written then."""
    wanted = requests(100)
    with pytest.raises(ProducerDied):
        await queue.submit_batch(until(100, wanted), key="harvest", callback_url="https://hooks.example.com/")
    (record,) = await queue.batches.newest(1)
    batch = queue.batch(record.batch_id)
    async for run in batch.runs():
        await step(queue, queue.run(run.run_id), DONE)
    assert not (await batch.status()).has_ended

    await queue.submit_batch(wanted, key="harvest", callback_url="https://hooks.example.com/")

    assert (await batch.status()).has_ended
    assert await queue.store.redis.zscore("arq:queue", f"callback:{batch.batch_id}:1") is not None


@pytest.mark.parametrize("part", [keys.batch, keys.batch_runs])
@pytest.mark.parametrize("text", ["", "garbage"], ids=["gone", "garbage"])
async def test_a_batch_that_is_damaged_keeps_none_of_its_runs_from_moving(
    queue: OrderQueue, part: Callable[[str], str], text: str
) -> None:
    batch = await queue.submit_batch(requests(2), key="harvest")
    await queue.store.redis.delete(part(batch.batch_id))
    if text:
        await queue.store.redis.set(part(batch.batch_id), text, ex=60)

    run = await step(queue, batch.answers[0], FAILED)
    await queue.retry(run.run_id)
    for answer in batch.answers:
        assert (await step(queue, answer, DONE)).state is State.DONE
    more = await queue.submit_batch(requests(3), key="harvest")
    assert (await step(queue, more.answers[2], DONE)).state is State.DONE
    await queue.store.redis.delete(keys.batch_runs(batch.batch_id))  # what damage leaves, nobody clears away


async def test_a_batch_whose_record_is_garbage_is_told_so_and_hides_no_other(queue: OrderQueue) -> None:
    garbled, wrong, good = [(await queue.submit_batch([BAD])).batch_id for _ in range(3)]
    await queue.store.redis.set(keys.batch(wrong), "garbage", ex=60)
    await read(queue.store.redis.hset(keys.batch(garbled), "queued", "many"))

    for batch_id in (garbled, wrong):
        with pytest.raises(UnreadableBatch, match=batch_id):
            await queue.batch(batch_id).status()
    assert [batch.batch_id for batch in await queue.batches.newest(10)] == [good]
