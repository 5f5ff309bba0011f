"""Items: what their ids say, and what the catalogue makes of them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planet_sdk.simulator.catalogue import Catalogue
from planet_sdk.simulator.clock import Clock, parse_time
from planet_sdk.simulator.filters import Filter, Scope, read_filter
from planet_sdk.simulator.geometry import item_footprint, keep_on_map, outline_scene, reach_of_scene, read_rings
from planet_sdk.simulator.item_ids import EAST, NORTH, SOUTH, WEST, ItemId, read_item_id, write_item_id
from planet_sdk.simulator.items import PROPERTIES, Item, find_sun, list_item_types
from planet_sdk.simulator.settings import SimulatorSettings
from planet_sdk.simulator.shapes import bound

NOW_S = datetime(2022, 3, 21, tzinfo=UTC).timestamp()
EVERYTHING = Filter(lambda _: True)


def open_catalogue(**settings: object) -> Catalogue:
    return Catalogue(SimulatorSettings(catalogue_start=date(2022, 3, 1), **settings), Clock(lambda: NOW_S))  # type: ignore[arg-type]  # tests name fields of several types


def read(text: str) -> ItemId:
    known = read_item_id(text)
    assert known is not None, text
    return known


@settings(deadline=None)
@given(
    item_type=st.sampled_from(["PSScene", "SkySatScene", "SkySatCollect", "TanagerScene"]),
    lon=st.floats(WEST, EAST),
    lat=st.floats(SOUTH, NORTH),
    day=st.dates(date(1970, 1, 1), date(2100, 1, 1)),
)
def test_an_id_says_when_and_where(item_type: str, lon: float, lat: float, day: date) -> None:
    """To half a second of the day, which is 0.003 degrees of longitude, and to the step of the latitude."""
    known = read(write_item_id(item_type, day, lon, lat))

    assert known.lon == pytest.approx(lon, abs=0.003)
    assert known.lat == pytest.approx(lat, abs=0.02)
    assert datetime.fromtimestamp(known.acquired_us / 1e6, UTC).date() == day


@pytest.mark.parametrize(
    ("text", "acquired", "satellite", "is_skysat"),
    [
        ("20220304_093300_37_2430", "2022-03-04T09:33:00.37Z", "2430", False),
        ("20240909_021318_75_24ee", "2024-09-09T02:13:18.75Z", "24ee", False),
        ("20170101_235959_0e0e", "2017-01-01T23:59:59Z", "0e0e", False),
        ("20220304_093300_ssc6d1_0012", "2022-03-04T09:33:00Z", "SSC6", True),
        ("20220304_093300_ssc12_u0001", "2022-03-04T09:33:00Z", "SSC12", True),
    ],
)
def test_planet_s_own_ids_are_understood(text: str, acquired: str, satellite: str, is_skysat: bool) -> None:
    known = read(text)

    assert known.acquired_us == parse_time(acquired)
    assert (known.satellite, known.is_skysat) == (satellite, is_skysat)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "item",
        "20220304_093300_37_243g",
        "20220304_093300_37_2430 ",
        "20220230_093300_37_2430",
        "20220304_240000_37_2430",
        "20220304_096000_37_2430",
        "20220304_093360_37_2430",
        "00000101_093300_37_2430",
        "19691231_093300_37_2430",
        "\uff12\uff10220304_093300_37_2430",
    ],
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert read_item_id(text) is None


def test_a_scene_lies_where_its_id_says() -> None:
    """Half past nine in UTC, and local time half past ten: about fifteen degrees east."""
    ((ring),) = read_rings(item_footprint("20220304_093300_37_2430"))

    west, south, east, north = bound(ring)
    known = read("20220304_093300_37_2430")
    assert 14 < known.lon < 15
    assert ((west + east) / 2, (south + north) / 2) == pytest.approx((known.lon, known.lat), abs=1e-5)


@settings(deadline=None)
@given(lon=st.floats(WEST, EAST), lat=st.floats(SOUTH, NORTH))
def test_no_outline_leaves_the_map_or_its_reach(lon: float, lat: float) -> None:
    west, south, east, north = bound(outline_scene(lon, lat))

    reach_north, reach_east = reach_of_scene(lat)
    centre = keep_on_map(lon, lat)
    assert -180 <= west <= east <= 180
    assert max(north - lat, lat - south) <= reach_north + 1e-6
    assert max(east - centre, centre - west) <= reach_east + 1e-6


def test_the_catalogue_is_the_same_for_the_same_seed_only() -> None:
    first, second, other = (open_catalogue(seed=seed).search(["PSScene"], EVERYTHING) for seed in (1, 1, 2))

    assert [item.to_json("") for item in first] == [item.to_json("") for item in second]
    assert {item.id for item in first}.isdisjoint(item.id for item in other)


def test_each_day_of_the_catalogue_has_its_scenes() -> None:
    """Of what was published by now: the last day's are still on their way."""
    found = open_catalogue(scenes_per_day=7).search(["PSScene", "SkySatScene"], EVERYTHING)

    days = [item.id[:8] for item in found]
    assert {days.count(f"202203{day:02}") for day in range(1, 20)} == {14}
    assert all(item.published_us <= NOW_S * 1e6 for item in found)


