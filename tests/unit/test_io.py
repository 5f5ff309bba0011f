"""Collecting what arrives one by one, and reading times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from planet_sdk import collect
from planet_sdk.exceptions import PlanetError
from planet_sdk.io import str_to_datetime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FEATURE = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}


async def _each(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def test_orders_are_collected_as_a_list() -> None:
    assert await collect(_each({"id": "a"}, {"id": "b"})) == [{"id": "a"}, {"id": "b"}]


async def test_features_are_collected_as_one_feature_collection() -> None:
    assert await collect(_each(FEATURE, FEATURE)) == {"type": "FeatureCollection", "features": [FEATURE, FEATURE]}


async def test_nothing_is_collected_as_an_empty_feature_collection() -> None:
    """As in planet 2.14, where code may rely on it."""
    assert await collect(_each()) == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    "broken",
    [
        {**FEATURE, "geometry": {"type": "Point", "coordinates": ["x"]}},
        {"type": "Feature", "properties": {}},
        {**FEATURE, "properties": 5},
        "text",
    ],
)
async def test_one_value_that_is_no_feature_makes_it_a_list(broken: Any) -> None:
    assert await collect(_each(FEATURE, broken)) == [FEATURE, broken]


async def test_features_without_geometry_and_with_a_collection_of_geometries_are_features() -> None:
    features = [
        {**FEATURE, "geometry": None},
        {**FEATURE, "geometry": {"type": "GeometryCollection", "geometries": [FEATURE["geometry"]]}},
    ]

    assert await collect(_each(*features)) == {"type": "FeatureCollection", "features": features}


def test_times_are_read_as_planet_and_as_iso_8601_write_them() -> None:
    assert str_to_datetime("2021-01-01T01:40:07.359Z") == datetime(2021, 1, 1, 1, 40, 7, 359000)  # noqa: DTZ001 — as in 2.14
    assert str_to_datetime("2021-01-01T01:40:07+00:00") == datetime(2021, 1, 1, 1, 40, 7, tzinfo=UTC)
    with pytest.raises(PlanetError, match="does not match"):
        str_to_datetime("yesterday")
