"""Does with the real `planet` 2.14 client what a user's script does with it, and prints what it found as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from planet import Auth, OrdersClient, Session, order_request, specs
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
