"""Orders, from the request to the verified files: one idea a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from planet_sdk import Auth, OrdersClient, Session, collect, exceptions, order_request, reporting
from planet_sdk.simulator import Simulator, SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

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


@pytest.fixture
def planet() -> Iterator[Simulator]:
    """A Planet that works through orders at once."""
    with Simulator(SimulatorSettings(queued_s=0, running_s=0)) as simulator:
        yield simulator


@pytest.fixture
async def orders(planet: Simulator) -> AsyncIterator[OrdersClient]:
    async with Session(Auth.from_key(planet.api_key), base_url=planet.url) as session:
        yield session.client("orders")


@pytest.fixture
def request_json() -> dict[str, Any]:
    """Two scenes of Oregon, cut to a field."""
    return order_request.build_request(
        name="oregon_order",
        products=[
            order_request.product(
                item_ids=["20200909_182525_1014", "20200909_182524_1014"],
                product_bundle="analytic_udm2",
                item_type="PSScene",
            )
        ],
        tools=[order_request.clip_tool(aoi=OREGON)],
    )


def test_a_request_is_a_plain_dict(request_json: dict[str, Any]) -> None:
    assert request_json == {
        "name": "oregon_order",
        "products": [
            {
                "item_ids": ["20200909_182525_1014", "20200909_182524_1014"],
                "item_type": "PSScene",
                "product_bundle": "analytic_udm2",
            }
        ],
        "tools": [{"clip": {"aoi": OREGON}}],
    }


async def test_an_order_is_created_waited_for_downloaded_and_validated(
    orders: OrdersClient, request_json: dict[str, Any], tmp_path: Path
) -> None:
    with reporting.StateBar(state="creating") as bar:
        order = await orders.create_order(request_json)
        bar.update(state="created", order_id=order["id"])
        state = await orders.wait(order["id"], callback=bar.update_state)
    assert state == "success"

    paths = await orders.download_order(order["id"], tmp_path)

    assert tmp_path / order["id"] / "manifest.json" in paths
    assert len(list((tmp_path / order["id"] / "PSScene").glob("*_clip.tif"))) == 4
    OrdersClient.validate_checksum(tmp_path / order["id"], "md5")


async def test_orders_are_listed_and_collected(orders: OrdersClient, request_json: dict[str, Any]) -> None:
    ids = [(await orders.create_order({**request_json, "name": f"order {number}"}))["id"] for number in range(2)]

    listed: Any = await collect(orders.list_orders())
    found = [order["id"] async for order in orders.list_orders(name="order 1")]

    assert [order["id"] for order in listed] == ids[::-1], "newest first"
    assert found == ids[1:]


async def test_an_order_can_be_cancelled_while_it_is_queued(request_json: dict[str, Any]) -> None:
    with Simulator(SimulatorSettings(queued_s=60)) as planet:
        async with Session(Auth.from_key(planet.api_key), base_url=planet.url) as session:
            orders = session.client("orders")
            order = await orders.create_order(request_json)

            assert (await orders.cancel_order(order["id"]))["state"] == "cancelled"
            assert await orders.wait(order["id"]) == "cancelled"


async def test_the_active_orders_are_counted(orders: OrdersClient) -> None:
    stats = await orders.aggregated_order_stats()

    assert stats["user"] == {"queued_orders": 0, "running_orders": 0}


async def test_one_asset_can_be_downloaded_by_its_link(planet: Simulator, orders: OrdersClient, tmp_path: Path) -> None:
    path = await orders.download_asset(planet.put("scene.tif", b"pixels"), directory=tmp_path)

    assert (path.name, path.read_bytes()) == ("scene.tif", b"pixels")


async def test_errors_say_what_went_wrong(orders: OrdersClient) -> None:
    with pytest.raises(exceptions.MissingResource, match="Could not load order ID"):
        await orders.get_order("00000000-0000-0000-0000-000000000000")
    with pytest.raises(exceptions.ClientError, match="not a valid UUID"):
        await orders.get_order("my order")


async def test_whoever_wants_to_show_progress_otherwise_is_told(
    orders: OrdersClient, request_json: dict[str, Any], tmp_path: Path
) -> None:
    """The callback hears of every file, up to its last byte."""
    told: dict[Path, int] = {}

    def note(path: Path, here: int, _: int | None) -> None:
        told[path] = here

    order = await orders.create_order(request_json)
    await orders.wait(order["id"], delay=0)
    paths = await orders.download_order(order["id"], tmp_path, progress=note)

    assert {path: path.stat().st_size for path in paths} == told
