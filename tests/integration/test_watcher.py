"""How finished orders are found: by Planet's list, by a hint, or by their id, whatever the list is like."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import RunHandle, State, keys
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import LocalLimiter
from planet_sdk.simulator import FaultKind
from tests.fleet_rig import QUICK, SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until

# Looks by id come too late for the test: what is found in time is found by the list, or by a hint.
BY_LIST = replace(QUICK, max_check_s=600, settle_s=6)
# Nothing is looked at of its own accord.
BY_HINT = replace(BY_LIST, first_check_s=600)
SLOW = replace(SETTINGS, queued_s=600)


async def submit(fleet: Fleet, count: int, first: int = 0) -> list[RunHandle]:
    return [await fleet.queue.submit(request([f"2022_{number}"])) for number in range(first, first + count)]


async def all_done(handles: Sequence[RunHandle]) -> None:
    runs = await asyncio.gather(*(handle.result(timeout=60) for handle in handles))
    assert {run.state for run in runs} == {State.DONE}


async def parked(handle: RunHandle) -> str:
    """The id of the order that the run waits for, once it does."""

    async def order_id() -> str | None:
        run = await handle.status()
        return run.order_id if run.state is State.WAITING and run.job_id is None else None

    return await until("the run is parked", order_id) or ""


def asked(fleet: Fleet, kind: str) -> int:
    return fleet.simulator.report().requests.get(kind, 0)


async def place_foreign_orders(fleet: Fleet, count: int) -> list[str]:
    """Orders of the same account that are no run's."""
    auth, limiter = Auth.from_key(fleet.simulator.api_key), LocalLimiter(rates={})
    async with Session(auth, base_url=fleet.simulator.url, limiter=limiter) as session:
        orders = OrdersClient(session)
        return [(await orders.create_order({**request(), "name": f"foreign {i}"}))["id"] for i in range(count)]


async def test_finished_orders_are_found_in_the_list_and_none_is_asked_for_by_its_id(fleet: Fleet) -> None:
    """The one request by id is that of the download, which mints the links."""
    await fleet.start_worker(policy=BY_LIST)
    handles = await submit(fleet, 10)

    await all_done(handles)

    assert asked(fleet, "get") == len(handles)


@pytest.mark.parametrize("skew_s", [-3600, 3600])
async def test_planets_clock_may_differ_from_ours(
    redis: ArqRedis, redis_url: str, tmp_path: Path, skew_s: float
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, SETTINGS, clock=lambda: time.time() + skew_s) as fleet:
        await fleet.start_worker(policy=BY_LIST)
        for first in (0, 3):  # the second look counts from the first
            await all_done(await submit(fleet, 3, first))
        assert asked(fleet, "get") == 6


async def test_an_order_that_the_list_shows_late_is_found(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    """Its last change lies behind changes that were seen long before."""
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, list_lag_s=2)) as fleet:
        await fleet.start_worker(policy=BY_LIST)
        (late,) = await submit(fleet, 1)
        order_id = await parked(late)
        await place_foreign_orders(fleet, 1)

        await all_done([late])

        assert asked(fleet, "get") == 1
        assert (await late.status()).order_id == order_id


async def test_no_order_is_missed_while_pages_shift(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    settings = replace(SETTINGS, max_page_size=3, queued_s=0.3, running_s=0.6, jitter=0.9)
    async with fleet_on(redis, redis_url, tmp_path, settings) as fleet:
        await fleet.start_worker(policy=BY_LIST)
        handles = await submit(fleet, 15)

        await all_done(handles)

        assert asked(fleet, "get") == len(handles)


async def test_orders_of_others_are_passed_over(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, max_page_size=7)) as fleet:
        await place_foreign_orders(fleet, 60)
        await fleet.start_worker(policy=BY_LIST)
        handles = await submit(fleet, 3)
        await place_foreign_orders(fleet, 60)

        await all_done(handles)

        assert asked(fleet, "get") == len(handles)


