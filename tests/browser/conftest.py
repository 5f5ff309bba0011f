"""One browser, and one fleet of real processes, for all tests of the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from planet_sdk.simulator import SimulatorSettings
from tests.browser.chromium import Tab, chromium, tab
from tests.browser.fleet import Fleet, fleet_of_processes
from tests.browser.program import NO_CHROMIUM, find_chromium

expect.set_options(timeout=30_000)  # a busy machine is no failure
once = partial(pytest_asyncio.fixture, scope="session", loop_scope="session")

IN_BROWSER = pytest.mark.asyncio(loop_scope="session")
"""What every module of tests here is marked with: one browser and one fleet serve them all."""

Visit = Callable[..., AbstractAsyncContextManager[Tab]]

SIMULATED = SimulatorSettings(queued_s=0.3, running_s=0.5, rate_limits={}, scene_size_px=64)
HASTY = {"ORDERS_HEALTH_INTERVAL_S": "0.5", "ORDERS_WAIT_CHECK_MIN_S": "0.1", "ORDERS_SETTLE_S": "1"}


@once()
async def browser() -> AsyncIterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    async with chromium(program) as browser:
        yield browser


@once()
async def fleet(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    async with fleet_of_processes(tmp_path_factory.mktemp("fleet"), SIMULATED, ("atlas",), **HASTY) as fleet:
        yield fleet


@pytest.fixture
def visit(browser: Browser, fleet: Fleet) -> Visit:
    """Opens a tab on the fleet's pages, with options of the browser's context."""
    return partial(tab, browser, fleet.address)
