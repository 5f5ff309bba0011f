"""`make screenshots`: pictures of the pages for the README, taken of a fleet that has been at work for some minutes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser

from planet_sdk.simulator import FaultKind, SimulatorSettings
from tests.browser.chromium import Tab, chromium, tab
from tests.browser.fleet import Fleet, fleet_of_processes
from tests.browser.program import NO_CHROMIUM, find_chromium
from worker.demo.requests import build_requests

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WAVES = 6
PAUSE_S = 20  # between two waves: the charts need some minutes to show
DESK = {"width": 1200, "height": 1000}
PHONE = {"width": 390, "height": 844}
REFUSED = tuple(build_requests()[-1]["products"][0]["item_ids"])
PLANET = SimulatorSettings(queued_s=4, running_s=12, jitter=0.8, scene_size_px=256, forbidden_items=REFUSED)
PRODUCERS = ("harvest", "insurance", "coast watch")


async def main() -> int:
    """Take them all; returns the exit status."""
    program = find_chromium()
    if program is None:
        print(NO_CHROMIUM, file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="planet-orders-") as folder:
        working = fleet_of_processes(Path(folder), PLANET, ("atlas", "borealis"))
        async with working as fleet, chromium(program) as browser:
            run_id = await let_work(fleet)
            await take_all(fleet, browser, run_id)
    return 0


async def let_work(fleet: Fleet) -> str:
    """Orders come in for some minutes, and not all of them go well; returns a run that is done."""
    fleet.simulator.doom(FaultKind.ORDER_FAILED, "*flood-valencia*", times=2)
    fleet.simulator.doom(FaultKind.ORDER_STUCK, "*salt-uyuni*", times=None)
    fleet.simulator.fail("link", times=4)
    run_id = await fleet.order(await one_field(fleet))
    for wave in range(WAVES):
        print(f"wave {wave + 1} of {WAVES}")
        await fleet.submit_batch(f"survey {wave + 1}", batch(wave))
        await asyncio.sleep(PAUSE_S)  # so that time passes on the charts
    await fleet.reached(run_id, "done")
    fleet.simulator.slow_body("*.tif", bytes_per_s=20_000, times=None)  # so that something is under way
    await fleet.submit_batch("survey in hand", batch(WAVES))
    await asyncio.sleep(PAUSE_S)
    return run_id


def batch(wave: int) -> list[dict[str, Any]]:
    """A third of the demo's requests."""
    ours = {"producer": PRODUCERS[wave % 3]}
    return [{**each, "name": f"{each['name']}-{wave + 1}", **ours} for each in build_requests()[wave % 3 :: 3]]


async def one_field(fleet: Fleet) -> dict[str, Any]:
    """The demo's first request, clipped to a field that lies where its imagery does."""
    request = build_requests()[0]
    (product,) = request["products"]
    product["item_ids"] = product["item_ids"][:1]
    address = f"{fleet.simulator.url}/data/v1/item-types/{product['item_type']}/items/{product['item_ids'][0]}"
    async with httpx.AsyncClient(auth=(fleet.simulator.api_key, "")) as planet:
        (ring,) = (await planet.get(address)).raise_for_status().json()["geometry"]["coordinates"]
    middle = [sum(place[axis] for place in ring[:-1]) / len(ring[:-1]) for axis in (0, 1)]
    field = [[middle[axis] + (place[axis] - middle[axis]) * 0.6 for axis in (0, 1)] for place in ring]
    clip = {"clip": {"aoi": {"type": "Polygon", "coordinates": [field]}}}
    tools = [clip if "clip" in tool else tool for tool in request["tools"]]
    return {**request, "tools": tools, "producer": "harvest"}


async def take_all(fleet: Fleet, browser: Browser, run_id: str) -> None:
    """Each page, as people see it."""
    pictures = {"fleet-light": "/", "run": f"/runs/{run_id}", "failures": "/failures"}
    async with tab(browser, fleet.address, color_scheme="light", viewport=DESK) as light:
        for name, path in pictures.items():
            await take(light, path, name)
    async with tab(browser, fleet.address, color_scheme="dark", viewport=DESK) as dark:
        await take(dark, "/", "fleet-dark")
    async with tab(browser, fleet.address, color_scheme="light", viewport=PHONE) as phone:
        await take(phone, "/", "phone")


async def take(one: Tab, path: str, name: str) -> None:
    """One picture, of what fits the window."""
    await one.open(path)
    image = IMAGES / f"{name}.png"
    await one.page.screenshot(path=image, animations="disabled")
    print(f"{image.name}: {image.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
