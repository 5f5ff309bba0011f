"""However many runs there are, an answer costs Redis the same: nothing looks through all of its keys, or all runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis

from jobs.abreast import abreast
from jobs.batches import BatchStore
from jobs.moves import By, plan_move
from jobs.new_runs import NewRun
from jobs.outcomes import Finish, Park
from jobs.run import State
from jobs.store import RunStore

from .conftest import Fleet

N = 180  # of each state more than a page
ME = By.person("test")
SCANS = {"KEYS", "SCAN", "HSCAN", "SSCAN", "ZSCAN"}
SAME = [
    "/",
    "/runs",
    "/runs?state=done",
    "/runs/R00007",
    "/metrics",
    "/readyz",
    "/v1/fleet",
    "/v1/runs",
    "/v1/runs?state=done",
    "/v1/runs/R00007",
    "/v1/batches",
    "/v1/batches/B",
]
"""What costs the same to the command."""

BOUNDED = {
    "/failures": 2_050,  # the fields of each that failed
    "/v1/failures": 2_050,
    "/v1/runs?producer=P1": 70,
    "/v1/runs?producer=nobody": 30,
    "/v1/runs?state=done&producer=P1": 70,
    "/v1/runs?batch_id=B": 70,
    "/v1/runs?batch_id=B&state=failed": 70,
    "/v1/runs?search=field": 70,
    "/v1/runs?search=no-such-thing": 30,
}
"""What looks at the newest runs, thousands of them at most: the most that it may send with so few."""


async def add_runs(redis: ArqRedis, first: int, end: int) -> None:
    """Runs as they are submitted and moved: a third delivered, a third parked, the others failed."""
    store = RunStore(redis)
    numbers = range(first, end)
    new = [
        NewRun(
            f"R{number:05}",
            {
                "run_id": f"R{number:05}",
                "name": f"field {number}",
                "request": {"name": "field"},
                "producer": f"P{number % 3}",
                "batch_id": "B",
            },
            f"f{number}",
            place=number,
        )
        for number in numbers
    ]
    await store.submit_many(new)
    ends = (Finish(State.DONE, "there"), Park(3600, "parked"), Finish(State.FAILED, "Planet said no"))
    moves = [
        plan_move(run, ends[int(run.run_id[1:]) % 3], ME) for run in await store.get_many([each.run_id for each in new])
    ]
    await abreast(store.move, moves, 100)


async def cost(redis: ArqRedis, web: httpx.AsyncClient, path: str) -> Counter[str]:
    """The commands that an answer takes; those inside of scripts are the script's affair."""
    await web.get(path)  # connections, scripts and templates are there from here on
    commands: Counter[str] = Counter()
    async with redis.monitor() as monitor:
        answer = await web.get(path)
        assert answer.status_code == 200, path
        await redis.echo("the end")
        async for told in monitor.listen():
            line: dict[str, Any] = told
            if "the end" in line["command"]:
                return commands
            name = line["command"].split()[0].upper()
            if line["client_type"] != "lua" and name != "CLIENT":  # which a new connection sends
                commands[name] += 1
    raise AssertionError("the monitor ended")


@pytest.fixture
async def many(redis: ArqRedis, web: httpx.AsyncClient, fleet: Fleet) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """What each address costs with N runs, and with ten times as many."""
    await BatchStore(RunStore(redis)).open("B", name="all", producer=None, key=None, callback_url=None)
    await fleet.report_worker()
    await add_runs(redis, 0, N)
    before = {path: await cost(redis, web, path) for path in [*SAME, *BOUNDED]}
    await add_runs(redis, N, 10 * N)
    return {path: (before[path], await cost(redis, web, path)) for path in before}


async def test_ten_times_as_many_runs_cost_no_command_more(many: dict[str, tuple[Counter[str], Counter[str]]]) -> None:
    more = {path: (few, lots) for path, (few, lots) in many.items() if path in SAME and few != lots}
    too_many = {path: lots.total() for path, (_, lots) in many.items() if lots.total() > BOUNDED.get(path, 10_000)}
    scanning = {path: SCANS & set(lots) for path, (_, lots) in many.items() if SCANS & set(lots)}

    assert more == {}
    assert too_many == {}
    assert scanning == {}
    assert all(few.total() for few, _ in many.values()), "the monitor has seen each"
