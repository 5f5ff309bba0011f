"""What every page keeps to: accessible, within a phone's width, and used by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.batch_rig import requests
from tests.browser.conftest import IN_BROWSER, Visit, once
from tests.browser.fleet import Fleet

pytestmark = IN_BROWSER

PAGES = (
    "/",
    "/runs",
    "/runs?state=done",
    "/runs/{done}",
    "/runs/{failed}",
    "/batches",
    "/batches/{batch}",
    "/failures",
    "/submit",
    "/docs",
    "/nowhere",
)
every_page = pytest.mark.parametrize("path", PAGES)


@once()
async def ids(fleet: Fleet) -> dict[str, str]:
    """What there is to show: a run that is done, one that failed, and a batch."""
    fleet.simulator.fail("create", subject="*refused*", status=400)
    run_ids = {"done": await fleet.submit("delivered <b>whole</b>"), "failed": await fleet.submit("refused by Planet")}
    for state, run_id in run_ids.items():
        await fleet.reached(run_id, state)
    return {**run_ids, "batch": await fleet.submit_batch("a batch", requests(2))}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@every_page
async def test_axe_finds_nothing_serious(visit: Visit, ids: dict[str, str], path: str, scheme: str) -> None:
    async with visit(color_scheme=scheme) as tab:
        tab.expect_trouble(r"404 .*/nowhere")
        await tab.open(path.format(**ids))
        await tab.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        found = (await Axe().run(tab.page)).response["violations"]
    assert [_told(each) for each in found if each["impact"] in {"serious", "critical"}] == []


def _told(violation: dict[str, Any]) -> str:
    return f"{violation['id']}: {violation['help']}: " + "; ".join(node["html"][:150] for node in violation["nodes"])


@every_page
async def test_a_small_phone_scrolls_in_one_direction_only(visit: Visit, ids: dict[str, str], path: str) -> None:
    async with visit(viewport={"width": 320, "height": 800}) as tab:
        tab.expect_trouble(r"404 .*/nowhere")
        await tab.open(path.format(**ids))
        is_too_wide = await tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        sticking_out = await tab.page.evaluate(_STICKING_OUT) if is_too_wide else []
    assert sticking_out == []


@every_page
async def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    visit: Visit, ids: dict[str, str], path: str
) -> None:
    async with visit() as tab:
        tab.expect_trouble(r"404 .*/nowhere")
        await tab.open(path.format(**ids))
        await tab.page.keyboard.press("Tab")
        assert (await tab.page.evaluate(_FOCUSED))["text"] == "Skip to content"
        for pause in await tab.page.get_by_role("button", name="Pause updates").all():
            await pause.press("Enter")  # what moves would be counted at one time, and reached at another
        reached = await tab_through(tab.page)
        missed = await tab.page.locator(FOCUSABLE).evaluate_all("all => all.filter(each => !tabStops.has(each)).length")
    assert [each["text"] for each in reached if not each["is_shown"]] == []
    assert missed == 0


_STICKING_OUT = """() => [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1).map((each) => each.outerHTML.slice(0, 150))"""

FOCUSABLE = ", ".join(
    f"{each}:visible"
    for each in ("a[href]", "button:enabled", "summary", "input", "select", "textarea", "pre[tabindex]")
)

_FOCUSED = """() => {
  window.tabStops ??= new Map();
  const it = document.activeElement, style = getComputedStyle(it);
  if (it === document.body) return null;
  if (!tabStops.has(it)) tabStops.set(it, tabStops.size);
  return {place: tabStops.get(it), text: (it.textContent || it.name || it.id).trim().slice(0, 60),
    is_shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none"};
}"""


async def tab_through(page: Page) -> list[dict[str, Any]]:
    """Press Tab until it has gone round; what had the focus, and whether one could see it. A date has it thrice."""
    reached: dict[int, dict[str, Any]] = {}
    while True:
        await page.keyboard.press("Tab")
        focused = await page.evaluate(_FOCUSED)
        if focused is None:  # the end of the page
            continue
        if len(reached) > 1 and focused["place"] == next(iter(reached)):
            return list(reached.values())
        reached.setdefault(focused["place"], focused)
