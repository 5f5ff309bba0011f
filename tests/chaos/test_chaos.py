"""A short storm; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from jobs import Run, keys
from planet_sdk.simulator import FaultKind
from planet_sdk.simulator.faults import ASSETS
from tests.chaos.figures import describe
from tests.chaos.plan import Plan
from tests.chaos.storm import Storm, brew
from tests.chaos.verdict import (
    PROMISES,
    a_key_has_one_run,
    every_file_is_whole,
    every_order_has_its_run,
    every_run_ends,
    every_run_ends_as_its_order,
    gather,
    judge,
    no_key_stays,
    no_log_shows_a_secret,
    no_order_is_bought_twice,
    no_worker_ends_by_itself,
    nothing_lies_elsewhere,
)

# A body that stalls costs a minute's patience, an order that is stuck is stuck for as long as it takes to be sure.
LENGTHY = {FaultKind.STALL_BODY, FaultKind.SLOW_BODY, FaultKind.ORDER_STUCK}


@pytest.mark.timeout(400)
async def test_a_fleet_that_is_struck_keeps_every_promise(tmp_path: Path) -> None:
    """Kills, a freeze, a restart of Valkey and a Planet that misbehaves: all runs end as they should, once."""
    plan = Plan(seed=3, orders=8, workers=2, kill_every_s=2, blows=4, restarts=1, without={*ASSETS, *LENGTHY})
    async with brew(plan, tmp_path) as storm:
        await storm.rage(tell=lambda _: None, patience_s=120)
        evidence = await gather(storm)
        verdict = judge(evidence)

    assert not any(verdict.values()), describe(evidence, verdict) + storm.fleet.processes.logs()


async def test_what_is_wrong_after_a_storm_is_named(tmp_path: Path) -> None:
    """A verdict that could not be anything but good would say nothing."""
    plan = Plan(orders=3, workers=1, kill_every_s=None, restarts=0, fault_rate=0)
    async with brew(plan, tmp_path) as storm:
        await storm.rage(tell=lambda _: None, patience_s=60)
        evidence = await gather(storm)
        verdict = judge(evidence)
        assert not any(verdict.values()), describe(evidence, verdict)
        await do_harm(storm, *evidence.runs.values())
        evidence = await gather(storm)

    assert [promise for promise in PROMISES if list(promise(evidence))] == [
        every_run_ends,
        every_run_ends_as_its_order,
        no_order_is_bought_twice,
        every_order_has_its_run,
        a_key_has_one_run,
        every_file_is_whole,
        nothing_lies_elsewhere,
        no_key_stays,
        no_worker_ends_by_itself,
        no_log_shows_a_secret,
    ]


async def do_harm(storm: Storm, first: Run, second: Run, third: Run) -> None:
    """Break what was promised, from every side."""
    redis, planet = storm.queue.store.redis, storm.simulator
    (storm.destination / str(first.order_id) / "manifest.json").write_bytes(b"{}")
    (storm.destination / "scene.tif.part").touch()
    async with httpx.AsyncClient(base_url=planet.url, auth=(planet.api_key, "")) as http:
        for name in (second.order_name, "nobody's"):
            await http.post("/compute/ops/orders/v2", json={**second.request, "name": name})
    planet.finish(str(second.order_id), "failed")
    await redis.delete(keys.run(third.run_id))
    await redis.set("orders:homeless", "")
    storm.strangers.append("key 0 has two runs")
    storm.fleet.strays.append("w0 ended by itself")
    (storm.folder / "worker-9.log").write_text(planet.api_key)


def tell_story(seed: int) -> tuple[object, ...]:
    plan = Plan(seed=seed, orders=20, blows=10, restarts=4)
    ids = [plan.run_id(number) for number in range(plan.orders)]
    return plan.submissions(), ids, list(plan.strikes()), plan.planet().fault_plan, plan.restart_moments()


def test_a_seed_decides_all_that_happens() -> None:
    """Two plans of one seed agree in requests, ids, blows, faults and restarts; those of two seeds do not."""
    first, again, other = tell_story(1), tell_story(1), tell_story(2)

    assert first == again
    assert all(one != another for one, another in zip(first[:4], other[:4], strict=True))
