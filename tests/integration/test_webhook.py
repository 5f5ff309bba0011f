"""The whole way of a webhook: Planet calls the web process, and a worker goes on with the run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import State, keys
from tests.fleet_rig import QUICK, SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until
from tests.web_rig import served

SECRET = "planted-secret-of-the-webhook"
HOURS = 7200.0
PATIENT = replace(QUICK, first_check_s=HOURS, max_check_s=HOURS)


@pytest.fixture
async def fleet(redis: ArqRedis, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A fleet that looks at an order of its own accord once in two hours, and orders that take about one."""
    slow = replace(SETTINGS, running_s=HOURS / 2)
    async with served(redis_url, webhook_secret=SECRET) as web, fleet_on(redis, redis_url, tmp_path, slow) as fleet:
        fleet.webhook_url = str(web.base_url.join(f"/webhooks/planet/{SECRET}"))
        yield fleet


async def test_an_order_that_is_ready_is_fetched_without_waiting_for_the_next_look(fleet: Fleet) -> None:
    await fleet.start_worker(policy=PATIENT, uses_list=False)
    run = await fleet.queue.submit(request())
    await until("the run is parked", lambda: fleet.queue.store.redis.zcard(keys.WATCH))

    fleet.simulator.advance(HOURS)

    assert (await run.result(timeout=60)).state is State.DONE
    assert fleet.simulator.report().webhooks == 1
