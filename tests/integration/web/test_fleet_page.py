"""The first page and its twin for programs: the same facts, from the same records."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx

from jobs import keys
from jobs.outcomes import Advance, Finish, Park
from jobs.run import Stage, State
from worker.budget import read_rates, tell_budget

from .conftest import Fleet


async def fleet_of(web: httpx.AsyncClient) -> dict[str, Any]:
    answer = await web.get("/v1/fleet")
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


async def test_each_stage_tells_how_many_wait_and_which_run_has_waited_longest(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    job = {"job_id": "R3:download:2", "run_id": "R3", "stage": "download", "since": 0, "bytes_done": 1}
    await fleet.report_worker("w1", jobs=[{**job, "bytes_total": 4}])
    for run_id in ("R1", "R2", "R3", "R4"):
        await fleet.submit(run_id)
    await fleet.move("R2", Advance(Stage.WAIT, "created"))
    await fleet.move("R2", Park(60, "parked"))
    for run_id in ("R3", "R4"):
        await fleet.move(run_id, Advance(Stage.WAIT, "created"))
        await fleet.move(run_id, Advance(Stage.DOWNLOAD, "ready"))
    await fleet.redis.zadd(keys.state(State.DOWNLOADING), {"R4": time.time() * 1000 - 7_200_000})

    stages = {each["stage"]: each for each in (await fleet_of(web))["stages"]}
    page = (await web.get("/")).text

    assert [(each["runs"], each["in_hand"]) for each in stages.values()] == [(1, 0), (1, 0), (2, 1), (0, 0)]
    assert [each["oldest_run_id"] for each in stages.values()] == ["R1", "R2", "R4", None]
    assert 7_199 < stages["download"]["oldest_s"] < 7_300
    assert re.search(r'href="/runs/R4">2 h 00 min', page)


async def test_runs_that_ended_are_counted_by_minute_and_by_hour(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for run_id, state, ago_s in (
        ("R1", State.DONE, 0),
        ("R2", State.PARTIAL, 0),
        ("R3", State.EXPIRED, 1_800),
        ("R4", State.CANCELLED, 7_200),
        ("R5", State.FAILED, 90_000),
    ):
        await fleet.submit(run_id)
        await fleet.move(run_id, Finish(state, "ended"))
        await fleet.redis.zincrby(keys.state(state), -ago_s * 1000, run_id)

    said = await fleet_of(web)
    hour, day = said["last_hour"], said["last_day"]
    page = (await web.get("/")).text

    assert [len(hour[name]) for name in ("delivered", "failed", "cancelled")] == [60, 60, 60]
    assert [sum(hour[name]) for name in ("delivered", "failed", "cancelled")] == [2, 1, 0]
    assert [sum(day[name]) for name in ("delivered", "failed", "cancelled")] == [2, 1, 1]
    assert sum(hour["delivered"][-2:]) == 2
    assert hour["failed"].index(1) in {28, 29}
    assert (len(day["delivered"]), day["step_s"]) == (24, 3600)
    assert day["cancelled"].index(1) in {20, 21}  # an hour may begin meanwhile
    assert "Last hour by minute: 2 runs delivered, 1 failed; at most" in page
    assert page.count("<svg") == 3


async def test_many_failures_are_trouble_with_a_page_on_which_they_are_mended(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    await fleet.report_worker()
    for number in range(4):
        await fleet.submit(f"R{number}")
        await fleet.move(f"R{number}", Finish(State.FAILED, "no"))
    before = await fleet_of(web)
    await fleet.submit("R4")
    await fleet.move("R4", Finish(State.FAILED, "no"))

    after = await fleet_of(web)

    assert (before["verdict"]["health"], after["verdict"]["health"]) == ("well", "degraded")
    assert after["verdict"]["reasons"][0]["place"] == "failures"
    assert '<a href="/failures">See them by cause' in (await web.get("/")).text


async def test_the_budget_tells_what_is_used_of_each_limit(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """As the workers that are alive count it; a kind that nobody has asked for of late is not shown."""
    now_us = round(time.time() * 1_000_000)
    await fleet.report_worker("w1", budget=tell_budget("acc", read_rates("get=10/s+300/min"), 40))
    await fleet.report_worker("w2", budget=tell_budget("acc", read_rates("get=10/s+300/min"), 40))
    await fleet.report_worker("w3", budget="of a later version")
    spent = {"turn": "9", "paused_until": str(now_us + 90_000_000), "pace": "0.5", "refused_at": str(now_us)}
    async with fleet.redis.pipeline() as pipe:
        for part in ("state", "departures", "pending"):
            pipe.hset(keys.budget("acc", "get", part), mapping=spent) if part == "state" else pipe.zadd(
                keys.budget("acc", "get", part), {"1": now_us + 50_000_000, "2": now_us - 30_000_000}
            )
            pipe.expire(keys.budget("acc", "get", part), 60)
        await pipe.execute()

    said = await fleet_of(web)
    page = (await web.get("/")).text

    assert [(use["kind"], use["limit"], use["period_s"], use["used"]) for use in said["budget"]] == [
        ("get", 10, 1.0, 3),
        ("get", 300, 60.0, 4),
    ]
    assert 0.5 <= said["budget"][0]["pace"] < 1
    assert said["verdict"]["headline"] == "The fleet is degraded: Planet has the fleet wait"
    assert "3 of 10" in page
    assert "acc" not in str(said["budget"])
