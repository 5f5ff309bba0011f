"""The first page: it says how the fleet is, and moves as the fleet moves."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import IN_BROWSER, Visit
from tests.browser.fleet import Fleet

pytestmark = IN_BROWSER


async def test_what_is_submitted_elsewhere_comes_up_and_ends_without_a_reload(fleet: Fleet, visit: Visit) -> None:
    async with visit() as tab:
        await tab.open("/")
        run_id = await fleet.submit("came up by itself")
        row = tab.page.locator(f"#run-{run_id}")
        await expect(row).to_contain_text("came up by itself")
        await expect(row).to_contain_text("done")
        assert not await tab.was_reloaded()


async def test_the_worker_is_there_with_its_name(fleet: Fleet, visit: Visit) -> None:
    async with visit() as tab:
        await tab.open("/")
        await expect(tab.page.get_by_role("main")).to_contain_text("atlas")
