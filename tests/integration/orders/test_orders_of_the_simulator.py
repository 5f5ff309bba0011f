"""Orders that turn out otherwise than hoped for, delivered by the simulator."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import pytest

from planet_sdk import Auth, OrdersClient, Session, exceptions, order_request
from planet_sdk.delivery import Delivery
from planet_sdk.limits import LocalLimiter
from planet_sdk.simulator import FaultKind, Simulator, SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

FAST = {"queued_s": 0, "running_s": 0, "rate_limits": {}}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(**FAST)) as running:  # type: ignore[arg-type]  # numbers and an empty mapping
        yield running


@pytest.fixture
async def orders(simulator: Simulator) -> AsyncIterator[OrdersClient]:
    async with _session(simulator) as session:
        yield session.client("orders")


def _session(simulator: Simulator) -> Session:
    return Session(Auth.from_key(simulator.api_key), base_url=simulator.url, limiter=LocalLimiter({}))


async def _order(orders: OrdersClient, **details: Any) -> str:
    products = [order_request.product(["20200909_182525_1014"], "analytic_udm2", "PSScene")]
    order = await orders.create_order(order_request.build_request("n", products, **details))
    await orders.wait(order["id"], delay=0)
    order_id = order["id"]
    assert isinstance(order_id, str)
    return order_id


@pytest.mark.parametrize("lists", ["archive", "members"])
async def test_a_zipped_order_is_valid_whatever_its_manifest_lists(
    tmp_path: Path, lists: Literal["archive", "members"]
) -> None:
    """No source settles whether Planet's manifest lists the archive or the files inside."""
    with Simulator(SimulatorSettings(manifest_lists=lists, **FAST)) as simulator:  # type: ignore[arg-type]  # as above
        async with _session(simulator) as session:
            orders = session.client("orders")
            order_id = await _order(orders, delivery=order_request.delivery("zip", single_archive=True))

            paths = await orders.download_order(order_id, tmp_path)

    assert sorted(path.suffix for path in paths) == [".json", ".zip"]
    OrdersClient.validate_checksum(tmp_path / order_id, "sha256")


async def test_a_result_that_would_leave_the_folder_stops_the_order(
    simulator: Simulator, orders: OrdersClient, tmp_path: Path
) -> None:
    simulator.doom(FaultKind.EVIL_NAME)
    folder = tmp_path / "a" / "b" / "c"

    with pytest.raises(exceptions.UnsafeName):
        await orders.download_order(await _order(orders), folder)
    assert _files_below(tmp_path) == []


async def test_a_failed_order_downloads_nothing(simulator: Simulator, orders: OrdersClient, tmp_path: Path) -> None:
    simulator.doom(FaultKind.ORDER_FAILED)

    assert await orders.download_order(await _order(orders), tmp_path) == []


async def test_links_that_expired_are_renewed(simulator: Simulator, orders: OrdersClient, tmp_path: Path) -> None:
    order_id = await _order(orders)
    simulator.expire_link("*", times=2)

    await orders.download_order(order_id, tmp_path)

    OrdersClient.validate_checksum(tmp_path / order_id, "sha256")


async def test_an_order_that_was_read_long_ago_is_read_again(
    simulator: Simulator, orders: OrdersClient, tmp_path: Path
) -> None:
    """Once for all files: the links of one reading expire together."""
    order_id = await _order(orders)
    order = await orders.get_order(order_id)
    simulator.expire_links()
    before = simulator.report().requests["get"]

    await (await Delivery.open(orders, order, tmp_path)).fetch_all()

    assert simulator.report().requests["get"] == before + 1
    OrdersClient.validate_checksum(tmp_path / order_id, "sha256")


async def test_a_corrupt_body_is_fetched_again(simulator: Simulator, orders: OrdersClient, tmp_path: Path) -> None:
    order_id = await _order(orders)
    simulator.corrupt_body("*.tif")

    await orders.download_order(order_id, tmp_path)

    OrdersClient.validate_checksum(tmp_path / order_id, "sha256")


async def test_no_log_line_holds_a_token(
    simulator: Simulator, orders: OrdersClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads a link can fetch the file; planet 2.14 logs them."""
    caplog.set_level(logging.DEBUG)
    order_id = await _order(orders)
    simulator.expire_link("*")

    await orders.download_order(order_id, tmp_path)

    assert "renewed" in caplog.text
    ours = [record for record in caplog.records if not record.name.startswith(("uvicorn", "asyncio"))]
    assert [record for record in ours if "token=" in str(vars(record))] == []


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
