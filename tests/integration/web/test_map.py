"""Where a run's imagery lies, as its page and GeoJSON show it: from the request, and from what was delivered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.outcomes import Advance, Finish
from jobs.run import FileRecord, Stage, State
from planet_sdk.simulator.geometry import item_footprint

from .conftest import Fleet

RUN_ID = "01JD0000000000000000000001"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
AREA = {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 51], [10, 50]]]}
REQUEST = {"name": "n", "tools": [{"clip": {"aoi": AREA}}]}


def describe(item_id: str, geometry: Any = None) -> bytes:
    """As Planet delivers it."""
    feature = {"type": "Feature", "id": item_id, "geometry": geometry or item_footprint(item_id), "properties": {}}
    return json.dumps(feature).encode()


async def deliver(fleet: Fleet, folder: Path, files: dict[str, bytes], destination: str = "") -> None:
    """A run that is done, with these files at its destination."""
    await fleet.submit(RUN_ID, request=REQUEST, destination=destination or folder.as_uri())
    await fleet.move(RUN_ID, Advance(Stage.VALIDATE, "fetched", {"order_id": ORDER_ID}))
    for name, body in files.items():
        path = folder / ORDER_ID / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    records = [FileRecord(path=f"{ORDER_ID}/{name}") for name in files]
    await fleet.move(RUN_ID, Finish(State.DONE, "verified"), records)


async def test_a_map_shows_what_was_asked_for_and_what_came(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path
) -> None:
    items = ("20220605_124027_64_242b", "20200925_161029_69_2223")
    files = {f"PSScene/{item}_metadata.json": describe(item) for item in items}
    await deliver(fleet, tmp_path, {**files, "manifest.json": b'{"files": []}'})

    answer = await web.get(f"/v1/runs/{RUN_ID}/map")
    page = (await web.get(f"/runs/{RUN_ID}")).text

    assert answer.headers["content-type"] == "application/geo+json"
    told = answer.json()
    assert told["features"][0] == {"type": "Feature", "geometry": AREA, "properties": {"what": "area of interest"}}
    assert [each["properties"].get("item_id") for each in told["features"][1:]] == sorted(items)
    assert told["features"][1]["geometry"] == item_footprint(min(items))
    assert told["note"] == ""
    assert "Map: 1 area of interest and 2 footprints of items" in page
    assert page.count('<path class="footprint"') == 2
    assert page.count('<path class="area"') == 1


async def test_items_of_stac_are_shown_where_planets_own_descriptions_are_missing(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path
) -> None:
    await deliver(fleet, tmp_path, {"catalog.json": b"{}", "PSScene/a.json": describe("a")})

    told = (await web.get(f"/v1/runs/{RUN_ID}/map")).json()

    assert [each["properties"]["what"] for each in told["features"]] == ["area of interest", "item"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"geometry": NaN}',
        b'{"geometry": {"type": "Polygon", "coordinates": [[["x"]]]}}',
        describe("a", {"type": "LineString", "coordinates": [[1, 1], [2, 2], ["far", 3]]}).replace(b'"far"', b"1e999"),
        describe("far", {"type": "Point", "coordinates": [1e300, 5]}),
        b'{"geometry": null, "id": 1}' + b" " * 2_000_000,
    ],
    ids=["empty", "cut off", "a list", "deep", "NaN", "no numbers", "infinite", "nowhere", "too large"],
)
async def test_a_description_that_makes_no_sense_does_not_hide_the_others(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path, body: bytes
) -> None:
    await deliver(fleet, tmp_path, {"a_metadata.json": body, "b_metadata.json": describe("b")})

    told = (await web.get(f"/v1/runs/{RUN_ID}/map")).json()

    assert [each["properties"].get("item_id") for each in told["features"]] == [None, "b"]
    assert (await web.get(f"/runs/{RUN_ID}")).status_code == 200


async def test_what_cannot_be_read_is_said(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    """The area of the request is shown all the same."""
    await deliver(fleet, tmp_path, {"a_metadata.json": describe("a")})
    (tmp_path / ORDER_ID / "a_metadata.json").unlink()

    page = (await web.get(f"/runs/{RUN_ID}")).text

    assert "1 footprint could not be read" in page
    assert page.count('<path class="area"') == 1


async def test_a_name_of_an_item_is_text(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    await deliver(fleet, tmp_path, {"a_metadata.json": describe("<script>alert(1)</script>", AREA)})

    assert "<script>alert" not in (await web.get(f"/runs/{RUN_ID}")).text


async def test_a_run_without_any_place_says_so(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID)

    assert "no area of interest" in (await web.get(f"/runs/{RUN_ID}")).text
    assert (await web.get(f"/v1/runs/{RUN_ID}/map")).json()["features"] == []
    assert (await web.get("/v1/runs/nobody/map")).status_code == 404
