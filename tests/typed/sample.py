"""A program as a user would write it; it is type-checked, not run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

from jobs import (
    BadRequest,
    BlockingOrderQueue,
    BlockingRunHandle,
    Event,
    FileRecord,
    KeyReused,
    OrderQueue,
    Run,
    RunFailed,
    RunHandle,
    State,
    Submission,
)
from planet_sdk import (
    Auth,
    DataClient,
    OrdersClient,
    Session,
    collect,
    data_filter,
    exceptions,
    order_request,
    reporting,
)

FIELD = {"type": "Point", "coordinates": [-117.5, 45.25]}


async def find_items(data: DataClient) -> list[str]:
    """Search, and read what is found."""
    clear = data_filter.and_filter(
        [
            data_filter.geometry_filter(FIELD),
            data_filter.date_range_filter("acquired", gte=datetime(2022, 1, 1, tzinfo=UTC)),
            data_filter.range_filter("cloud_cover", lte=0.1),
        ]
    )
    found = data.search(["PSScene"], clear, sort="acquired asc", limit=10)
    assert_type(found, AsyncIterator[dict[str, Any]])
    assert_type(await collect(data.list_searches(limit=5)), list[dict[str, Any]] | dict[str, Any])
    return [item["id"] async for item in found]


async def fetch_asset(data: DataClient, item_id: str) -> Path:
    """Activate, wait, download and check."""
    asset = await data.get_asset("PSScene", item_id, "ortho_visual")
    await data.activate_asset(asset)
    asset = await data.wait_asset(asset, callback=print)
    path = await data.download_asset(asset, directory=Path("imagery"), progress_bar=False)
    data.validate_checksum(asset, path)
    return path


async def buy(orders: OrdersClient, request: dict[str, Any]) -> list[Path]:
    """Order, wait, download and validate."""
    with reporting.StateBar(state="creating") as bar:
        order = await orders.create_order(request)
        bar.update(state="created", order_id=order["id"])
        assert_type(await orders.wait(order["id"], callback=bar.update_state), str)
    paths = await orders.download_order(order["id"], "imagery", progress_bar=True)
    OrdersClient.validate_checksum(Path("imagery", order["id"]), "SHA256")
    async for listed in orders.list_orders(name=request["name"], limit=1):
        assert_type(listed, dict[str, Any])
    return paths


def many_requests(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read as they are sent."""
    for number in range(1000):
        yield {**request, "name": f"field {number}"}


async def hand_to_fleet(request: dict[str, Any]) -> list[FileRecord]:
    """Let the workers do it."""
    async with OrderQueue.connect("redis://localhost") as queue:
        assert_type(queue, OrderQueue)
        run = await queue.submit(request, key="field-7", deadline=timedelta(days=1))
        many = await queue.submit_many([request, Submission(request, destination="s3://imagery/field-7")])
        assert_type(many, list[RunHandle | BadRequest | KeyReused])
        batch = await queue.submit_batch(many_requests(request), name="fields", key="harvest")
        assert_type(batch.answers, tuple[RunHandle | BadRequest | KeyReused, ...])
        assert_type((await batch.result(timeout=60)).batch.runs[State.DONE], int)
        try:
            ended = await run.result(timeout=3600)
        except RunFailed as error:
            ended = error.run
        assert_type(ended, Run)
        assert_type(ended.state, State)
        return await run.files()


def hand_to_fleet_and_wait(request: dict[str, Any]) -> list[FileRecord]:
    """The same without an event loop."""
    with BlockingOrderQueue.connect("redis://localhost") as queue:
        assert_type(queue, BlockingOrderQueue)
        run = queue.submit(request, key="field-7", deadline=timedelta(days=1))
        assert_type(run.result(timeout=3600), Run)
        assert_type(queue.submit_many([request]), list[BlockingRunHandle | BadRequest | KeyReused])
        batch = queue.submit_batch(many_requests(request), name="fields", key="harvest", tell=print)
        assert_type(batch.result(timeout=60).batch.runs[State.DONE], int)
        assert_type(queue.list(State.FAILED, limit=10), list[Run])
        assert_type(queue.events(after="0-0"), Iterator[Event])
        assert_type([each.state for each in batch.runs()], list[State])
        return run.files()


async def main() -> None:
    """All of it, one after the other."""
    async with Session(Auth.from_key("key")) as session:
        data, orders = session.client("data"), session.client("orders")
        assert_type(data, DataClient)
        assert_type(orders, OrdersClient)
        items = await find_items(data)
        product = order_request.product(items, product_bundle="analytic_udm2", item_type="PSScene")
        request = order_request.build_request("field", [product], tools=[order_request.clip_tool(FIELD)])
        try:
            assert_type(await fetch_asset(data, items[0]), Path)
            assert_type(await buy(orders, request), list[Path])
        except exceptions.TooManyRequests as error:
            assert_type(error.status, int | None)
        await hand_to_fleet(request)


if __name__ == "__main__":
    asyncio.run(main())
