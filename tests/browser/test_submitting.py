"""The form: what is wrong is told at its field, and what is right becomes a run."""

from __future__ import annotations

import json

from playwright.async_api import expect

from tests.browser.conftest import IN_BROWSER, Visit
from tests.browser.fleet import Fleet
from tests.stage_rig import request

pytestmark = IN_BROWSER


async def test_a_request_is_submitted_by_keyboard_and_its_run_watched_to_the_end(fleet: Fleet, visit: Visit) -> None:
    async with visit() as tab:
        await tab.open("/submit")
        keyboard = tab.page.keyboard
        await tab.page.get_by_label("Order request").focus()
        await keyboard.insert_text(json.dumps(request(name="typed by hand")))
        await tab.page.get_by_label("Producer").focus()
        await keyboard.type("a person")
        await keyboard.press("Enter")

        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("typed by hand")
        await expect(tab.page.locator(".run-head .chip")).to_have_text("done")
        run = await fleet.run(tab.page.url.rpartition("/")[2])
    assert (run["state"], run["producer"]) == ("done", "a person")


async def test_what_is_wrong_is_told_at_its_field_which_has_the_focus(visit: Visit) -> None:
    async with visit() as tab:
        tab.expect_trouble("422")
        await tab.open("/submit")
        field = tab.page.get_by_label("Order request")
        for text, complaint in {"{no": "not JSON", json.dumps({"name": "x", "products": [{}]}): "item_ids"}.items():
            await field.fill(text)
            await tab.page.get_by_role("button", name="Submit").click()
            await expect(tab.page.locator("#request-wrong")).to_contain_text(complaint)
            await expect(field).to_have_attribute("aria-invalid", "true")
            await expect(field).to_be_focused()
        assert not await tab.was_reloaded()


async def test_what_would_be_ordered_is_told_before(fleet: Fleet, visit: Visit) -> None:
    async with visit() as tab:
        await tab.open("/submit")
        await tab.page.get_by_role("button", name="Fill in an example").click()
        await tab.page.get_by_role("button", name="Check").click()
        await expect(tab.page.locator("#answer")).to_contain_text("would be ordered")
