"""The guide's walk through the catalogue, with the simulator: search, activate, wait, download, check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planet_sdk import Auth, DataClient, Session, data_filter, exceptions
from planet_sdk.limits import LocalLimiter
from planet_sdk.retry import RetryPolicy
from planet_sdk.simulator import FaultKind, FaultPlan, Simulator, SimulatorSettings
from tests.integration.transport.conftest import lying

FIELD = {
    "type": "Polygon",
    "coordinates": [[[-117.56, 45.22], [-117.45, 45.22], [-117.45, 45.30], [-117.56, 45.30], [-117.56, 45.22]]],
}
JUNE = data_filter.date_range_filter(
    "acquired", gte=datetime(2022, 6, 1, tzinfo=UTC), lt=datetime(2022, 7, 1, tzinfo=UTC)
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(activation_s=0, rate_limits={})) as running:
        yield running


@pytest.fixture
def hostile(simulator: Simulator) -> Iterator[Simulator]:
    """The simulator, where a third of all requests meets with some mishap."""
    rates = {
        FaultKind.ERROR: 0.15,
        FaultKind.TOO_MANY_REQUESTS: 0.1,
        FaultKind.DROP_REPLY: 0.1,
        FaultKind.EXPIRED_LINK: 0.05,
        FaultKind.CUT_BODY: 0.3,
        FaultKind.CORRUPT_BODY: 0.1,
    }
    simulator.set_plan(FaultPlan(seed=5, rates=rates, retry_after_s=None))
    yield simulator
    simulator.clear_faults()
    simulator.set_plan(FaultPlan())


@pytest.fixture
async def data(simulator: Simulator) -> AsyncIterator[DataClient]:
    auth = Auth.from_key(simulator.api_key)
    retry = RetryPolicy(max_tries=20, sleep=no_sleep)
    async with Session(auth, base_url=simulator.url, limiter=LocalLimiter({}), retry=retry) as session:
        yield session.client("data")


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def found(data: DataClient, **wanted: Any) -> list[dict[str, Any]]:
    """Items of June, newest first."""
    return [item async for item in data.search(["PSScene"], JUNE, sort="acquired desc", **wanted)]


async def test_a_search_finds_what_its_filter_says_in_its_order(data: DataClient) -> None:
    items = await found(data, geometry=FIELD, limit=0)

    acquired = [item["properties"]["acquired"] for item in items]
    assert len(items) > 5
    assert acquired == sorted(acquired, reverse=True)
    assert all(time.startswith("2022-06") for time in acquired)


async def test_a_search_of_several_pages_yields_each_item_once(data: DataClient) -> None:
    """Planet's pages hold 250 items."""
    year = data_filter.date_range_filter(
        "acquired", gte=datetime(2022, 1, 1, tzinfo=UTC), lt=datetime(2023, 1, 1, tzinfo=UTC)
    )

    ids = [item["id"] async for item in data.search(["PSScene"], year, limit=600)]

    assert len(ids) == len(set(ids)) == 600


async def test_a_saved_search_lives_until_it_is_deleted(data: DataClient) -> None:
    search = await data.create_search(["PSScene"], JUNE, "june", geometry=FIELD)

    assert [one["id"] async for one in data.list_searches(search_type="saved")] == [search["id"]]
    assert [item["id"] async for item in data.run_search(search["id"], sort="acquired desc", limit=0)] == [
        item["id"] for item in await found(data, geometry=FIELD, limit=0)
    ]
    renamed = await data.update_search(search["id"], ["PSScene"], JUNE, "june at the field", geometry=FIELD)
    assert (await data.get_search(search["id"]))["name"] == renamed["name"] == "june at the field"
    await data.delete_search(search["id"])
    with pytest.raises(exceptions.MissingResource):
        await data.get_search(search["id"])


async def test_statistics_count_what_a_search_finds(data: DataClient) -> None:
    stats = await data.get_stats(["PSScene"], JUNE, "month")

    assert [bucket["count"] for bucket in stats["buckets"]] == [len(await found(data, limit=0))]


async def test_an_asset_is_activated_awaited_brought_home_and_checked(data: DataClient, tmp_path: Path) -> None:
    item = (await found(data, limit=1))[0]
    asset = await data.get_asset("PSScene", item["id"], "ortho_analytic_4b")
    statuses: list[str] = []

    await data.activate_asset(asset)
    asset = await data.wait_asset(asset, delay=0, max_attempts=0, callback=statuses.append)
    path = await data.download_asset(asset, directory=tmp_path)

    data.validate_checksum(asset, path)
    assert (statuses[0], statuses[-1]) == ("inactive", "active")
    assert await data.download_asset(asset, directory=tmp_path) == path


async def test_assets_come_home_right_whatever_happens_on_the_way(
    hostile: Simulator, data: DataClient, tmp_path: Path
) -> None:
    async def bring(item_id: str) -> None:
        asset = await data.get_asset("PSScene", item_id, "ortho_analytic_4b")
        await data.activate_asset(asset)
        asset = await data.wait_asset(asset, delay=0, max_attempts=0)
        path = await data.download_asset(asset, directory=tmp_path)
        data.validate_checksum(asset, path)

    items = await found(data, limit=12)
    await asyncio.gather(*[bring(item["id"]) for item in items])

    assert len(lying(tmp_path)) == len(items) == 12
    assert hostile.report().faults
