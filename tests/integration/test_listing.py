"""Pages of runs, as producers read them."""

from __future__ import annotations

import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue, Run, State, keys
from jobs.listing import Cursor, Wanted, find_page
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
    assert pages == 3


@pytest.mark.parametrize("text", ["", "x", "-", "1-", "1_000", "\u0661", "1-a b", "1\n", "9" * 16])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.parse(text)
