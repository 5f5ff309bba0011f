"""An order is placed once, also when Redis goes away while it is placed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.errors import LeaseInDoubt
from jobs.outcomes import Advance, Again
from jobs.run import Facts, FileRecord
from jobs.runner import run_stage
from planet_sdk import OrdersClient
from planet_sdk.exchange import BeforeSending
from tests.stage_rig import QUICK, START, MemoryNotebook, Rig, open_rig


class NotebookOfAnAbsentRedis(MemoryNotebook):
    """Writes down so many notes, then none."""

    def __init__(self, notes: int) -> None:
        super().__init__()
        self.notes_left = notes

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        if not self.notes_left:
            raise RedisConnectionError("Connection closed by server.")
        self.notes_left -= 1
        await super().note(facts, files)


class SlowToSend(OrdersClient):
    """Waits for the request budget for a minute before each POST."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.orders.session)
        self._rig = rig

    async def create_order(
        self, request: dict[str, Any], *, before_sending: BeforeSending | None = None
    ) -> dict[str, Any]:
        self._rig.now += timedelta(minutes=1)
        return await super().create_order(request, before_sending=before_sending)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Planet's list shows an order after 20 s only, and a POST is sent a minute after its intent."""
    async with open_rig(tmp_path, replace(QUICK, list_lag_s=20)) as rig:
        rig.orders = SlowToSend(rig)
        yield rig


async def test_nothing_is_sent_before_the_intent_is_written_down(rig: Rig) -> None:
    rig.notebook = NotebookOfAnAbsentRedis(notes=0)

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert not outcome.charge
    assert rig.simulator.report().requests.get("create", 0) == 0


async def test_an_order_id_that_redis_does_not_take_down_goes_with_the_commit(rig: Rig) -> None:
    rig.notebook = NotebookOfAnAbsentRedis(notes=1)

    assert isinstance(await rig.step(), Advance)
    assert rig.run.order_id is not None
    assert rig.run.intent_at is None


async def test_a_lost_reply_and_an_absent_redis_together_buy_nothing_twice(rig: Rig) -> None:
    """The patience with Planet's list counts from the POST, not from the intent, which is a minute older."""
    rig.simulator.drop_reply("create")
    rig.notebook = NotebookOfAnAbsentRedis(notes=1)
    assert isinstance(await rig.step(), Again)
    assert rig.run.intent_at == START + timedelta(minutes=1)

    rig.notebook = MemoryNotebook()
    assert isinstance(await rig.step(), Again)
    rig.simulator.advance(21)
    rig.now += timedelta(seconds=31)
    assert isinstance(await rig.step(), Advance)
    assert rig.creates() == 1


async def test_an_order_is_not_sent_on_a_lease_that_may_have_run_out(rig: Rig) -> None:
    """Nothing reached Planet, so the next try need not look for it."""

    def check_lease() -> None:
        raise LeaseInDoubt("job", 1.5)

    outcome = await run_stage(rig.run, replace(rig.context, check_lease=check_lease))
    rig.apply(outcome)

    assert isinstance(outcome, Again)
    assert not outcome.charge
    assert rig.run.intent_at is None
    assert rig.simulator.report().requests.get("create", 0) == 0
    assert isinstance(await rig.step(), Advance)
