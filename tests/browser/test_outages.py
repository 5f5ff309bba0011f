"""Pages outlive what they show: the web process, and Redis."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.chromium import tab
from tests.browser.conftest import IN_BROWSER, Visit
from tests.browser.fleet import Fleet
from tests.redis_proxy import proxy_before
from tests.web_rig import served_by_thread

pytestmark = IN_BROWSER

UNANSWERED = r"ERR_(CONNECTION|EMPTY|INCOMPLETE|NETWORK|SOCKET)"


async def test_a_page_goes_on_when_the_web_process_has_been_restarted(fleet: Fleet, visit: Visit) -> None:
    async with visit() as tab:
        await tab.open("/")
        tab.expect_trouble(UNANSWERED)
        await fleet.stop_web()
        await expect(tab.page.locator("#lost")).to_contain_text("does not answer")
        await fleet.start_web()
        run_id = await fleet.submit("after the restart")
        await expect(tab.page.locator(f"#run-{run_id}")).to_contain_text("done")
        await expect(tab.page.locator("#lost")).to_be_empty()
        assert not await tab.was_reloaded()


async def test_a_page_says_that_redis_is_away_and_comes_back_with_it(browser: Browser, valkey_socket: Path) -> None:
    async with proxy_before(valkey_socket) as proxy:
        with served_by_thread(proxy.url) as address:
            async with tab(browser, address) as page:
                await page.open("/")
                headline = page.page.get_by_role("main").get_by_role("heading", level=1)
                await expect(headline).not_to_contain_text("Redis")
                page.expect_trouble("503")
                proxy.open.clear()
                await expect(headline).to_contain_text("Redis")
                proxy.open.set()
                await expect(headline).not_to_contain_text("Redis")
                assert not await page.was_reloaded()
