"""An order is placed once, whatever happens to the request, the answer or the worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.outcomes import Advance, Again, Finish, Requeue
from jobs.policy import Policy
from jobs.run import FailureKind, Stage, State
from planet_sdk.simulator import Fault, FaultKind
from tests.stage_rig import QUICK, RUN_ID, START, Rig, new_run, open_rig, request

SETTLED = timedelta(seconds=31)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


async def test_a_dropped_reply_is_looked_up_and_the_order_adopted(rig: Rig) -> None:
    """The order that Planet took is found by its name at the next try; no second POST is sent."""
    rig.simulator.drop_reply("create")

    first = await rig.step()
    assert isinstance(first, Again)
    assert "not known" in first.reason
    assert rig.run.order_id is None

    second = await rig.step()
    assert isinstance(second, Advance)
    assert "by its name" in second.reason
    assert rig.run.intent_at is None
    assert rig.creates() == 1
    assert rig.simulator.report().requests["create"] == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_5xx_that_took_the_order_is_looked_up(rig: Rig, status: int) -> None:
    rig.simulator.fail("create", status=status, after_processing=True)

    assert isinstance(await rig.step(), Again)
    assert isinstance(await rig.step(), Advance)
    assert rig.creates() == 1


async def test_a_5xx_that_took_nothing_is_sent_again_once_the_list_has_had_time(rig: Rig) -> None:
    rig.simulator.fail("create", status=500)

    assert isinstance(await rig.step(), Again)
    rig.now += timedelta(seconds=2)
    early = await rig.step()
    assert isinstance(early, Again)
    assert not early.charge
    assert early.delay_s == pytest.approx(28, abs=0.1)
    assert rig.simulator.report().requests["create"] == 1

    rig.now += SETTLED
    assert isinstance(await rig.step(), Advance)
    assert rig.creates() == 1


async def test_a_list_that_lags_does_not_buy_twice(tmp_path: Path) -> None:
    """The order is absent from the list at first; it is adopted as soon as it shows."""
    async with open_rig(tmp_path, replace(QUICK, list_lag_s=20)) as rig:
        rig.simulator.drop_reply("create")
        assert isinstance(await rig.step(), Again)
        assert isinstance(await rig.step(), Again)

        rig.simulator.advance(21)
        rig.now += SETTLED
        assert isinstance(await rig.step(), Advance)
        assert rig.creates() == 1


async def test_a_crash_between_intent_and_post_orders_once_after_a_look(rig: Rig) -> None:
    """The intent is there and no order: after the patience for Planet's list, the POST is sent."""
    rig.run = new_run(intent_at=START, starts=2)
    rig.now = START + SETTLED

    waits = await rig.step()
    assert isinstance(waits, Again)
    assert rig.creates() == 0

    rig.now += SETTLED
    assert isinstance(await rig.step(), Advance)
    assert rig.creates() == 1


async def test_a_crash_after_the_post_adopts_the_order(rig: Rig) -> None:
    await rig.step()
    rig.run = new_run(intent_at=START, starts=2)

    outcome = await rig.step()

    assert isinstance(outcome, Advance)
    assert rig.creates() == 1


async def test_a_worker_that_died_may_have_sent_the_post_just_now(rig: Rig) -> None:
    """An intent can be much older than its POST, which waits for the request budget: the patience starts anew."""
    rig.run = new_run(intent_at=START, starts=2)
    rig.now = START + timedelta(hours=1)

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert outcome.delay_s == pytest.approx(30)
    assert rig.run.intent_at == rig.now


async def test_of_two_orders_of_the_name_the_oldest_is_adopted_and_the_other_cancelled(tmp_path: Path) -> None:
    async with open_rig(tmp_path, replace(QUICK, queued_s=600)) as rig:
        oldest = await rig.orders.create_order({**request(), "name": f"field 7-{RUN_ID}"})
        rig.simulator.advance(1)
        other = await rig.orders.create_order({**request(), "name": f"field 7-{RUN_ID}"})
        rig.run = new_run(intent_at=START)

        outcome = await rig.step()

        assert isinstance(outcome, Advance)
        assert rig.run.order_id == oldest["id"]
        assert (await rig.orders.get_order(other["id"]))["state"] == "cancelled"
        assert "cancelled 1 of 1" in outcome.reason


