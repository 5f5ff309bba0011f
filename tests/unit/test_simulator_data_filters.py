"""Search filters: what each finds, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest

from planet_sdk.simulator.catalogue import Catalogue
from planet_sdk.simulator.clock import Clock, parse_time
from planet_sdk.simulator.filters import read_filter
from planet_sdk.simulator.items import Item
from planet_sdk.simulator.refusals import Refusal
from planet_sdk.simulator.settings import SimulatorSettings

NOW_S = datetime(2022, 3, 21, tzinfo=UTC).timestamp()
MIDDLE = "2022-02-01T00:00:00Z"
EVERYTHING: dict[str, Any] = {"type": "AndFilter", "config": []}
TEST_QUALITY = {"type": "StringInFilter", "field_name": "quality_category", "config": ["test"]}
EUROPE = {"type": "Polygon", "coordinates": [[[-10, 35], [30, 35], [30, 65], [-10, 65], [-10, 35]]]}


@cache
def open_catalogue() -> Catalogue:
    settings = SimulatorSettings(catalogue_start=date(2022, 1, 1), scenes_per_day=10, forbidden_items=("*_2[23]*",))
    return Catalogue(settings, Clock(lambda: NOW_S))


def search(value: dict[str, Any]) -> list[Item]:
    return open_catalogue().search(["PSScene"], read_filter(value))


def on(field: str, kind: str, config: Any) -> dict[str, Any]:
    return {"type": kind, "field_name": field, "config": config}


def number(item: Item, name: str) -> float:
    return float(item.get(name))


@pytest.mark.parametrize(
    ("wanted", "test"),
    [
        (EVERYTHING, lambda _: True),
        ({"type": "OrFilter", "config": []}, lambda _: False),
        (on("acquired", "DateRangeFilter", {"gte": MIDDLE}), lambda item: item.known.acquired_us >= parse_time(MIDDLE)),
        (on("acquired", "DateRangeFilter", {"lt": MIDDLE}), lambda item: item.known.acquired_us < parse_time(MIDDLE)),
        (on("published", "DateRangeFilter", {"gt": MIDDLE}), lambda item: item.published_us > parse_time(MIDDLE)),
        (on("published", "DateRangeFilter", {"lte": MIDDLE}), lambda item: item.published_us <= parse_time(MIDDLE)),
        (on("updated", "DateRangeFilter", {"gte": MIDDLE}), lambda item: item.updated_us >= parse_time(MIDDLE)),
        (on("cloud_cover", "RangeFilter", {"lte": 0.1}), lambda item: number(item, "cloud_cover") <= 0.1),
        (
            on("view_angle", "RangeFilter", {"gt": 1, "lt": 3}),
            lambda item: 1 < number(item, "view_angle") < 3,
        ),
        (on("visible_percent", "NumberInFilter", [100, 99.0]), lambda item: item.get("visible_percent") in {99, 100}),
        (on("quality_category", "StringInFilter", ["test"]), lambda item: item.get("quality_category") == "test"),
        (on("ground_control", "StringInFilter", ["true"]), lambda item: item.get("ground_control") is True),
        (on("cloud_cover", "StringInFilter", ["0.0"]), lambda _: False),
        (on("instrument", "RangeFilter", {"gt": 0}), lambda _: False),
        ({"type": "AssetFilter", "config": ["ortho_analytic_8b_sr"]}, lambda i: "ortho_analytic_8b_sr" in i.assets),
        ({"type": "AssetFilter", "config": ["ortho_visual", "none"]}, lambda _: True),
        ({"type": "PermissionFilter", "config": ["assets:download"]}, lambda item: item.is_permitted),
        ({"type": "PermissionFilter", "config": ["assets.ortho_visual:download"]}, lambda item: item.is_permitted),
        (
            on("ground_control", "UpdateFilter", {"gt": MIDDLE}),
            lambda item: item.updated_field == "ground_control" and item.updated_us > parse_time(MIDDLE),
        ),
        ({"type": "NotFilter", "config": TEST_QUALITY}, lambda item: item.is_standard),
        ({"type": "NotFilter", "config": [TEST_QUALITY]}, lambda item: item.is_standard),
    ],
)
def test_a_filter_finds_what_fits_it_and_nothing_else(wanted: dict[str, Any], test: Callable[[Item], bool]) -> None:
    everything = search(EVERYTHING)

    assert {item.id for item in search(wanted)} == {item.id for item in everything if test(item)}
    assert len(everything) > 700


def test_the_examples_above_are_no_trivial_ones() -> None:
    """Each of the chances that the filters look at goes both ways."""
    everything = search(EVERYTHING)

    for name in ("quality_category", "ground_control", "publishing_stage"):
        assert len({item.get(name) for item in everything}) == 2
    assert {item.is_permitted for item in everything} == {True, False}
    assert {"ground_control", None} < {item.updated_field for item in everything}


def test_filters_are_nested() -> None:
    clear, standard = (
        on("cloud_cover", "RangeFilter", {"lt": 0.2}),
        on("quality_category", "StringInFilter", ["standard"]),
    )
    early = on("acquired", "DateRangeFilter", {"lt": MIDDLE})
    nested = {
        "type": "AndFilter",
        "config": [{"type": "OrFilter", "config": [clear, {"type": "NotFilter", "config": standard}]}, early],
    }

    found = search(nested)

    assert found
    assert {item.id for item in found} == {
        item.id
        for item in search(EVERYTHING)
        if item.known.acquired_us < parse_time(MIDDLE) and (number(item, "cloud_cover") < 0.2 or not item.is_standard)
    }


def test_or_of_two_times_finds_both() -> None:
    days = [
        on("acquired", "DateRangeFilter", {"gte": f"2022-0{m}-05T00:00:00Z", "lt": f"2022-0{m}-06T00:00:00Z"})
        for m in (1, 3)
    ]

    assert {item.id[:8] for item in search({"type": "OrFilter", "config": days})} == {"20220105", "20220305"}


def test_a_date_without_offset_is_utc_and_one_with_offset_is_moved() -> None:
    bare, moved = (
        on("acquired", "DateRangeFilter", {"gte": text}) for text in ("2022-02-01", "2022-02-01T02:00:00+02:00")
    )

    assert {item.id for item in search(bare)} == {item.id for item in search(moved)}


def test_every_relation_to_a_place_holds() -> None:
    """Those that lie within it also intersect it, and the rest is disjoint from it."""
    found = {
        relation: {item.id for item in search({**on("geometry", "GeometryFilter", EUROPE), "relation": relation})}
        for relation in ("intersects", "within", "disjoint", "contains")
    }

    assert found["within"] < found["intersects"]
    assert found["intersects"].isdisjoint(found["disjoint"])
    assert found["disjoint"] < {item.id for item in search(EVERYTHING)}
    assert found["contains"] == set()


def test_a_scene_contains_a_point_that_it_intersects() -> None:
    point = {"type": "Point", "coordinates": [13.4, 52.5]}
    intersecting, containing = (
        {item.id for item in search({**on("geometry", "GeometryFilter", point), **relation})}
        for relation in ({}, {"relation": "contains"})
    )

    assert intersecting == containing != set()


def test_a_place_can_be_a_reference_to_a_feature() -> None:
    found = search(on("geometry", "GeometryFilter", {"type": "ref", "content": "pl:features/my/fields/one"}))

    assert found


DEEP: dict[str, Any] = EVERYTHING
for _ in range(40):
    DEEP = {"type": "NotFilter", "config": DEEP}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "filter.type"),
        ([], "filter.type"),
        ({}, "filter.type"),
        ({"type": 5}, "filter.type"),
        ({"type": "NoFilter", "config": []}, "filter.type"),
        ({"type": "AndFilter"}, "filter.config"),
        ({"type": "AndFilter", "config": {}}, "filter.config"),
        ({"type": "AndFilter", "config": [EVERYTHING, {"type": "NoFilter"}]}, "filter.config.1.type"),
        ({"type": "OrFilter", "config": ["x"]}, "filter.config"),
        ({"type": "NotFilter"}, "filter.config.type"),
        ({"type": "NotFilter", "config": []}, "filter.config.type"),
        (on("acquired", "DateRangeFilter", {}), "filter.config"),
        (on("acquired", "DateRangeFilter", {"after": MIDDLE}), "filter.config"),
        (on("acquired", "DateRangeFilter", {"gt": "yesterday"}), "filter.config.gt"),
        (on("acquired", "DateRangeFilter", {"gt": 5}), "filter.config.gt"),
        (on("cloud_cover", "DateRangeFilter", {"gt": MIDDLE}), "filter.field_name"),
        (on("nothing", "RangeFilter", {"gt": 5}), "filter.field_name"),
        ({"type": "RangeFilter", "config": {"gt": 5}}, "filter.field_name"),
        (on("cloud_cover", "RangeFilter", {"lt": "0.1"}), "filter.config.lt"),
        (on("cloud_cover", "RangeFilter", {"lt": True}), "filter.config.lt"),
        (on("cloud_cover", "RangeFilter", {"lt": None}), "filter.config.lt"),
        (on("ground_control", "UpdateFilter", None), "filter.config"),
        (on("geometry", "GeometryFilter", {"type": "Circle"}), "filter.config"),
        (on("geometry", "GeometryFilter", None), "filter.config"),
        ({**on("geometry", "GeometryFilter", EUROPE), "relation": "near"}, "filter.relation"),
        (on("gsd", "NumberInFilter", ["3"]), "filter.config"),
        (on("gsd", "NumberInFilter", [True]), "filter.config"),
        (on("instrument", "StringInFilter", "PS2"), "filter.config"),
        (on("instrument", "StringInFilter", [2]), "filter.config"),
        (on(["instrument"], "StringInFilter", ["PS2"]), "filter.field_name"),  # type: ignore[arg-type]  # wrong on purpose
        ({"type": "AssetFilter", "config": "ortho_visual"}, "filter.config"),
        ({"type": "PermissionFilter"}, "filter.config"),
        (DEEP, "filter" + ".config" * 33),
    ],
)
def test_what_cannot_be_understood_is_refused_by_field(value: Any, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_filter(value)

    assert refused.value.status == 400
    assert list(refused.value.body["field"]) == [field]
