"""Orders that fail, runs that are cancelled or too late, jobs that end their worker: each is a state with a reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from jobs.outcomes import Again, Finish
from jobs.run import FailureKind, Stage, State
from planet_sdk.simulator import FaultKind
from tests.stage_rig import QUICK, RUN_ID, START, Rig, a_store, new_run, open_rig, request


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose orders stay queued."""
    async with open_rig(tmp_path, replace(QUICK, queued_s=600)) as rig:
        yield rig


def asked_to_cancel(rig: Rig) -> None:
    rig.run = rig.run.model_copy(update={"cancel_requested": True})


async def test_an_order_that_failed_at_planet_ends_the_run_with_planets_words(rig: Rig) -> None:
    rig.simulator.doom(FaultKind.ORDER_FAILED)

    await rig.go(State.FAILED)

    assert rig.run.error is not None
    assert rig.run.error.kind is FailureKind.PLANET
    assert rig.run.order_state == "failed"
    assert rig.run.order_message
    assert rig.run.order_message in (rig.run.reason or "")


async def test_a_partial_order_is_delivered_and_ends_partial(rig: Rig) -> None:
    rig.simulator.doom(FaultKind.ORDER_PARTIAL)
    rig.run = new_run(request=request(["a", "b"], order_type="partial"))

    await rig.go(State.PARTIAL)

    assert rig.run.error_hints
    assert rig.run.files_done > 0


async def test_an_order_that_was_cancelled_at_planet_cancels_the_run(rig: Rig) -> None:
    rig.simulator.doom(FaultKind.ORDER_CANCELLED)

    await rig.go(State.CANCELLED)

    assert rig.run.order_state == "cancelled"


async def test_an_order_that_is_not_final_leaves_the_run_parked(slow: Rig) -> None:
    await slow.step()
    await slow.step()

    assert await slow.watch() is None
    assert slow.run.state is State.WAITING


async def test_trouble_on_the_way_to_planet_never_ends_a_parked_run(slow: Rig) -> None:
    """A wrong key or an outage is the fleet's trouble; ten thousand runs must not die of it."""
    await slow.step()
    await slow.step()
    for status in (401, 500):
        slow.simulator.fail("get", status=status, times=2)
        assert await slow.watch() is None
        slow.simulator.clear_faults()


async def test_an_order_that_planet_no_longer_knows_ends_the_run(rig: Rig) -> None:
    rig.run = new_run(stage=Stage.WAIT, state=State.WAITING, order_id=str(uuid4()), job_id=None)
    assert await rig.watch() is None, "just after the POST, not all of Planet may know the order"

    rig.now += timedelta(minutes=1)
    outcome = await rig.watch()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert "does not know" in outcome.reason


async def test_cancelling_a_run_cancels_its_queued_order(slow: Rig) -> None:
    await slow.step()
    asked_to_cancel(slow)

    outcome = await slow.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.CANCELLED
    assert (await slow.orders.get_order(slow.run.order_id or ""))["state"] == "cancelled"
    assert slow.run.order_state == "cancelled"


async def test_the_watcher_cancels_a_parked_run(slow: Rig) -> None:
    await slow.step()
    await slow.step()
    asked_to_cancel(slow)

    await slow.watch()

    assert slow.run.state is State.CANCELLED
    assert (await slow.orders.get_order(slow.run.order_id or ""))["state"] == "cancelled"


async def test_an_order_that_runs_already_goes_on_and_the_reason_says_so(tmp_path: Path) -> None:
    async with open_rig(tmp_path, replace(QUICK, running_s=600)) as rig:
        await rig.step()
        asked_to_cancel(rig)

        outcome = await rig.step()

        assert isinstance(outcome, Finish)
        assert outcome.state is State.CANCELLED
        assert f"order {rig.run.order_id} is past the point where Planet cancels" in outcome.reason


async def test_a_cancel_whose_reply_was_lost_is_seen_to_have_worked(slow: Rig) -> None:
    """Planet refuses the second one, since the first has ended the order."""
    await slow.step()
    asked_to_cancel(slow)
    slow.simulator.drop_reply("cancel")

    assert isinstance(await slow.step(), Again)
    outcome = await slow.step()

    assert isinstance(outcome, Finish)
    assert f"order {slow.run.order_id} is cancelled at Planet" in outcome.reason
    assert slow.run.order_state == "cancelled"


