"""What a producer does with the fleet: one idea a test, read from top to bottom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobs import OrderQueue, RunNotFound, State
from planet_sdk import order_request
from tests.fleet_rig import Fleet

FIELD = {
    "type": "Polygon",
    "coordinates": [[[-117.56, 45.23], [-117.45, 45.23], [-117.45, 45.30], [-117.56, 45.30], [-117.56, 45.23]]],
}

REQUEST = order_request.build_request(
    "field-7",
    products=[order_request.product(["20200909_182525_1014"], "analytic_udm2", "PSScene")],
    tools=[order_request.clip_tool(FIELD)],
)


async def test_a_request_becomes_a_run_and_the_run_becomes_files(fleet: Fleet) -> None:
    await fleet.start_worker()

    run = await fleet.queue.submit(REQUEST)
    ended = await run.result(timeout=60)

    assert ended.state is State.DONE
    assert all(file.verified for file in await run.files() if not file.path.endswith("manifest.json"))


async def test_a_run_can_be_found_again_by_its_id_alone(fleet: Fleet) -> None:
    """Keep the id, and ask from any process, at any time."""
    run_id = (await fleet.queue.submit(REQUEST)).run_id

    later = OrderQueue(fleet.queue.store).run(run_id)

    assert (await later.status()).state is State.QUEUED


async def test_a_key_makes_a_submission_safe_to_repeat(fleet: Fleet) -> None:
    first = await fleet.queue.submit(REQUEST, key="field-7-2026-11")
    again = await fleet.queue.submit(REQUEST, key="field-7-2026-11")

    assert first.run_id == again.run_id
    assert (first.created, again.created) == (True, False)


async def test_the_history_tells_what_happened_when_and_where(fleet: Fleet) -> None:
    await fleet.start_worker("atlas")
    run = await fleet.queue.submit(REQUEST)
    await run.result(timeout=60)

    history = await run.history()

    assert [line.state for line in history if line.reason == "submitted"] == [State.QUEUED]
    assert history[-1].state is State.DONE
    assert {line.worker for line in history[1:]} == {"atlas"}


async def test_events_tell_every_move_of_every_run_as_it_happens(fleet: Fleet) -> None:
    after = await fleet.queue.store.last_event_id()
    await fleet.start_worker()
    run = await fleet.queue.submit(REQUEST)

    async for event in fleet.queue.events(after):
        if event.run_id == run.run_id and event.state.is_final:
            assert event.state is State.DONE
            break


async def test_a_run_that_is_no_longer_wanted_is_cancelled(fleet: Fleet) -> None:
    run = await fleet.queue.submit(REQUEST)

    assert (await fleet.queue.cancel(run.run_id)).state is State.CANCELLED


async def test_a_cancelled_run_can_be_taken_up_again(fleet: Fleet) -> None:
    """A retry goes on from where the run ended, and buys nothing twice."""
    run = await fleet.queue.submit(REQUEST)
    await fleet.queue.cancel(run.run_id)

    await fleet.queue.retry(run.run_id)
    await fleet.start_worker()

    assert (await run.result(timeout=60)).state is State.DONE
    assert list(fleet.simulator.report().orders.values()) == [1]


async def test_a_run_that_may_not_take_for_ever_has_a_deadline(fleet: Fleet) -> None:
    run = await fleet.queue.submit(REQUEST, deadline=timedelta(hours=6))

    assert (await run.status()).deadline_at is not None


async def test_a_run_that_is_not_there_is_told_so_whatever_is_asked_of_it(fleet: Fleet) -> None:
    nobody = fleet.queue.run("nobody")

    for question in (nobody.status, nobody.history, nobody.files, nobody.log):
        with pytest.raises(RunNotFound):
            await question()
