"""Does with Planet's own client what a user's script does with it, and prints what it found as JSON.

Runs with `planet` 2.14 and with 3.x, each in an environment of its own; its one argument is the keyword arguments of
`drive_client`, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from planet import Auth, DataClient, OrdersClient, Planet, Session, data_filter, order_request, specs
from planet.exceptions import APIError

PLANET = "https://api.planet.com"
OREGON = {
    "type": "Polygon",
    "coordinates": [
        [
            [-117.558734, 45.229745],
            [-117.452447, 45.229745],
            [-117.452447, 45.301865],
            [-117.558734, 45.301865],
            [-117.558734, 45.229745],
        ]
    ],
}


async def drive_client(task: str, url: str, api_key: str, folder: str) -> dict[str, Any]:
    """Do one of the tasks against the Planet at this address."""
    # The address of the bundles is written into a function of the client: its httpx.get is sent here instead.
    specs.httpx = SimpleNamespace(get=lambda address: httpx.get(address.replace(PLANET, url)))
    if task == "log in":
        return log_in(url)
    if task == "synchronous":
        return await asyncio.to_thread(use_planet_object, url, api_key, Path(folder))
    async with Session(Auth.from_key(api_key)) as session:
        return await TASKS[task](session, url, Path(folder))


def log_in(url: str) -> dict[str, Any]:
    """Log in by e-mail and password, which 2.14 can."""
    refusals = {}
    for case, email in (("wrong password", "planet@example.com"), ("bad e-mail", "nobody")):
        try:
            Auth.from_login(email, "wrong", base_url=f"{url}/v0/auth")
        except APIError as error:
            refusals[case] = f"{type(error).__name__}: {error}"
    auth = Auth.from_login("planet@example.com", "simulator-password", base_url=f"{url}/v0/auth")
    return {"api_key": auth.value, "refusals": refusals}


def build_request(name: str, *, tools: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A request that the client builds, with the bundles that are served."""
    product = order_request.product(["20220304_093300_37_2430"], "analytic_8b_sr_udm2", "psscene")
    request: dict[str, Any] = order_request.build_request(name, [product], tools=tools)
    return request


def orders_client(session: Any, url: str) -> Any:
    return OrdersClient(session, base_url=f"{url}/compute/ops")


async def order_files(session: Any, url: str, folder: Path) -> dict[str, Any]:
    """Create, wait, list, download and validate."""
    client = orders_client(session, url)
    order = await client.create_order(build_request("oregon", tools=[order_request.clip_tool(OREGON)]))
    waited = await client.wait(order["id"], delay=0, max_attempts=0)
    files = await client.download_order(order["id"], directory=folder)
    for kind in ("MD5", "SHA256"):
        client.validate_checksum(folder / order["id"], kind)
    return {
        "created": order["state"],
        "waited": waited,
        "listed": [entry["name"] async for entry in client.list_orders(name="oregon")],
        "files": [file.name for file in files],
    }


async def page_orders(session: Any, url: str, folder: Path) -> dict[str, Any]:
    """List more orders than a page of 5 holds."""
    client = orders_client(session, url)
    for _ in range(6):
        await client.create_order(build_request("paged"))
    listed = [order async for order in client.list_orders(name="paged", limit=0)]
    return {"paged": len({order["id"] for order in listed})}


async def narrow_lists(session: Any, url: str, folder: Path) -> dict[str, Any]:
    """List and search by what only 3.x asks for."""
    client = orders_client(session, url)
    for name in ("narrow b", "narrow a", "narrow b"):
        await client.create_order(build_request(name))
    by_name = client.list_orders(
        name__contains="narrow", created_on="2020-01-01T00:00:00Z/..", sort_by="name,state DESC"
    )
    field = {"type": "Point", "coordinates": OREGON["coordinates"][0][0]}
    around = data_filter.geometry_filter(field, relation="contains")
    data = DataClient(session, base_url=f"{url}/data/v1/")
    return {
        "names": [order["name"] async for order in by_name],
        "containing": len([item async for item in data.search(["PSScene"], around, limit=3)]),
    }


def use_planet_object(url: str, api_key: str, folder: Path) -> dict[str, Any]:
    """Order and search with 3.x's client that is not asynchronous."""
    planet = Planet(Session(Auth.from_key(api_key)), base_url=url)
    order = planet.orders.create_order(build_request("synchronous"))
    waited = planet.orders.wait(order["id"], delay=0, max_attempts=0)
    planet.orders.download_order(order["id"], directory=folder)
    planet.orders.validate_checksum(folder / order["id"], "MD5")
    return {"waited": waited, "items": len(list(planet.data.search(["PSScene"], limit=5)))}