async def test_cancelling_before_anything_was_ordered_asks_planet_nothing(rig: Rig) -> None:
    asked_to_cancel(rig)

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert "nothing was ordered" in outcome.reason
    assert rig.simulator.report().requests == {}


async def test_cancelling_after_a_lost_reply_finds_the_order_and_cancels_it(slow: Rig) -> None:
    slow.simulator.drop_reply("create")
    await slow.step()
    asked_to_cancel(slow)

    outcome = await slow.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.CANCELLED
    assert slow.run.order_id
    assert (await slow.orders.get_order(slow.run.order_id))["state"] == "cancelled"


async def test_cancelling_with_an_intent_looks_until_the_list_has_had_time(rig: Rig) -> None:
    rig.run = new_run(intent_at=START, cancel_requested=True)

    first = await rig.step()
    assert isinstance(first, Again)
    rig.now += timedelta(seconds=31)
    second = await rig.step()

    assert isinstance(second, Finish)
    assert second.state is State.CANCELLED
    assert RUN_ID in second.reason


async def test_a_cancellation_that_planet_refuses_for_good_still_ends_the_run(slow: Rig) -> None:
    await slow.step()
    asked_to_cancel(slow)
    slow.simulator.fail("cancel", status=403, body="not yours")

    outcome = await slow.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.CANCELLED
    assert "may go on" in outcome.reason


async def test_a_run_past_its_deadline_expires_and_its_order_is_cancelled(slow: Rig) -> None:
    slow.run = new_run(deadline_at=START + timedelta(minutes=5))
    await slow.step()
    await slow.step()
    assert await slow.watch() is None

    slow.now += timedelta(minutes=6)
    await slow.watch()

    assert slow.run.state is State.EXPIRED
    assert "deadline" in (slow.run.reason or "")
    assert (await slow.orders.get_order(slow.run.order_id or ""))["state"] == "cancelled"


async def test_nothing_waits_beyond_the_deadline(slow: Rig) -> None:
    slow.simulator.fail("create", status=429, retry_after_s=3600)
    slow.run = new_run(deadline_at=START + timedelta(minutes=5))

    outcome = await slow.step()

    assert isinstance(outcome, Again)
    assert outcome.delay_s == pytest.approx(300, abs=1)


async def test_a_job_that_ends_its_worker_each_time_is_set_aside(rig: Rig) -> None:
    rig.run = new_run(vain_starts=11)

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert "ended 10 times in create" in outcome.reason
    assert rig.simulator.report().requests == {}


async def test_a_job_that_has_seen_workers_end_waits_so_that_others_get_ahead_of_the_culprit(rig: Rig) -> None:
    for vain_starts in (1, 2, 3, 4):
        rig.run = new_run(vain_starts=vain_starts)
        await rig.step()

    assert len(rig.slept_s) == 2
    assert min(rig.slept_s) > 0


async def test_a_cancelled_run_leaves_nothing_in_staging(tmp_path: Path) -> None:
    async with open_rig(tmp_path, destination=a_store()) as rig:
        await rig.go(State.DOWNLOADING)
        rig.simulator.cut_body("*.tif", after_bytes=0, times=50)
        await rig.step()
        assert list(rig.staging.iterdir())
        asked_to_cancel(rig)

        await rig.step()

        assert rig.run.state is State.CANCELLED
        assert list(rig.staging.iterdir()) == []


async def test_an_order_delivered_to_a_cloud_has_nothing_to_download(rig: Rig) -> None:
    cloud = {
        "amazon_s3": {
            "bucket": "fields",
            "aws_region": "eu-1",
            "aws_access_key_id": "id",
            "aws_secret_access_key": "hush",
        }
    }
    rig.run = new_run(request=request(delivery=cloud))

    outcome = await rig.go(State.DONE)

    assert "amazon_s3 bucket fields" in outcome.reason
    assert "hush" not in outcome.reason
