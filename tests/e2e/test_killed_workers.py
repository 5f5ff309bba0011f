"""Workers that are killed on purpose: nothing is lost, nothing is bought twice, no byte is fetched again."""

from __future__ import annotations

import os
import signal

from jobs import RunHandle, State, keys
from jobs.new_runs import NewRun
from planet_sdk.simulator import FaultKind
from tests.e2e.conftest import Desk
from tests.stage_rig import request
from tests.waiting import until


def ranges_asked(desk: Desk) -> set[str]:
    return {asked for ranges in desk.simulator.report().ranges.values() for asked in ranges}


async def test_a_worker_killed_in_the_middle_of_a_download_loses_nothing(desk: Desk) -> None:
    """Another worker finds the job by its lapsed lease and continues each file from its last byte."""
    desk.simulator.stall_body("*.tif", after_bytes=400, times=None)
    first = await desk.start_worker("first")
    handle = await desk.queue.submit(request())

    def is_half_there() -> bool:
        return any(part.stat().st_size for part in desk.destination.rglob("*.tif.part"))

    await until("half a file is there", is_half_there)
    os.kill(first.pid, signal.SIGKILL)
    desk.simulator.clear_faults()
    await desk.start_worker("second")

    run = await handle.result(timeout=60)

    assert run.state is State.DONE, desk.processes.logs()
    assert {line.worker for line in await handle.history() if line.worker} == {"first", "second"}
    assert list(desk.simulator.report().orders.values()) == [1]
    assert "bytes=400-" in ranges_asked(desk)


async def test_what_a_killed_worker_had_goes_on_at_once_with_ten_thousand_orders_queued(desk: Desk) -> None:
    """At three creates a second, the line takes an hour; who had begun before does not stand in it."""
    desk.simulator.stall_body("*.tif", after_bytes=400, times=None)
    first = await desk.start_worker("first")
    handle = await desk.queue.submit(request())
    await until("half a file is there", lambda: any(desk.destination.rglob("*.tif.part")))
    facts = {"name": "field 7", "request": request()}
    many = (NewRun(f"R{number}", {"run_id": f"R{number}", **facts}, "f") for number in range(10_000))
    await desk.queue.store.submit_many(many)
    os.kill(first.pid, signal.SIGKILL)
    desk.simulator.clear_faults()
    await desk.start_worker("second")

    run = await handle.result(timeout=60)

    assert run.state is State.DONE, desk.processes.logs()
    assert (await desk.queue.store.count())[State.QUEUED] > 9_000


async def test_a_worker_told_to_stop_hands_its_jobs_back_at_once(desk: Desk) -> None:
    """SIGTERM costs the run no try, and the next worker need not wait for a lease."""
    desk.simulator.stall_body("*.tif", after_bytes=400, times=None)
    desk.processes.environment |= {"ORDERS_LEASE_S": "600", "ORDERS_STOP_WAIT_S": "0.1"}
    first = await desk.start_worker("first")
    handle = await desk.queue.submit(request())

    async def is_downloading() -> bool:
        worker = await desk.worker("first")
        return bool(worker and any(job.stage == "download" for job in worker.jobs))

    await until("the first worker downloads", is_downloading)
    first.terminate()
    assert first.wait(timeout=20) == 0, desk.processes.logs()
    desk.simulator.clear_faults()
    await desk.start_worker("second")

    run = await handle.result(timeout=60)

    assert run.state is State.DONE
    assert run.faults == 0


async def test_another_worker_watches_when_the_watcher_is_killed(desk: Desk) -> None:
    """The order that was waited for finishes after the kill, and is noticed all the same."""
    desk.simulator.doom(FaultKind.ORDER_STUCK)
    watcher, _ = await desk.start_worker("first"), await desk.start_worker("second")
    redis = desk.queue.store.redis

    async def holder() -> str:
        return str((await redis.get(keys.lease("watcher")) or b"").decode())

    await until("the first worker watches", holder)
    assert (await holder()).startswith("first/")
    handle = await desk.queue.submit(request())
    order_id = await until("the run is parked", lambda: parked_order(handle))
    os.kill(watcher.pid, signal.SIGKILL)
    desk.simulator.finish(order_id)

    assert (await handle.result(timeout=60)).state is State.DONE, desk.processes.logs()
    assert (await holder()).startswith("second/")


async def parked_order(handle: RunHandle) -> str:
    run = await handle.status()
    return run.order_id or "" if run.state is State.WAITING and run.job_id is None else ""


async def test_a_run_survives_the_end_of_every_process_and_of_its_valkey(desk: Desk) -> None:
    """What was in the private Valkey is there when the next process of the data folder starts it again."""
    handle = await desk.queue.submit(request(), key="field-7")
    pid = (await desk.queue.store.redis.info("server"))["process_id"]
    os.kill(pid, signal.SIGKILL)

    await desk.start_worker("first")

    assert (await handle.result(timeout=60)).state is State.DONE
    again = await desk.queue.submit(request(), key="field-7")
    assert (again.run_id, again.created) == (handle.run_id, False)