async def test_an_order_that_a_run_has_given_up_does_not_move_it(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        (handle,) = await submit(fleet, 1)
        (given_up,) = await place_foreign_orders(fleet, 1)
        await redis.set(keys.order(given_up), handle.run_id, ex=600)
        await fleet.start_worker(policy=BY_LIST)
        order_id = await parked(handle)

        fleet.simulator.finish(given_up, "failed")
        before = asked(fleet, "list")
        await until("it was listed", lambda: asked(fleet, "list") > before + 2)
        assert (await handle.status()).state is State.WAITING

        fleet.simulator.finish(order_id)
        await all_done([handle])


async def test_a_list_that_sorts_and_does_not_filter_will_do(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    settings = replace(SETTINGS, list_ignores=("last_modified",), max_page_size=10)
    async with fleet_on(redis, redis_url, tmp_path, settings) as fleet:
        await place_foreign_orders(fleet, 30)
        await fleet.start_worker(policy=replace(BY_LIST, settle_s=0.1))
        for first in (0, 3):
            await all_done(await submit(fleet, 3, first))
        assert asked(fleet, "get") == 6


async def test_without_filter_and_sorting_orders_are_looked_at_by_id(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, queued_s=0.5, list_ignores=("last_modified", "sort_by"))
    async with fleet_on(redis, redis_url, tmp_path, settings) as fleet:
        foreign = await place_foreign_orders(fleet, 3)
        await fleet.start_worker(policy=replace(QUICK, settle_s=0.01))
        (first,) = await submit(fleet, 1)
        fleet.simulator.finish(foreign[0], "cancelled")  # the oldest in the list has changed last
        await parked(first)

        await all_done([first, *await submit(fleet, 5, first=1)])

        assert asked(fleet, "get") > 6


async def test_a_list_that_is_refused_leaves_orders_to_be_looked_at_by_id(fleet: Fleet) -> None:
    fleet.simulator.fail("list", status=400, times=None)
    await fleet.start_worker()

    await all_done(await submit(fleet, 3))

    assert asked(fleet, "list") == 1


async def test_an_order_that_no_list_shows_is_looked_at_by_id_in_the_end(fleet: Fleet) -> None:
    fleet.simulator.doom(FaultKind.ORDER_UNLISTED, times=None)
    await fleet.start_worker()

    await all_done(await submit(fleet, 2))


async def test_an_outage_of_the_list_is_waited_out(fleet: Fleet) -> None:
    fleet.simulator.fail("list", status=503, times=6)
    await fleet.start_worker(policy=BY_LIST)
    handles = await submit(fleet, 3)

    await all_done(handles)

    assert asked(fleet, "get") == len(handles)


async def test_polling_sends_the_list_nothing(fleet: Fleet) -> None:
    await fleet.start_worker(uses_list=False)

    await all_done(await submit(fleet, 5))

    assert asked(fleet, "list") == 0


async def test_nothing_is_asked_while_nothing_is_parked(fleet: Fleet, redis: ArqRedis) -> None:
    await fleet.start_worker(policy=BY_LIST)
    await all_done(await submit(fleet, 1))

    async def rests() -> bool:
        return 0 < int(await redis.ttl(keys.CHANGES)) <= 600

    await until("the watcher has seen that nothing is parked", rests)
    before = asked(fleet, "list")
    await redis.expire(keys.CHANGES, 10_000)
    await until("it has looked again", rests)
    assert asked(fleet, "list") == before


async def test_a_successor_goes_on_where_a_killed_watcher_stood(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    """Its lease runs out; what changed meanwhile is found in the list, which is read from where it was read before."""
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        async with fleet.worker("w1", BY_LIST):
            handles = await submit(fleet, 3)
            order_ids = [await parked(handle) for handle in handles]
            await until("the list was read", partial(redis.exists, keys.CHANGES))
        for order_id in order_ids:
            fleet.simulator.finish(order_id)
        fleet.simulator.advance(3600)
        for order_id in await place_foreign_orders(fleet, 110):  # more than a first look reads
            fleet.simulator.finish(order_id, "failed")
        await redis.set(keys.lease("watcher"), "killed", px=1500)

        await fleet.start_worker("w2", BY_LIST)

        await all_done(handles)
        assert asked(fleet, "get") == len(handles)


@pytest.mark.parametrize("uses_list", [True, False])
async def test_a_hint_has_the_order_looked_at_at_once(
    redis: ArqRedis, redis_url: str, tmp_path: Path, uses_list: bool
) -> None:
    """Also where the list does not show it."""
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        fleet.simulator.doom(FaultKind.ORDER_UNLISTED, times=None)
        await fleet.start_worker(policy=BY_HINT, uses_list=uses_list)
        (handle,) = await submit(fleet, 1)
        order_id = await parked(handle)
        fleet.simulator.finish(order_id)
        await until("the bell is heard", partial(is_heard, redis))

        assert await fleet.queue.store.hint_order(order_id)

        await all_done([handle])


async def is_heard(redis: ArqRedis) -> bool:
    ((_, listeners),) = await redis.pubsub_numsub(keys.watch_bell("arq:queue"))
    return bool(listeners)


async def test_a_hint_moves_nothing_that_planet_does_not_confirm_and_a_burst_of_them_costs_little(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        await fleet.start_worker(policy=BY_HINT)
        (handle,) = await submit(fleet, 1)
        order_id = await parked(handle)
        await until("the bell is heard", partial(is_heard, redis))

        await asyncio.gather(*(fleet.queue.store.hint_order(order_id) for _ in range(100)))

        await until("the order was looked at", lambda: asked(fleet, "get"))
        assert asked(fleet, "get") <= 3
        assert (await handle.status()).state is State.WAITING


async def test_a_hint_that_nobody_hears_is_found_in_the_watch_list(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    """No watcher was there when it came."""
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        async with fleet.worker("w1", BY_HINT):
            (handle,) = await submit(fleet, 1)
            order_id = await parked(handle)
        fleet.simulator.finish(order_id)
        await fleet.queue.store.hint_order(order_id)

        await fleet.start_worker("w2", BY_HINT)

        await all_done([handle])


async def test_a_run_that_is_put_off_keeps_its_deadline(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    async with fleet_on(redis, redis_url, tmp_path, SLOW) as fleet:
        await fleet.start_worker(policy=BY_LIST)
        handle = await fleet.queue.submit(request(), deadline=timedelta(seconds=3))

        async def has_expired() -> Any:
            return (await handle.status()).state is State.EXPIRED

        await until("the run has expired", has_expired)
