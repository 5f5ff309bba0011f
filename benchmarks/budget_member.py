"""One process of budget.py: asks for orders, lists and links as fast as its client lets it, until it is killed.

    python benchmarks/budget_member.py 'fleet' '{"api": …, "redis": …, "order_id": …, "location": …, "ready": …}'

`fleet` is a Session as `planet-orders worker` opens it, `session` one with its own limiter, `planet 2.14` Planet's own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REQUEST = {
    "name": "budget",
    "products": [{"item_ids": ["20220605_124027_64_242b"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}],
}
CALLERS = 4  # of each kind of request, in each process

Ask = Callable[[], Awaitable[object]]


async def run_fleet(told: dict[str, Any], *, is_fleet: bool) -> None:
    """Ask through planet_sdk, with the fleet's limiter or the Session's own."""
    from planet_sdk import Auth, Session  # noqa: PLC0415 — each process loads its own contender only
    from worker.serve import open_session  # noqa: PLC0415 — as above
    from worker.settings import Settings  # noqa: PLC0415 — as above

    auth, name = Auth.from_key(told["key"]), f"benchmark-{os.getpid()}"
    if is_fleet:
        settings = Settings(worker_name=name, api_url=told["api"])
        async with open_session(settings, auth, told["redis"]) as session:
            await ask_for_ever(session.client("orders"), told)
    else:
        async with Session(auth, base_url=told["api"]) as session:
            await ask_for_ever(session.client("orders"), told)


async def run_planet(told: dict[str, Any]) -> None:
    """Ask through planet 2.14."""
    from planet import Auth, OrdersClient, Session  # noqa: PLC0415 — as above

    async with Session(auth=Auth.from_key(told["key"])) as session:
        await ask_for_ever(OrdersClient(session, base_url=f"{told['api']}/compute/ops"), told)


async def ask_for_ever(orders: Any, told: dict[str, Any]) -> None:
    """Keep some callers of each kind busy; what a request that was given up raises is the count's to show."""
    with TemporaryDirectory() as folder:
        asks: list[Ask] = [
            lambda: orders.create_order(REQUEST),
            lambda: orders.get_order(told["order_id"]),
            lambda: _first_page(orders),
            lambda: orders.download_asset(told["location"], directory=Path(folder), overwrite=True, progress_bar=False),
        ]
        await asyncio.to_thread(Path(told["ready"], str(os.getpid())).touch)
        await asyncio.gather(*(_repeat(ask) for ask in asks for _ in range(CALLERS)))


async def _first_page(orders: Any) -> None:
    async for _ in orders.list_orders(limit=1):
        pass


async def _repeat(ask: Ask) -> None:
    while True:
        try:
            await ask()
        except Exception as error:  # noqa: BLE001 — whatever the contender makes of an answer 429
            print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)


def main() -> None:
    """Run the contender `kind told`."""
    kind, told = sys.argv[1], json.loads(sys.argv[2])
    asyncio.run(run_planet(told) if kind == "planet 2.14" else run_fleet(told, is_fleet=kind == "fleet"))


if __name__ == "__main__":
    main()