async def test_an_order_of_another_name_is_never_adopted(rig: Rig) -> None:
    """A name that only begins like ours is somebody else's."""
    await rig.orders.create_order({**request(), "name": f"field 7-{RUN_ID}-2"})
    rig.run = new_run(intent_at=START)

    assert isinstance(await rig.step(), Again)
    assert rig.run.order_id is None


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_ends_the_run_and_leaves_no_intent(rig: Rig, status: int) -> None:
    rig.simulator.fail("create", status=status, body='{"general":[{"message":"Unable to accept order"}]}')

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert rig.run.error is not None
    assert rig.run.error.kind is FailureKind.PRODUCER
    assert "Unable to accept order" in outcome.reason
    assert rig.run.intent_at is None


async def test_an_order_too_many_goes_back_to_the_line_without_a_look_up(rig: Rig) -> None:
    rig.simulator.fail("create", status=409, body="MaxConcurrency")

    assert isinstance(await rig.step(), Requeue)
    assert (rig.run.state, rig.run.intent_at, rig.run.faults) == (State.QUEUED, None, 0)
    assert isinstance(await rig.step(), Advance)
    assert rig.simulator.report().requests.get("list", 0) == 0


async def test_429_waits_as_long_as_planet_asks_and_costs_no_try(rig: Rig) -> None:
    rig.simulator.fail("create", status=429, retry_after_s=400, times=5)

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert outcome.delay_s >= 400
    assert not outcome.charge
    assert rig.run.intent_at is None


async def test_an_answer_without_an_order_id_is_looked_up(rig: Rig) -> None:
    """A proxy's 200 with a page in it says nothing about the order."""
    rig.simulator.fail("create", status=200, body='{"hello": "proxy"}', after_processing=True)

    assert isinstance(await rig.step(), Again)
    assert isinstance(await rig.step(), Advance)
    assert rig.creates() == 1


async def test_an_order_whose_id_cannot_be_used_is_not_bought_again(rig: Rig) -> None:
    """Whatever `../x` is, an order was taken: the run ends and says where to look."""
    rig.simulator.fail("create", status=202, body='{"id": "../x", "state": "queued"}')

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert rig.run.intent_at is not None
    assert rig.run.order_id is None


async def test_the_request_itself_is_not_changed(rig: Rig) -> None:
    before = rig.run.model_dump_json(include={"request"})

    await rig.step()

    assert rig.run.model_dump_json(include={"request"}) == before


async def test_the_intent_is_noted_before_and_the_order_id_right_after_the_post(rig: Rig) -> None:
    await rig.step()

    first, second = (facts for facts, _ in rig.notebook.lines)
    assert first == {"intent_at": START}
    assert second["order_id"] == rig.run.order_id
    assert second["intent_at"] is None


async def test_a_run_that_has_its_order_places_no_other(rig: Rig) -> None:
    await rig.step()
    order_id = rig.run.order_id
    rig.run = rig.run.model_copy(update={"stage": Stage.CREATE, "state": State.CREATING})

    assert isinstance(await rig.step(), Advance)
    assert rig.run.order_id == order_id
    assert rig.creates() == 1


async def test_when_its_tries_are_used_up_the_run_fails_and_keeps_the_intent(rig: Rig) -> None:
    """Whoever retries it later has the order looked up first."""
    rig.policy = Policy(max_faults={Stage.CREATE: 8})
    rig.simulator.add_fault(Fault(kind=FaultKind.DROP_REPLY, endpoint="create", times=None))
    rig.simulator.fail("list", status=500, times=None)

    outcome = await rig.go(State.FAILED)

    assert isinstance(outcome, Finish)
    assert "gave up after 8 failures" in outcome.reason
    assert rig.run.intent_at is not None
    assert rig.simulator.report().requests["create"] == 1
