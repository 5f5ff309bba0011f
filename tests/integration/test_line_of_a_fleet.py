"""The line of creates with real workers and a simulated Planet: its cap is kept, and nobody is held up by the line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import Priority, Run, RunFailed, RunHandle, Stage, State, Submission, keys
from jobs.context import StageContext
from jobs.new_runs import NewRun
from jobs.outcomes import Finish, Outcome
from tests.fleet_rig import QUICK, SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until
from worker.budget import urgency_s


async def _submit(fleet: Fleet, number: int) -> list[RunHandle]:
    answers = await fleet.queue.submit_many(Submission(request(), again=True) for _ in range(number))
    return [answer for answer in answers if isinstance(answer, RunHandle)]


async def test_a_fleet_never_has_more_orders_under_way_than_planet_takes(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, max_active_orders=3)) as fleet:
        handles = await _submit(fleet, 12)
        for name in ("w1", "w2", "w3"):
            await fleet.start_worker(name, replace(QUICK, running_orders=3))

        for handle in handles:
            assert (await handle.result(timeout=60)).state is State.DONE
        assert dict(fleet.simulator.report().answers["create"]) == {202: 12}


async def test_where_others_use_up_what_planet_takes_the_fleet_waits_in_its_own_line(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    """A refusal stops the creates of all workers, so that few orders are refused, and none is lost or bought twice."""
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, max_active_orders=2)) as fleet:
        handles = await _submit(fleet, 12)
        for name in ("w1", "w2"):
            await fleet.start_worker(name)

        for handle in handles:
            assert (await handle.result(timeout=60)).state is State.DONE
        assert set(fleet.simulator.report().orders.values()) == {1}
        refused = [line for handle in handles for line in await handle.history() if "active orders" in line.reason]
        assert len(refused) > 0
        assert {(line.state, line.stage) for line in refused} == {(State.QUEUED, "create")}


async def test_a_cancelled_run_in_a_full_line_ends_at_once(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, queued_s=600)) as fleet:
        await fleet.start_worker(policy=replace(QUICK, running_orders=1))
        handles = await _submit(fleet, 2)

        async def find_one_under_way() -> list[RunHandle]:
            return [handle for handle in handles if (await handle.status()).state is State.WAITING]

        (ordered,) = await until("one order is under way", find_one_under_way)
        (other,) = (handle for handle in handles if handle is not ordered)
        assert (await other.status()).state is State.QUEUED
        assert (await fleet.queue.cancel(other.run_id)).state is State.CANCELLED


async def test_requests_of_an_urgent_run_have_their_turn_sooner(fleet: Fleet) -> None:
    urgencies: dict[str, float] = {}

    async def note(run: Run, _: StageContext) -> Outcome:
        urgencies[run.priority] = urgency_s.get()
        return Finish(State.CANCELLED, "enough was seen")

    worker = await fleet.start_worker()
    assert worker.stages is not None
    worker.stages.stages = {Stage.CREATE: note}
    for priority in Priority:
        handle = await fleet.queue.submit(request(), priority=priority, again=True)
        with pytest.raises(RunFailed):
            await handle.result(timeout=30)

    assert urgencies["high"] > urgencies["normal"] > urgencies["low"]


async def test_what_a_killed_worker_had_goes_before_hundreds_of_queued_creates(fleet: Fleet) -> None:
    fleet.simulator.stall_body("*.tif", after_bytes=400, times=None)
    async with fleet.worker("w1"):
        handle = await fleet.queue.submit(request())
        await until("half a file is there", lambda: any(part.stat().st_size for part in fleet.folder.rglob("*.part")))
    store = fleet.queue.store
    job_id = (await handle.status()).job_id or ""
    await store.submit_many(
        [
            NewRun(f"R{number}", {"run_id": f"R{number}", "name": "field 7", "request": request()}, "f")
            for number in range(400)
        ]
    )
    seconds, _ = await store.redis.time()
    await store.redis.psetex(keys.in_progress(job_id), 300, "killed/boot")  # the end of a lease, after all of them
    await store.redis.zadd(store.queue, {job_id: seconds * 1000 + 1300})
    fleet.simulator.clear_faults()

    await fleet.start_worker("w2")

    assert (await handle.result(timeout=60)).state is State.DONE
    assert (await store.count())[State.QUEUED] > 0


async def test_an_urgent_order_is_placed_before_those_that_wait_already(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, SETTINGS) as fleet:
        early = await _submit(fleet, 3)
        urgent = await fleet.queue.submit(request(), priority="high", again=True)
        await fleet.start_worker(policy=replace(QUICK, running_orders=1))

        placed = {handle.run_id: (await handle.result(timeout=60)).run_id for handle in [*early, urgent]}
        begun = [
            (line.at, handle.run_id)
            for handle in [*early, urgent]
            for line in await handle.history()
            if line.reason == "started" and line.stage == "create"
        ]
        assert min(begun)[1] == urgent.run_id
        assert (await urgent.status()).priority is Priority.HIGH
        assert len(placed) == 4
