"""Many requests as one: a batch is submitted, followed, and summed up."""

from __future__ import annotations

from jobs import BadRequest, OrderQueue, State
from planet_sdk import order_request
from tests.fleet_rig import Fleet

REQUESTS = [
    order_request.build_request(
        f"field-{number}", products=[order_request.product([f"20200909_18252{number}_1014"], "visual", "PSScene")]
    )
    for number in range(3)
]


async def test_a_batch_tells_how_far_it_is_and_what_has_become_of_it(fleet: Fleet) -> None:
    await fleet.start_worker()

    batch = await fleet.queue.submit_batch(REQUESTS, name="all fields", key="harvest-2026")
    assert (await batch.status()).total == 3
    summary = await batch.result(timeout=60)

    assert summary.batch.runs[State.DONE] == 3
    assert summary.batch.has_all_files
    assert summary.files > 0


async def test_a_bad_request_in_a_batch_does_not_hold_the_others_up(fleet: Fleet) -> None:
    await fleet.start_worker()

    batch = await fleet.queue.submit_batch([*REQUESTS, {"name": "no products"}])
    summary = await batch.result(timeout=60)

    assert isinstance(batch.answers[3], BadRequest)
    assert (summary.batch.refused, summary.batch.runs[State.DONE]) == (1, 3)


async def test_a_batch_can_be_found_again_by_its_id_alone(fleet: Fleet) -> None:
    batch_id = (await fleet.queue.submit_batch(REQUESTS)).batch_id

    later = OrderQueue(fleet.queue.store).batch(batch_id)

    assert [run.name async for run in later.runs()] == ["field-0", "field-1", "field-2"]