async def use_data(session: Any, url: str, folder: Path) -> dict[str, Any]:
    """Search, save, count, activate, fetch and check."""
    clear = data_filter.and_filter(
        [
            data_filter.geometry_filter(OREGON),
            data_filter.date_range_filter("acquired", gte=datetime(2022, 1, 1, tzinfo=UTC), lt=datetime(2023, 1, 1)),  # noqa: DTZ001 — users pass such, and the client adds the Z
            data_filter.range_filter("cloud_cover", lte=0.5),
            data_filter.or_filter(
                [data_filter.number_in_filter("pixel_resolution", [3]), data_filter.std_quality_filter()]
            ),
            data_filter.not_filter(data_filter.string_in_filter("ground_control", ["false"])),
            data_filter.asset_filter(["ortho_visual", "basic_udm2"]),
            data_filter.permission_filter(),
        ]
    )
    client = DataClient(session, base_url=f"{url}/data/v1/")
    items = [item async for item in client.search(["PSScene"], clear, limit=0)]
    oldest = [item async for item in client.search(["PSScene"], clear, sort="acquired asc", limit=2)]
    paged = [item async for item in client.search(["PSScene"], limit=600)]
    saved = await client.create_search(["psscene"], clear, "clear", geometry=OREGON)
    ran = [item["id"] async for item in client.run_search(saved["id"], limit=0)]
    updated = await client.update_search(saved["id"], ["PSScene"], clear, "clearer", enable_email=True)
    listed = [search["name"] async for search in client.list_searches(search_type="saved")]
    got = await client.get_search(saved["id"])
    await client.delete_search(saved["id"])
    stats = await client.get_stats(["PSScene"], clear, "month")
    changed = data_filter.update_filter("ground_control", gt=datetime(2022, 1, 1, tzinfo=UTC))
    fetched = await fetch_asset(client, items[0]["id"], folder)
    return {
        "items": [item["id"] for item in items],
        "oldest": [item["id"] for item in oldest],
        "paged": len({item["id"] for item in paged}),
        "ran": ran,
        "names": [saved["name"], updated["name"], got["name"], *listed],
        "left": [search["name"] async for search in client.list_searches(search_type="saved")],
        "counted": sum(bucket["count"] for bucket in stats["buckets"]),
        "changed": len([item async for item in client.search(["PSScene"], changed, limit=5)]),
        **fetched,
    }


async def fetch_asset(client: Any, item_id: str, folder: Path) -> dict[str, Any]:
    """Activate an asset, wait for it, download it and check it."""
    asset = await client.get_asset("PSScene", item_id, "ortho_visual")
    await client.activate_asset(asset)
    seen: list[str] = []
    active = await client.wait_asset(asset, delay=0, max_attempts=0, callback=seen.append)
    path = await client.download_asset(active, directory=folder)
    client.validate_checksum(active, path)
    return {"file": path.name, "seen": [seen[0], seen[-1]]}


async def collect_refusals(session: Any, url: str, folder: Path) -> dict[str, Any]:
    """What the client raises, by what was wrong."""
    client, request = orders_client(session, url), build_request("refused")
    order = await client.create_order(request)
    await client.wait(order["id"], delay=0, max_attempts=0)
    bad = {**request, "products": [{**request["products"][0], "item_type": "invalid"}]}
    refusals = {}
    async with Session(Auth.from_key("wrong")) as stranger:
        calls = {
            "unknown order": client.get_order("2887c43b-26be-4bec-8efe-cb9e94f0ef3d"),
            "too late to cancel": client.cancel_order(order["id"]),
            "wrong key": orders_client(stranger, url).get_order(order["id"]),
            "bad item type": client.create_order(bad),
        }
        for case, call in calls.items():
            try:
                await call
            except APIError as error:
                refusals[case] = type(error).__name__
    return {"refusals": refusals}


TASKS: dict[str, Callable[[Any, str, Path], Awaitable[dict[str, Any]]]] = {
    "order": order_files,
    "page": page_orders,
    "narrow": narrow_lists,
    "data": use_data,
    "refusals": collect_refusals,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(drive_client(**json.loads(sys.argv[1])))))
