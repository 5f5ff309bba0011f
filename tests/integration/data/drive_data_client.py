"""A program written for `planet` 2.14's Data API; the name of the package is all that differs. Prints what it found."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
SEARCH_ID = "286469f0b27c476e96c3c4e561f59664"


async def drive(package: str, url: str, folder: Path) -> dict[str, Any]:
    sdk = importlib.import_module(package)
    filters = sdk.data_filter
    sfilter = filters.and_filter(
        [
            filters.permission_filter(),
            filters.date_range_filter("acquired", gt=datetime(2022, 6, 1, 1)),  # noqa: DTZ001 — as the guide has it
            filters.not_filter(filters.range_filter("cloud_cover", gte=0.5)),
            filters.geometry_filter(POLYGON),
        ]
    )
    statuses: list[str] = []
    async with sdk.Session(sdk.Auth.from_key("k")) as session:
        cl = session.client("data", f"{url}/data/v1/")
        found = {
            "search": [i async for i in cl.search(["psscene"], sfilter, sort="acquired asc", limit=3)],
            "nearby": await sdk.collect(cl.search(["SkySatVideo"], name="n", geometry="pl:features/my/fields/f1")),
            "created": await cl.create_search(["PSScene"], sfilter, "n", geometry=POLYGON),
            "updated": await cl.update_search(SEARCH_ID, ["PSScene"], sfilter, "n", enable_email=True),
            "listed": [s async for s in cl.list_searches(sort="created asc", search_type="saved")],
            "got": await cl.get_search(SEARCH_ID),
            "run": [i async for i in cl.run_search(SEARCH_ID, limit=0)],
            "deleted": await cl.delete_search(SEARCH_ID),
            "stats": await cl.get_stats(["PSScene"], sfilter, "DAY"),
            "assets": await cl.list_item_assets("PSScene", "i"),
        }
        asset = await cl.get_asset("psscene", "i", "ortho_visual")
        await cl.activate_asset(asset)
        asset = await cl.wait_asset(asset, delay=0, callback=statuses.append)
        await cl.activate_asset(asset)
        path = await cl.download_asset(asset, directory=folder, progress_bar=False)
        again = await cl.download_asset(asset, filename="again.tif", directory=folder, progress_bar=False)
        cl.validate_checksum(asset, path)
        (folder / "other").write_bytes(b"x")
        refused = {}
        calls: dict[str, Callable[[], Any]] = {
            "sort": lambda: anext(aiter(cl.search(["PSScene"], sort="x"))),
            "item type": lambda: anext(aiter(cl.search(["PSScenes"]))),
            "search id": lambda: anext(aiter(cl.run_search("x"))),
            "search type": lambda: anext(aiter(cl.list_searches(search_type="x"))),
            "interval": lambda: cl.get_stats(["PSScene"], sfilter, "x"),
            "asset type": lambda: cl.get_asset("PSScene", "i", "x"),
            "inactive": lambda: cl.download_asset({"status": "inactive"}),
            "no asset": lambda: cl.activate_asset({}),
            "attempts": lambda: cl.wait_asset({**asset, "status": "inactive"}, delay=0, max_attempts=1),
            "gone": lambda: cl.get_search("gone"),
        }
        for what, call in calls.items():
            try:
                await call()
            except Exception as error:  # noqa: BLE001 — one of 2.14's is no PlanetError
                refused[what] = type(error).__name__
    files = {one.name: one.stat().st_size for one in (path, again)}
    return {**found, "asset": asset, "statuses": statuses, "files": files, "refused": refused}


if __name__ == "__main__":
    name, address, place = sys.argv[1:]
    if name == "planet":  # it would fetch them from Planet
        from planet import specs

        from planet_sdk.specs import PRODUCT_BUNDLES

        specs.PRODUCT_BUNDLES.cache = PRODUCT_BUNDLES
    sys.stdout.write(json.dumps(asyncio.run(drive(name, address, Path(place)))))
