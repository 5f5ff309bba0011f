"""A short storm; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from planet_sdk.simulator import FaultKind
from planet_sdk.simulator.faults import ASSETS
from tests.chaos.figures import describe
from tests.chaos.plan import Plan
from tests.chaos.storm import brew
from tests.chaos.verdict import gather, judge

# A body that stalls costs a minute's patience, an order that is stuck is stuck for as long as it takes to be sure.
LENGTHY = {FaultKind.STALL_BODY, FaultKind.SLOW_BODY, FaultKind.ORDER_STUCK}


@pytest.mark.timeout(400)
async def test_a_fleet_that_is_struck_keeps_every_promise(tmp_path: Path) -> None:
    """Kills, a freeze, a restart of Valkey and a Planet that misbehaves: all runs end as they should, once."""
    plan = Plan(seed=3, orders=16, workers=2, kill_every_s=2.5, blows=4, restarts=1, without={*ASSETS, *LENGTHY})
    async with brew(plan, tmp_path) as storm:
        await storm.rage(tell=lambda _: None, patience_s=120)
        evidence = await gather(storm)
        verdict = judge(evidence)

    assert not any(verdict.values()), describe(evidence, verdict) + storm.fleet.processes.logs()


def tell_story(seed: int) -> tuple[object, ...]:
    plan = Plan(seed=seed, orders=20, blows=10, restarts=4)
    ids = [plan.run_id(number) for number in range(plan.orders)]
    return plan.submissions(), ids, list(plan.strikes()), plan.planet().fault_plan, plan.restart_moments()


def test_a_seed_decides_all_that_happens() -> None:
    """Two plans of one seed agree in requests, ids, blows, faults and restarts; those of two seeds do not."""
    first, again, other = tell_story(1), tell_story(1), tell_story(2)

    assert first == again
    assert all(one != another for one, another in zip(first[:4], other[:4], strict=True))