@pytest.mark.parametrize(
    "place", [(-117.5, 45.25), (13.4, 52.5), (151.2, -33.9), (-179.9, -16.5), (179.9, 66.0), (0.0, 0.0)]
)
def test_every_place_is_photographed_every_few_days(place: tuple[float, float]) -> None:
    """Wherever someone looks, there is something to be found."""
    here = read_filter(
        {"type": "GeometryFilter", "field_name": "geometry", "config": {"type": "Point", "coordinates": place}}
    )

    found = open_catalogue(revisit_days=2).search(["PSScene"], here)

    assert 4 <= len({item.id[:8] for item in found}) <= 20


def test_a_search_that_names_an_id_finds_it_out_of_the_catalogue_s_time() -> None:
    wanted = read_filter({"type": "StringInFilter", "field_name": "id", "config": ["20190304_093300_37_2430", "none"]})

    assert [item.id for item in open_catalogue().search(["PSScene"], wanted)] == ["20190304_093300_37_2430"]


def test_a_search_of_the_whole_world_and_all_time_stays_bounded() -> None:
    """A large area shows a sample of its scenes, spread over all of it."""
    settings = SimulatorSettings(catalogue_start=date(2012, 3, 1), scenes_per_day=1)
    catalogue = Catalogue(settings, Clock(lambda: NOW_S))
    world = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90]]]}
    everywhere = read_filter({"type": "GeometryFilter", "config": world})

    found = catalogue.search(["PSScene"], everywhere)

    assert 5_000 < len(found) < 20_000
    assert {int(item.known.lon // 60) for item in found} == {-3, -2, -1, 0, 1, 2}


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 3_000))
def test_every_property_is_plausible(dice: bytes, day: int) -> None:
    item_id = write_item_id("PSScene", date.fromordinal(date(2016, 1, 1).toordinal() + day), 10, 50)
    item = Item("PSScene", read(item_id), dice)

    found = {name: item.get(name) for name in PROPERTIES}

    percents = ("clear", "cloud", "heavy_haze", "light_haze", "shadow", "snow_ice")
    assert sum(found[f"{name}_percent"] for name in percents) == 100
    assert all(0 <= value <= 100 for name, value in found.items() if name.endswith("_percent"))
    assert found["cloud_cover"] == found["cloud_percent"] / 100
    assert parse_time(found["acquired"]) <= parse_time(found["published"]) <= parse_time(found["updated"])
    assert found["quality_category"] == ("standard" if found["ground_control"] else "test")
    assert 0 <= found["sun_azimuth"] <= 360
    assert (item.updated_field is not None) == (found["updated"] > found["published"])
    assert item.assets


@pytest.mark.parametrize(
    ("moment", "place", "azimuth", "elevation"),
    [
        ("2022-03-20T12:00:00Z", (0.0, 0.0), None, 90),
        ("2022-06-21T12:00:00Z", (0.0, 50.0), 180, 63.4),
        ("2022-12-21T12:00:00Z", (0.0, -50.0), 0, 63.4),
        ("2022-03-20T06:00:00Z", (0.0, 0.0), 90, 0),
        ("2022-03-20T18:00:00Z", (0.0, 0.0), 270, 0),
    ],
)
def test_the_sun_stands_where_it_stood(
    moment: str, place: tuple[float, float], azimuth: float | None, elevation: float
) -> None:
    found_azimuth, found_elevation = find_sun(parse_time(moment), *place)

    assert found_elevation == pytest.approx(elevation, abs=1)
    if azimuth is not None:
        assert (found_azimuth - azimuth + 180) % 360 - 180 == pytest.approx(0, abs=1)


def test_every_item_type_can_be_searched() -> None:
    catalogue = open_catalogue(scenes_per_day=1)

    assert {"PSScene", "SkySatCollect", "SkySatVideo", "Sentinel2L1C"} <= set(list_item_types())
    for item_type in list_item_types():
        item = catalogue.search([item_type], EVERYTHING)[0]
        assert item.to_json("")["properties"]["item_type"] == item_type
        assert catalogue.get(item_type, item.id) == item


def test_scopes_are_narrowed_by_and_and_widened_by_or() -> None:
    """Of two places that must both be met, the smaller one is worth a closer look."""
    early, late = Scope(0, 10, boxes=((0, 0, 1, 1),)), Scope(5, 20, boxes=((0, 0, 9, 9),), ids=("a",))

    assert early & late == late & early == Scope(5, 10, ((0, 0, 1, 1),), ("a",))
    assert early & Scope() == Scope() & early == early
    assert early | late == Scope(0, 20, ((0, 0, 1, 1), (0, 0, 9, 9)), ("a",))


def test_a_time_that_never_was_finds_nothing() -> None:
    catalogue = open_catalogue()

    for scope in (Scope(10, 5), Scope(end_us=-1), Scope(start_us=1e30)):
        assert catalogue.search(["PSScene"], Filter(lambda _: True, scope)) == []
