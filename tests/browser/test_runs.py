"""A run as people see it: watched, failed, retried and cancelled, found again among the others."""

from __future__ import annotations

from playwright.async_api import expect

from planet_sdk.simulator import FaultKind
from tests.browser.conftest import IN_BROWSER, Visit
from tests.browser.fleet import Fleet
from worker.wording import size

pytestmark = IN_BROWSER


async def test_a_run_is_watched_until_it_is_done_and_told_as_the_api_tells_it(fleet: Fleet, visit: Visit) -> None:
    run_id = await fleet.submit("watched from the start")
    async with visit() as tab:
        await tab.open(f"/runs/{run_id}")
        await expect(tab.page.locator(".run-head .chip")).to_have_text("done")
        assert not await tab.was_reloaded()

        run = await fleet.reached(run_id, "done")
        page = tab.page.get_by_role("main")
        await expect(page.get_by_role("heading", level=1)).to_have_text(run["name"])
        await expect(page.get_by_text(run["order_id"], exact=True).first).to_be_visible()
        rows = page.get_by_role("region", name="Files").get_by_role("row")
        await expect(rows).to_have_count(run["files_total"] + 1)
        for file in run["files"]:
            row = rows.filter(has_text=file["path"].removeprefix(f"{run['order_id']}/"))
            await expect(row).to_contain_text(size(file["size_bytes"]))
            await expect(row).to_contain_text(file["sha256"] or file["md5"] or "verified")


async def test_what_has_failed_is_found_by_its_cause_and_retried(fleet: Fleet, visit: Visit) -> None:
    fleet.simulator.fail("create", subject="*no such luck*", status=400, body='{"general": [{"message": "no luck"}]}')
    run_id = await fleet.submit("no such luck")
    failed = await fleet.reached(run_id, "failed")
    async with visit() as tab:
        await tab.open("/failures")
        cause = tab.page.get_by_role("region").filter(has=tab.page.locator(f'a[href$="{run_id}"]'))
        await expect(cause).to_contain_text(failed["error"]["type"])
        tab.page.once("dialog", lambda dialog: dialog.accept())
        await cause.get_by_role("button", name="Retry all 1").click()
        await expect(tab.page.get_by_role("status").filter(has_text="Retried 1 run.")).to_be_visible()
        await expect(cause).to_have_count(0)
        assert not await tab.was_reloaded()

    assert (await fleet.reached(run_id, "done"))["files_total"]


async def test_a_run_is_cancelled_from_its_page(fleet: Fleet, visit: Visit) -> None:
    fleet.simulator.doom(FaultKind.ORDER_STUCK, "*never ready*")
    run_id = await fleet.submit("never ready")
    async with visit() as tab:
        await tab.open(f"/runs/{run_id}")
        chip = tab.page.locator(".run-head .chip")
        await expect(chip).to_have_text("waiting")
        tab.page.once("dialog", lambda dialog: dialog.accept())
        await tab.page.get_by_role("button", name="Cancel run").press("Enter")
        await expect(chip).to_have_text("cancelled")
        await expect(tab.page.get_by_role("button", name="Cancel run")).to_be_disabled()
        assert not await tab.was_reloaded()

    assert (await fleet.run(run_id))["state"] == "cancelled"


async def test_a_question_that_is_answered_with_no_cancels_nothing(fleet: Fleet, visit: Visit) -> None:
    fleet.simulator.doom(FaultKind.ORDER_STUCK, "*let it be*")
    run_id = await fleet.submit("let it be")
    await fleet.reached(run_id, "waiting")
    async with visit() as tab:
        await tab.open(f"/runs/{run_id}")
        async with tab.page.expect_event("dialog") as asked:
            tab.page.once("dialog", lambda dialog: dialog.dismiss())
            await tab.page.get_by_role("button", name="Cancel run").click()
        assert "Cancel" in (await asked.value).message

    run = await fleet.run(run_id)
    assert (run["state"], run["cancel_requested"]) == ("waiting", False)


async def test_runs_are_found_by_state_producer_name_and_id(fleet: Fleet, visit: Visit) -> None:
    fleet.simulator.doom(FaultKind.ORDER_STUCK, "*needle*")
    run_id = await fleet.submit("a needle in the hay", producer="haymaker")
    await fleet.reached(run_id, "waiting")
    other = await fleet.submit("hay")
    await fleet.reached(other, "done")
    async with visit() as tab:
        await tab.open("/runs")
        rows = tab.page.locator("tbody tr")
        await tab.page.get_by_role("navigation", name="Runs by state").get_by_role("link", name="waiting").click()
        await expect(rows.filter(has_text=run_id)).to_be_visible()
        await expect(rows.filter(has_text=other)).to_have_count(0)

        for field, text in {"Producer": "haymaker", "Search": "needle"}.items():
            await tab.open("/runs")
            await tab.page.get_by_label(field, exact=True).fill(text)
            await tab.page.keyboard.press("Enter")
            await expect(rows).to_have_count(1)
            await expect(rows).to_contain_text(run_id)

        await tab.page.get_by_label("Search", exact=True).fill(run_id)
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("a needle in the hay")
