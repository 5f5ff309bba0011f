"""A real browser: the system's Chromium, driven by Playwright, and what went wrong on the pages it showed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

_ARGUMENTS = (
    "--no-sandbox",  # the pages are our own, and containers allow no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_PATIENCE_MS = 30_000
_NAVIGATED_AWAY = "net::ERR_ABORTED"


@asynccontextmanager
async def chromium(program: str) -> AsyncIterator[Browser]:
    """The browser, running as long as the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        await browser.close()


@dataclass
class Trouble:
    """What must not happen on a page: errors, refused and failed requests, and requests that leave its origin.

    Attributes:
        expected: what a test brings about on purpose, as patterns.
    """

    origin: str
    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("request", self._look_at)
        page.on("requestfailed", self._note_failed)

    @property
    def unexpected(self) -> list[str]:
        return [each for each in self.seen if not any(re.search(pattern, each) for pattern in self.expected)]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.seen.append(f"console: {message.text} at {message.location.get('url')}")

    def _look_at(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin and parts.scheme not in {"data", "blob"}:
            self.seen.append(f"elsewhere: {request.url}")

    def _note_failed(self, request: Request) -> None:
        if request.failure != _NAVIGATED_AWAY:
            self.seen.append(f"failed: {request.method} {request.url}: {request.failure}")


@dataclass
class Tab:
    """One page in a context of its own."""

    page: Page
    trouble: Trouble

    async def open(self, path: str) -> None:
        """Go there, and leave something behind that a reload would take away."""
        await self.page.goto(self.trouble.origin + path)
        await self.page.evaluate("window.neverReloaded = true")

    async def was_reloaded(self) -> bool:
        return not await self.page.evaluate("window.neverReloaded === true")

    def expect_trouble(self, pattern: str) -> None:
        """From here on the test breaks something on purpose."""
        self.trouble.expected.append(pattern)


@asynccontextmanager
async def tab(browser: Browser, address: str, **options: Any) -> AsyncIterator[Tab]:
    """A fresh context with one page; at the end of the block nothing may have gone wrong on it.

    Args:
        browser: that shows it.
        address: whose pages it opens, and the only one it may ask anything of.
        options: of the context: `color_scheme`, `viewport`, `java_script_enabled`.
    """
    context = await browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(_PATIENCE_MS)
    page = await context.new_page()
    trouble = Trouble(address)
    trouble.watch(page)
    try:
        yield Tab(page, trouble)
    finally:
        await context.close()
    assert trouble.unexpected == []
