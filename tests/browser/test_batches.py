"""Batches: how far they are, and one button for all of their runs."""

from __future__ import annotations

from playwright.async_api import expect

from planet_sdk.simulator import FaultKind
from tests.batch_rig import requests
from tests.browser.conftest import IN_BROWSER, Visit
from tests.browser.fleet import Fleet

pytestmark = IN_BROWSER


async def test_a_batch_is_watched_to_its_end_and_told_as_the_api_tells_it(fleet: Fleet, visit: Visit) -> None:
    batch_id = await fleet.submit_batch("harvest", requests(3))
    async with visit() as tab:
        await tab.open("/batches")
        row = tab.page.locator(f"#batch-{batch_id}")
        await expect(row).to_contain_text("3 of 3")
        assert not await tab.was_reloaded()
        await row.get_by_role("link", name="harvest").click()
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("harvest")
        await expect(tab.page.locator("tbody tr")).to_have_count(3)

    batch = (await fleet.api.get(f"/v1/batches/{batch_id}")).json()
    assert (batch["total"], batch["ended"], batch["runs"]["done"]) == (3, 3, 3)


async def test_what_has_not_ended_of_a_batch_is_cancelled_at_once(fleet: Fleet, visit: Visit) -> None:
    fleet.simulator.doom(FaultKind.ORDER_STUCK, "*to be stopped*", times=2)
    stuck = [{**each, "name": f"to be stopped {number}"} for number, each in enumerate(requests(2))]
    batch_id = await fleet.submit_batch("stopped", stuck)
    async with visit() as tab:
        await tab.open(f"/batches/{batch_id}")
        tab.page.once("dialog", lambda dialog: dialog.accept())
        await tab.page.get_by_role("button", name="Cancel what has not ended").click()
        await expect(tab.page.locator("tbody .chip.cancelled")).to_have_count(2)
        assert not await tab.was_reloaded()
