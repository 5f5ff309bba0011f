"""Order two scenes with the SDK alone, and have the verified files: no Redis, no worker.

    python examples/sdk_download.py [folder]

Needs PL_API_KEY, or the secret file that `planet_sdk.Auth` writes. PL_API_URL names another Planet, as the simulator.
Run by itself it buys an order each time: a script that may be started again keeps the order's id.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from planet_sdk import OrdersClient, Session, order_request, reporting
from planet_sdk.exceptions import PlanetError

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
ITEMS = ["20200909_182525_1014", "20200909_182524_1014"]


async def download_order(folder: Path) -> list[Path]:
    """Order, wait, download and validate; return the files."""
    request = order_request.build_request(
        name="oregon_order",
        products=[order_request.product(ITEMS, product_bundle="analytic_udm2", item_type="PSScene")],
        tools=[order_request.clip_tool(aoi=OREGON)],
    )
    async with Session() as session:
        orders = session.client("orders")
        with reporting.StateBar(state="creating") as bar:
            order = await orders.create_order(request)
            bar.update(state="created", order_id=order["id"])
            state = await orders.wait(order["id"], max_attempts=0, callback=bar.update_state)
        if state not in {"success", "partial"}:
            raise SystemExit(f"order {order['id']} ended {state}: nothing to download")
        paths = await orders.download_order(order["id"], folder, progress_bar=True)
    await asyncio.to_thread(OrdersClient.validate_checksum, folder / order["id"], "sha256")
    return paths


def main() -> None:
    """Print the path of each file."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "imagery")
    try:
        paths = asyncio.run(download_order(folder))
    except PlanetError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    for path in paths:
        print(path)


if __name__ == "__main__":
    main()
