"""What a day may order is counted right before the POST, and what cannot be counted is not ordered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from jobs import keys
from jobs.caps import Allowance, Caps
from jobs.errors import CapReached, LeaseInDoubt
from jobs.outcomes import Advance, Again, Finish, Outcome
from jobs.run import FailureKind, Run, State
from jobs.runner import run_stage
from tests.stage_rig import Rig, new_run, open_rig, request
from worker.caps import caps_of
from worker.settings import Settings


@pytest.fixture
async def rig(tmp_path: Path, redis: ArqRedis) -> AsyncIterator[Rig]:
    """Two orders a day, for the fleet."""
    async with open_rig(tmp_path) as rig:
        rig.caps = Caps(redis, Allowance(orders=2))
        yield rig


async def create(rig: Rig, number: int = 1, **fields: object) -> Outcome:
    """The create stage of another run."""
    rig.run = new_run(run_id=f"01JQ8Z5V6W00000000000000{number:02}", **fields)
    return await rig.step()


async def used(redis: ArqRedis, name: str = "orders") -> float:
    """What is counted, today and, if it was midnight in between, yesterday."""
    sums = [await redis.hget(key, name) for key in await redis.keys(keys.spent("*"))]  # type: ignore[misc]  # redis-py: perhaps awaitable
    return sum(float(counted or 0) for counted in sums)


def posts(rig: Rig) -> int:
    return rig.simulator.report().requests.get("create", 0)


async def test_beyond_the_cap_nothing_is_sent_and_the_run_says_what_to_do(rig: Rig) -> None:
    assert isinstance(await create(rig, 1), Advance)
    assert isinstance(await create(rig, 2), Advance)

    outcome = await create(rig, 3)

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert outcome.reason == (
        "the fleet may order 2 orders a day, 2 of them are ordered since midnight UTC, and this has 1: "
        "retry it tomorrow, or raise ORDERS_CAP_ORDERS; nothing was ordered"
    )
    assert rig.run.error is not None
    assert (rig.run.error.kind, rig.run.error.type) == (FailureKind.PRODUCER, "CapReached")
    assert rig.run.intent_at is None
    assert posts(rig) == 2


async def test_a_retry_after_midnight_goes_through(rig: Rig, redis: ArqRedis) -> None:
    for number in range(4):
        await create(rig, number)
    (key,), (marks,) = await redis.keys(keys.spent("*")), await redis.keys(keys.counted("*"))
    await redis.rename(key, keys.spent("yesterday"))
    await redis.rename(marks, keys.counted("yesterday"))

    assert isinstance(await create(rig, 3), Advance)


async def test_an_order_that_is_looked_up_and_sent_again_is_counted_once(rig: Rig, redis: ArqRedis) -> None:
    """Whether the first POST was taken is in doubt, so its place stays taken until the second."""
    rig.simulator.fail("create", status=502)
    assert isinstance(await create(rig), Again)
    assert await used(redis) == 1

    rig.now += timedelta(seconds=60)
    assert isinstance(await rig.step(), Advance)

    assert posts(rig) == 2
    assert await used(redis) == 1


async def test_an_order_that_is_found_by_its_name_is_counted_once(rig: Rig, redis: ArqRedis) -> None:
    rig.simulator.drop_reply("create")
    await create(rig)

    assert isinstance(await rig.step(), Advance)
    assert await used(redis) == 1


@pytest.mark.parametrize("status", [400, 403, 409, 429])
async def test_an_order_that_planet_refuses_gives_its_place_back(rig: Rig, redis: ArqRedis, status: int) -> None:
    rig.simulator.fail("create", status=status, times=5)

    await create(rig)

    assert await used(redis) == 0


async def test_where_another_worker_may_have_the_job_the_place_is_kept(rig: Rig, redis: ArqRedis) -> None:
    """It may have counted the same order, and be about to send it."""
    asked = 0

    def check_lease() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise LeaseInDoubt("job", 3)

    rig.simulator.fail("create", status=400)

    await run_stage(rig.run, replace(rig.context, check_lease=check_lease))

    assert asked == 2
    assert await used(redis) == 1


async def test_what_cannot_be_counted_is_not_sent(rig: Rig) -> None:
    away = ArqRedis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    rig.caps = Caps(away, Allowance(orders=2))

    outcome = await create(rig)

    assert isinstance(outcome, Again)
    assert not outcome.charge
    assert posts(rig) == 0
    assert rig.run.intent_at is None
    await away.aclose()


async def test_of_many_at_the_same_moment_only_as_many_pass_as_there_is_room(redis: ArqRedis) -> None:
    caps = Caps(redis, Allowance(items=20))
    runs = [new_run(run_id=f"R{number}", request=request(items=("a", "b", "c"))) for number in range(40)]

    answers = await asyncio.gather(*(caps.count(run) for run in runs), return_exceptions=True)

    assert sum(isinstance(answer, int) for answer in answers) == 6
    assert sum(isinstance(answer, CapReached) for answer in answers) == 34
    assert await used(redis, "items") == 18


async def test_a_producers_cap_stops_that_producer_only(redis: ArqRedis) -> None:
    caps = Caps(redis, producer=Allowance(orders=1))
    await caps.count(new_run(run_id="R1", producer="fields"))
    await caps.count(new_run(run_id="R2", producer="forests"))

    with pytest.raises(CapReached, match=r"producer 'fields' may order 1 orders a day.*ORDERS_CAP_ORDERS_PER_PRODUCER"):
        await caps.count(new_run(run_id="R3", producer="fields"))


async def test_those_who_give_no_name_share_one_cap(redis: ArqRedis) -> None:
    caps = Caps(redis, producer=Allowance(orders=1))
    await caps.count(new_run(run_id="R1"))

    with pytest.raises(CapReached, match="whoever gives no name"):
        await caps.count(new_run(run_id="R2"))


async def test_an_order_is_counted_with_its_items_and_hectares(redis: ArqRedis) -> None:
    caps = Caps(redis, Allowance(hectares=30_000))
    run = new_run(run_id="R1", request=request(items=("a", "b", "c")))

    day = await caps.count(run)

    hectares = await used(redis, "hectares")
    assert hectares == pytest.approx(3 * 8_660, rel=0.01)
    with pytest.raises(CapReached, match="30,000 hectares"):
        await caps.count(new_run(run_id="R2"))
    await caps.give_back(run, day)
    await caps.give_back(run, day)
    assert await used(redis, "hectares") == pytest.approx(0)
    await caps.count(new_run(run_id="R2"))


async def test_what_is_ordered_anew_is_counted_anew(redis: ArqRedis) -> None:
    caps = Caps(redis, Allowance(orders=2))
    for rebuys in (0, 0, 1):
        await caps.count(new_run(rebuys=rebuys))

    assert await used(redis) == 2


UNTOLD: dict[str, tuple[Run, Allowance, str]] = {
    "a whole scene": (new_run(request=request(tools=[])), Allowance(hectares=1e9), "clip it to a polygon"),
    "a basemap": (
        new_run(request={"products": [{"mosaic_name": "m", "geometry": request()["tools"][0]["clip"]["aoi"]}]}),
        Allowance(items=1e9),
        "name its quads",
    ),
}


@pytest.mark.parametrize("what", UNTOLD)
async def test_an_order_whose_size_cannot_be_told_is_refused_where_that_is_capped(redis: ArqRedis, what: str) -> None:
    run, allowance, advice = UNTOLD[what]

    with pytest.raises(CapReached, match=advice):
        await Caps(redis, allowance).count(run)
    await Caps(redis, Allowance(orders=1)).count(run)


async def test_an_order_that_never_fits_says_so(redis: ArqRedis) -> None:
    with pytest.raises(CapReached, match="this alone has 3: split it, or raise ORDERS_CAP_ITEMS"):
        await Caps(redis, Allowance(items=2)).count(new_run(request=request(items=("a", "b", "c"))))


async def test_without_a_setting_nothing_is_counted(redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert caps_of(Settings(), redis) is None
    monkeypatch.setenv("ORDERS_CAP_HECTARES_PER_PRODUCER", "0")

    caps = caps_of(Settings(), redis)

    assert caps is not None
    assert (caps.fleet, caps.producer) == (Allowance(), Allowance(hectares=0))
