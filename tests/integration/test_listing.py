"""Pages of runs, as producers read them."""

from __future__ import annotations

import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue, Run, State, keys
from jobs.listing import Cursor, Wanted, find_page
from jobs.lookup import Named, look_up
from jobs.store import RunStore
from tests.stage_rig import request

RUNS = 7


@pytest.fixture
async def queue(redis: ArqRedis) -> OrderQueue:
    """With seven runs that came in one millisecond."""
    queue = OrderQueue(RunStore(redis))
    runs = await queue.submit_many([request(name=f"n{number}") for number in range(RUNS)])
    run_ids = [run.run_id for run in await queue.list()]
    assert len(runs) == RUNS
    for index in (keys.RUNS, keys.state(State.QUEUED)):
        await redis.zadd(index, dict.fromkeys(run_ids, 1_795_000_000_000))
    for run_id in run_ids:
        await redis.hset(keys.run(run_id), mapping=dict.fromkeys(("created_at", "updated_at"), "1795000000000"))  # type: ignore[misc]  # redis-py types both kinds of client at once
    return queue


@pytest.mark.parametrize("state", [None, State.QUEUED])
@pytest.mark.parametrize("limit", [1, 3, RUNS, 100])
async def test_the_last_run_of_a_page_leads_to_the_next_though_all_came_at_once(
    queue: OrderQueue, state: State | None, limit: int
) -> None:
    seen: list[Run] = []
    while page := await queue.list(state, limit, seen[-1] if seen else None):
        seen += page

    assert len(seen) == RUNS
    assert [run.run_id for run in seen] == sorted((run.run_id for run in seen), reverse=True)


async def test_a_page_of_one_producer_ends_after_a_bounded_look_and_goes_on_from_there(redis: ArqRedis) -> None:
    """However many runs of others lie between, each run is found once, and no page reads more than some thousand."""
    await redis.zadd(keys.RUNS, {f"X{number:05}": number for number in range(12_000)})
    for run_id in ("X00003", "X11999"):
        await redis.hset(keys.run(run_id), "producer", "ours")  # type: ignore[misc]  # as above
        await redis.expire(keys.run(run_id), 60)

    found: list[str] = []
    pages, before = 0, None
    while pages == 0 or before:
        run_ids, before = await find_page(redis, Wanted(producer="ours"), 10, before)
        found += run_ids
        pages += 1

    assert found == ["X11999", "X00003"]
    assert pages == 5


async def test_a_text_finds_runs_by_a_piece_of_their_name_and_by_an_end_of_their_id(queue: OrderQueue) -> None:
    """Whatever the case, and with letters that mean something to patterns; together with other filters."""
    redis = queue.store.redis
    one = await queue.submit(request(name="Field 100% (north)"), producer="ours")
    await queue.submit(request(name="field 100% (north), theirs"))

    async def found(text: str, producer: str | None = None) -> list[str]:
        return (await find_page(redis, Wanted(text=text, producer=producer), 10))[0]

    assert await found(text="100% (NORTH", producer="ours") == [one.run_id]
    assert await found(text=one.run_id[:-2].lower(), producer="ours") == [one.run_id]
    assert await found(text=one.run_id[2:], producer="ours") == [one.run_id]
    assert len(await found(text="field 100%")) == 2
    assert await found(text="field.100") == []


async def test_what_is_no_record_is_not_found_and_holds_nobody_up(queue: OrderQueue) -> None:
    redis = queue.store.redis
    await redis.zadd(keys.RUNS, {"gone": 1_795_000_000_001, "damaged": 1_795_000_000_002})
    await redis.set(keys.run("damaged"), "no hash", ex=60)

    run_ids, _ = await find_page(redis, Wanted(text="n3"), 10)

    assert [run.name for run in await queue.store.get_many(run_ids)] == ["n3"]


async def test_an_id_an_orders_id_and_a_key_lead_to_their_run_or_batch(redis: ArqRedis) -> None:
    queue = OrderQueue(RunStore(redis))
    run = await queue.submit(request(), key="field-7")
    batch = await queue.submit_batch([request(name="b")], key="harvest")
    await redis.set(keys.order("2887c43b"), run.run_id, ex=60)

    for text in (run.run_id, "2887c43b", "field-7"):
        assert await look_up(redis, text) == Named(run_id=run.run_id)
    for text in (batch.batch_id, "harvest"):
        assert await look_up(redis, text) == Named(batch_id=batch.batch_id)
    assert await look_up(redis, "field") is None


@pytest.mark.parametrize("text", ["", "x", "-", "1-", "1_000", "\u0661", "1-a b", "1\n", "9" * 16])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.parse(text)
