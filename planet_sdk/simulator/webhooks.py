from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from .clock import Clock
from .delivery import list_results
from .journal import Journal
from .links import Links
from .orders import Order
from .settings import SimulatorSettings

_TIMEOUT_S = 5.0


class Webhooks:
    """Tells those who asked for it that an order is final. A call that fails is not repeated, and nobody is told."""

    def __init__(self, settings: SimulatorSettings, clock: Clock, links: Links, journal: Journal) -> None:
        self._settings, self._clock, self._links, self._journal = settings, clock, links, journal
        self._calls: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    def announce(self, order: Order) -> None:
        """Send what the order's notifications ask for, without waiting for it; nothing once the server has stopped."""
        webhook = (order.request.get("notifications") or {}).get("webhook") or {}
        if not isinstance(webhook, dict) or not webhook.get("url"):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        call = loop.create_task(self._send(str(webhook["url"]), list(self._payloads(order, webhook))))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Give up on the calls that are under way."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._client:
            await self._client.aclose()
            self._client = None

    def _payloads(self, order: Order, webhook: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """One payload for the whole order, or one for each item."""
        results = list_results(order, self._links, self._settings, order.base_url, self._clock.now_us())
        items = [_shorten_link(result) for result in results]
        if webhook.get("per_order") or not items:
            yield {"order_id": order.id, "items": items}
            return
        for item in items:
            yield {"order_id": order.id, "items": [item]}

    async def _send(self, url: str, payloads: list[dict[str, Any]]) -> None:
        self._client = self._client or httpx.AsyncClient(timeout=_TIMEOUT_S)
        for payload in payloads:
            self._journal.webhooks += 1
            with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
                await self._client.post(url, json=payload)


def _shorten_link(result: Mapping[str, str]) -> dict[str, str]:
    """A result as webhooks show it: of the link only the query."""
    link = {"location": "?" + result["location"].partition("?")[2]} if "location" in result else {}
    return {**result, **link}
