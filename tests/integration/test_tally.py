"""What workers count reaches Redis once, whatever becomes of the connection meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from arq.connections import ArqRedis
from redis import Redis

from jobs import keys
from jobs.run import State
from planet_sdk.limits import LocalLimiter, RequestKind
from tests.fleet_rig import Fleet
from tests.waiting import until
from tests.worker_rig import MakeWorker, arq_function
from worker.metered import MeteredLimiter, Meters
from worker.tally import Tally

REQUEST: dict[str, Any] = {
    "name": "oregon",
    "products": [{"item_ids": ["20200925_161029_69_2223"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}],
}


class LostAnswers:
    """Takes what it is sent, and lets the answer get lost."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def register_script(self, source: str) -> Any:
        take = self._redis.register_script(source)

        def lose(**arguments: Any) -> None:
            take(**arguments)
            raise ConnectionError("the answer got lost")

        return lose


@pytest.fixture
async def blocking(redis: ArqRedis, redis_url: str) -> AsyncIterator[Redis]:
    """As the pulse's thread has it, with the reports of two workers."""
    for name in ("w1", "w2"):
        await redis.hset(keys.worker(name), "name", name)  # type: ignore[misc]  # redis-py types it as perhaps no coroutine
        await redis.expire(keys.worker(name), 60)
    with Redis.from_url(redis_url) as connection:
        yield connection


async def sums(redis: ArqRedis) -> dict[str, int]:
    """The fleet's sums."""
    found = await redis.hgetall(keys.TALLY)  # type: ignore[misc]  # as above
    return {name.decode(): int(text) for name, text in found.items()}


async def test_what_several_workers_count_is_added_up(redis: ArqRedis, blocking: Redis) -> None:
    one, other = Tally(), Tally()
    one.add("orders")
    other.add("orders", by=2)
    other.add("ended", "done")
    one.hand_over(blocking, "w1", "boot-1")
    other.hand_over(blocking, "w2", "boot-2")
    one.add("orders")
    one.hand_over(blocking, "w1", "boot-1")

    assert await sums(redis) == {"orders": 4, "ended|done": 1}


async def test_a_parcel_whose_answer_got_lost_is_counted_once(redis: ArqRedis, blocking: Redis) -> None:
    """It is handed over again, as it was; what was counted meanwhile comes with the next one."""
    tally = Tally()
    tally.add("orders", by=3)
    with pytest.raises(ConnectionError):
        tally.hand_over(cast("Redis", LostAnswers(blocking)), "w1", "boot-1")
    tally.add("orders")
    tally.hand_over(blocking, "w1", "boot-1")
    assert await sums(redis) == {"orders": 3}

    tally.hand_over(blocking, "w1", "boot-1")
    assert await sums(redis) == {"orders": 4}


async def test_of_a_time_the_latest_is_kept(redis: ArqRedis, blocking: Redis) -> None:
    early, late = Tally(), Tally()
    early.list_read()
    await asyncio.to_thread(until_the_clock_moves, early)
    late.list_read()
    late.hand_over(blocking, "w2", "boot-2")
    kept = await sums(redis)
    early.hand_over(blocking, "w1", "boot-1")

    assert (await sums(redis))["newest|list"] == kept["newest|list"]


def until_the_clock_moves(tally: Tally) -> None:
    """Until a later moment has another number."""
    known, other = tally._counts["newest|list"], Tally()
    while other._counts.get("newest|list", known) == known:
        other.list_read()


async def test_an_idle_worker_sends_not_one_command_for_it(redis: ArqRedis, blocking: Redis) -> None:
    tally = Tally()
    tally.add("files", by=0)
    before = (await redis.info("stats"))["total_commands_processed"]
    for _ in range(5):
        tally.hand_over(blocking, "w1", "boot-1")
    after = (await redis.info("stats"))["total_commands_processed"]

    assert after - before <= 1  # the first look itself


async def test_a_run_on_its_way_is_counted_stage_by_stage(fleet: Fleet, redis: ArqRedis) -> None:
    """From the order to the last file; what a worker counted last it hands over as it stops."""
    async with fleet.worker():
        run = await (await fleet.queue.submit(REQUEST)).result(timeout=60)
    files = [file for file in await fleet.queue.store.files(run.run_id) if file.verified]
    counted = await sums(redis)

    assert run.state is State.DONE
    assert counted["orders"] == counted["ended|done"] == 1
    assert counted["files"] == len(files)
    assert counted["bytes"] == sum(file.size_bytes or 0 for file in files)
    stages = {tuple(name.split("|")[1:3]) for name in counted if name.startswith("stage|")}
    assert {("create", "advance"), ("wait", "park"), ("download", "advance"), ("validate", "done")} <= stages
    assert counted["lists"] > 0


async def test_a_lost_lease_is_counted(make_worker: MakeWorker, redis: ArqRedis) -> None:
    async def do_nothing(_: object) -> None:
        """Any function at all."""

    async with make_worker(arq_function("idle", do_nothing)) as worker:
        worker.on_lost(["a job"])

        async def is_told() -> bool:
            return (await sums(redis)).get("leases_lost") == 1

        await until("the pulse has handed it over", is_told)


async def test_requests_count_when_they_depart_and_refusals_when_they_come() -> None:
    tally = Tally()
    limiter = MeteredLimiter(LocalLimiter({}), Meters(tally))
    async with limiter.slot(RequestKind.GET) as turn:
        assert tally._counts == {}
        assert turn is not None
        turn.departed()
        turn.departed()
    async with limiter.slot(RequestKind.LIST):
        pass  # nothing was sent
    limiter.pause(RequestKind.GET, 0)

    assert tally._counts == {"requests|get": 1, "refused|get": 1}
