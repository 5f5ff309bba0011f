"""Areas: a polygon on the Earth, or a reference to a feature that Planet keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from jobs.errors import Problem
from jobs.request.wording import kind_of, shown
from planet_sdk import geojson
from planet_sdk.exceptions import FeatureError, GeoJSONError

_POLYGONS = ("Polygon", "MultiPolygon")
_DISTINCT = 3  # corners that a ring needs to enclose anything
_FAR_EAST, _FAR_NORTH = 180, 90
_EARTH_RADIUS_M = 6_371_007.2  # of the sphere with the Earth's surface: within 0.5 % of the ellipsoid, anywhere
_M2_PER_HECTARE = 10_000


def check_area(area: Any, path: str) -> Iterator[Problem]:
    """Check that an area is a Polygon, a MultiPolygon or a reference, with closed rings of longitudes and latitudes."""
    if not isinstance(area, dict):
        yield Problem(path, f"an area is a GeoJSON Polygon or MultiPolygon, not {kind_of(area)}")
    elif area.get("type") == "ref":
        try:
            geojson.as_ref(area)
        except FeatureError as error:
            yield Problem(f"{path}.content", str(error))
    elif area.get("type") in {"Feature", "FeatureCollection"}:
        yield Problem(path, f"it is a {area['type']}; give the geometry in it instead")
    elif area.get("type") not in _POLYGONS:
        yield Problem(f"{path}.type", f"{shown(area.get('type'))} is no area; use Polygon or MultiPolygon")
    else:
        yield from _check_polygons(area, f"{path}.coordinates")


def hectares_of(area: Any) -> float | None:
    """The area of a Polygon or MultiPolygon that was checked, less its holes; None where it is none, as a reference."""
    if not isinstance(area, dict) or area.get("type") not in _POLYGONS:
        return None
    polygons = [area["coordinates"]] if area["type"] == "Polygon" else area["coordinates"]
    return sum(_ring_m2(outer) - sum(map(_ring_m2, holes)) for outer, *holes in polygons) / _M2_PER_HECTARE


def _ring_m2(ring: list[list[float]]) -> float:
    """The area within a closed ring, whose sides are straight on a map that keeps areas."""
    corners = [(math.radians(east), math.sin(math.radians(north))) for east, north, *_ in ring]
    sides = ((east2 - east1) * (north1 + north2) for (east1, north1), (east2, north2) in pairwise(corners))
    return abs(sum(sides)) / 2 * _EARTH_RADIUS_M**2


def _check_polygons(area: dict[str, Any], path: str) -> Iterator[Problem]:
    coordinates = area.get("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        yield Problem(path, f"it is a list of {'rings' if area['type'] == 'Polygon' else 'polygons'}")
        return
    try:
        geojson.validate_geom_as_geojson(area)
    except GeoJSONError as error:
        yield Problem(path, str(error))
        return
    polygons = {path: coordinates} if area["type"] == "Polygon" else _numbered(coordinates, path)
    for where, rings in polygons.items():
        for place, ring in _numbered(rings, where).items():
            yield from _check_ring(ring, place)


def _check_ring(ring: list[list[float]], path: str) -> Iterator[Problem]:
    """The first problem of a ring whose shape is right."""
    corners = {(position[0], position[1]) for position in ring}
    if any(abs(east) > _FAR_EAST or abs(north) > _FAR_NORTH for east, north in corners):
        index = next(i for i, (east, north, *_) in enumerate(ring) if abs(east) > _FAR_EAST or abs(north) > _FAR_NORTH)
        east, north, *_ = ring[index]
        yield Problem(f"{path}[{index}]", f"({east:g}, {north:g}) is no longitude and latitude in degrees")
    elif len(corners) < _DISTINCT:
        yield Problem(path, "the ring encloses nothing: it needs three different corners at least")


def _numbered(values: list[Any], path: str) -> dict[str, Any]:
    return {f"{path}[{index}]": value for index, value in enumerate(values)}
