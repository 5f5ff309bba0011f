"""Does with the real `planet` 2.14 client what a user's script does with it, and prints what it found as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from planet import Auth, DataClient, OrdersClient, Session, data_filter, order_request, specs
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


async def drive_client(url: str, folder: str, **options: Any) -> dict[str, Any]:
    """Do with the real client what a user's script does with it."""
    # The address of the bundles is written into a function of the client: its httpx.get is sent here instead.
    specs.httpx = SimpleNamespace(get=lambda address: httpx.get(address.replace(PLANET, url)))
    if options.get("data"):
        return await drive_data(url, folder, options["data"])
    auth = Auth.from_login("planet@example.com", "simulator-password", base_url=f"{url}/v0/auth")
    product = order_request.product(["20220304_093300_37_2430"], "analytic_8b_sr_udm2", "psscene")
    tools = [order_request.clip_tool(OREGON)] if options.get("tools") else None
    request = order_request.build_request(options["name"], [product], tools=tools)
    async with Session(auth) as session:
        client = OrdersClient(session, base_url=f"{url}/compute/ops")
        if options.get("many"):
            for _ in range(options["many"]):
                await client.create_order(request)
            listed = [order async for order in client.list_orders(name=options["name"], limit=0)]
            return {"paged": len({order["id"] for order in listed})}
        order = await client.create_order(request)
        waited = await client.wait(order["id"], delay=0)
        if options.get("refusals"):
            return {"refusals": await collect_refusals(url, client, order["id"], request)}
        files = await client.download_order(order["id"], directory=Path(folder))
        for kind in ("MD5", "SHA256"):
            client.validate_checksum(Path(folder) / order["id"], kind)
        return {
            "api_key": auth.value,
            "created": order["state"],
            "waited": waited,
            "listed": [entry["name"] async for entry in client.list_orders(name="oregon")],
            "files": [file.name for file in files],
        }


async def drive_data(url: str, folder: str, api_key: str) -> dict[str, Any]:
    """Search, save, count, activate, fetch and check with the real client."""
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
    async with Session(Auth.from_key(api_key)) as session:
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
        fetched = await fetch_asset(client, items[0]["id"], Path(folder))
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
    active = await client.wait_asset(asset, delay=0, callback=seen.append)
    path = await client.download_asset(active, directory=folder)
    client.validate_checksum(active, path)
    return {"file": path.name, "seen": [seen[0], seen[-1]]}


async def collect_refusals(url: str, client: Any, order_id: str, request: dict[str, Any]) -> dict[str, str]:
    """What the client raises, by what was wrong."""
    refusals: dict[str, str] = {}
    for case, email in (("wrong password", "planet@example.com"), ("bad e-mail", "nobody")):
        try:
            Auth.from_login(email, "wrong", base_url=f"{url}/v0/auth")
        except APIError as error:
            refusals[case] = f"{type(error).__name__}: {error}"
    bad = {**request, "products": [{**request["products"][0], "item_type": "invalid"}]}
    async with Session(Auth.from_key("wrong")) as stranger:
        calls = {
            "unknown order": client.get_order("2887c43b-26be-4bec-8efe-cb9e94f0ef3d"),
            "too late to cancel": client.cancel_order(order_id),
            "wrong key": OrdersClient(stranger, base_url=f"{url}/compute/ops").get_order(order_id),
            "bad item type": client.create_order(bad),
        }
        for case, call in calls.items():
            try:
                await call
            except APIError as error:
                refusals[case] = type(error).__name__
    return refusals


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(drive_client(**json.loads(sys.argv[1])))))
