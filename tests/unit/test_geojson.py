"""Geometries and references, as the clip tool takes them."""

from __future__ import annotations

from typing import Any

import pytest

from planet_sdk import geojson
from planet_sdk.exceptions import FeatureError, GeoJSONError

RING = [[0, 0], [0, 1.5], [1, 1], [0, 0]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}


def _feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def _collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize("data", [POLYGON, _feature(POLYGON), _collection(_feature(POLYGON)), _collection(POLYGON)])
def test_one_geometry_is_found_wherever_it_is_wrapped(data: dict[str, Any]) -> None:
    assert geojson.as_geom_or_ref(data) == POLYGON
    assert geojson.as_polygon(data) == POLYGON


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [1, 2, 3]},
        {"type": "MultiPoint", "coordinates": [[1, 2]]},
        {"type": "LineString", "coordinates": [(1, 2), (3, 4)]},
        {"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]]]},
        {"type": "MultiPolygon", "coordinates": [[RING], [RING, RING]]},
    ],
)
def test_every_geometry_type_is_accepted(geometry: dict[str, Any]) -> None:
    assert geojson.validate_geom_as_geojson(geometry) == geometry


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({}, "type"),
        ([], "object"),
        (None, "object"),
        ({"type": "Polygon"}, "neither"),
        ({"type": "Circle", "coordinates": [1, 2]}, "not a geometry type"),
        ({"type": "Polygon", "coordinates": []}, "at least one ring"),
        ({"type": "MultiPolygon", "coordinates": []}, "at least one polygon"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "4 or more"),
        ({"type": "Polygon", "coordinates": [[*RING[:3], [9, 9]]]}, "ends where it starts"),
        ({"type": "Polygon", "coordinates": [[["a", 0], *RING[1:]]]}, "not a number"),
        ({"type": "Polygon", "coordinates": [[[float("nan"), 0], *RING[1:]]]}, "not a number"),
        ({"type": "Polygon", "coordinates": [[[True, 0], *RING[1:]]]}, "not a number"),
        ({"type": "Polygon", "coordinates": [[[0], *RING[1:]]]}, "2 or 3 numbers"),
        ({"type": "Polygon", "coordinates": "here"}, "list"),
        ({"type": "LineString", "coordinates": [[0, 0]]}, "2 or more"),
        (_feature(None), "no geometry"),
        (_collection(), "0 features"),
        (_collection(_feature(POLYGON), _feature(POLYGON)), "2 features"),
    ],
)
def test_what_is_no_single_geometry_is_refused_with_the_reason(data: Any, word: str) -> None:
    with pytest.raises(GeoJSONError, match=word):
        geojson.as_geom_or_ref(data)


def test_a_reference_may_be_text_or_object() -> None:
    reference = {"type": "ref", "content": "pl:features/my/fields/f1"}

    assert geojson.as_geom_or_ref("pl:features/my/fields/f1") == reference
    assert geojson.as_geom_or_ref(reference) == reference
    assert geojson.as_geom_or_ref(_feature(reference)) == reference


@pytest.mark.parametrize(
    "data",
    ["fields/f1", "pl:features", "pl:features/my", "pl:features//", {"type": "ref"}, {"type": "ref", "content": None}],
)
def test_what_is_no_reference_is_refused(data: Any) -> None:
    with pytest.raises(FeatureError):
        geojson.as_geom_or_ref(data)


@pytest.mark.parametrize("data", [None, 5, ["pl:features/my/c/f"]])
def test_what_is_neither_text_nor_an_object_is_no_reference(data: Any) -> None:
    with pytest.raises(FeatureError, match="not a reference"):
        geojson.as_ref(data)


def test_only_a_polygon_is_a_polygon() -> None:
    with pytest.raises(GeoJSONError, match="not Polygon"):
        geojson.as_polygon({"type": "Point", "coordinates": [0, 0]})
