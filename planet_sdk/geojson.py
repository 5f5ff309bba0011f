"""GeoJSON geometries, and references to features that Planet keeps, as the clip tool and searches take them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from planet_sdk.exceptions import FeatureError, GeoJSONError

__all__ = [
    "as_featurecollection",
    "as_geom_or_ref",
    "as_polygon",
    "as_ref",
    "convert_ref_to_dict",
    "geom_from_geojson",
    "validate_geom_as_geojson",
    "validate_ref",
]

_RING_LENGTH = 4  # RFC 7946, 3.1.6: a linear ring has four or more positions, the first again as the last
_PLANE = 2  # numbers of a position without height
_LINE_LENGTH = 2
_NUMBER, _SEQUENCE = (int, float), (list, tuple)  # made once: an area has thousands of positions


def as_geom_or_ref(data: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return the one geometry, or the one feature reference, that `data` holds.

    Args:
        data: a geometry, a Feature, a FeatureCollection of one Feature, a reference, or its text `pl:features/...`.

    Raises:
        GeoJSONError: it is no valid GeoJSON, or holds more than one Feature.
        FeatureError: it is a reference, and not a good one.
    """
    if isinstance(data, str) or _type_of(data) == "ref":
        return as_ref(data)
    geometry = geom_from_geojson(data)
    return geometry if _type_of(geometry) == "ref" else validate_geom_as_geojson(geometry)


def geom_from_geojson(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the geometry of a geometry, a Feature, or a FeatureCollection of one Feature.

    Raises:
        GeoJSONError: there is no geometry, or more than one.
    """
    kind = _type_of(data)
    if "coordinates" in data:
        return dict(data)
    if "geometry" in data:
        if data["geometry"] is None:
            raise GeoJSONError("the Feature has no geometry")
        return as_geom_or_ref(data["geometry"])
    features = data.get("features")
    if not isinstance(features, list):
        raise GeoJSONError(
            f"neither a geometry nor a Feature nor a FeatureCollection: type {kind!r} without its members"
        )
    if len(features) != 1:
        raise GeoJSONError(f"the FeatureCollection has {len(features)} features; pass exactly one of them")
    return as_geom_or_ref(features[0])


def validate_geom_as_geojson(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the geometry, whose coordinates are certain to have the shape that its type asks for.

    Raises:
        GeoJSONError: the type is no geometry type, or the coordinates are wrong.
    """
    geometry = geom_from_geojson(data)
    check = _CHECKS.get(_type_of(geometry))
    if check is None:
        raise GeoJSONError(f"{geometry['type']!r} is not a geometry type; use one of {', '.join(_CHECKS)}")
    check(geometry["coordinates"])
    return geometry


def as_polygon(data: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return the one Polygon that `data` holds, or raise GeoJSONError."""
    geometry = as_geom_or_ref(data)
    if geometry["type"].lower() != "polygon":
        raise GeoJSONError(f"Invalid geometry type: {geometry['type']} is not Polygon.")
    return geometry


def as_featurecollection(features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the Features as one FeatureCollection, or raise GeoJSONError if one is not a valid Feature."""
    for position, feature in enumerate(features):
        if not _is_feature(feature):
            raise GeoJSONError(f"entry {position} is not a valid GeoJSON Feature")
    return {"type": "FeatureCollection", "features": features}


def as_ref(data: object) -> dict[str, Any]:
    """Return the reference to a feature as the API takes it: `{"type": "ref", "content": "pl:features/..."}`.

    Raises:
        FeatureError: it is not a reference.
    """
    if isinstance(data, str):
        return convert_ref_to_dict(data)
    if not isinstance(data, Mapping):
        raise FeatureError(f"Invalid geometry reference: {type(data).__name__} is not a reference")
    kind = data.get("type")
    if not isinstance(kind, str) or kind.lower() != "ref":
        raise FeatureError(f'Invalid geometry reference: {kind} is not a reference (the type should be "ref").')
    if "content" not in data:
        raise FeatureError("Invalid geometry reference: Missing content block that contains the reference.")
    validate_ref(data["content"])
    return dict(data)


def convert_ref_to_dict(data: str) -> dict[str, Any]:
    """Return the text of a reference in the form that the API takes, or raise FeatureError."""
    validate_ref(data)
    return {"type": "ref", "content": data}


def validate_ref(uri: str | None) -> bool:
    """Return True for `pl:features/<owner>/<collection>[/<feature>]`, and raise FeatureError for anything else."""
    if not isinstance(uri, str):
        raise FeatureError(f"Expected str, not {type(uri).__name__}")
    scheme, *path = uri.split("/", 4)
    if scheme != "pl:features":
        raise FeatureError(f"Expected scheme pl:features, not {scheme!r}")
    if len(path) < 2 or not all(path[:2]):  # noqa: PLR2004 — owner and collection, as the message says
        raise FeatureError(f"Expected pl:features/<owner>/<collection>/<feature>, not {uri!r}")
    return True


def _type_of(data: object) -> str:
    if not isinstance(data, Mapping):
        raise GeoJSONError(f"GeoJSON is an object, not {type(data).__name__}")
    kind = data.get("type")
    if not isinstance(kind, str):
        raise GeoJSONError('Missing "type" key.')
    return kind


def _is_feature(value: object) -> bool:
    """Whether the value has what RFC 7946 asks of a Feature: type, properties, and a geometry that is valid or null."""
    if (
        not isinstance(value, Mapping)
        or value.get("type") != "Feature"
        or not {"properties", "geometry"} <= value.keys()
    ):
        return False
    properties, geometry = value["properties"], value["geometry"]
    return (properties is None or isinstance(properties, Mapping)) and (geometry is None or _is_geometry(geometry))


def _is_geometry(value: object) -> bool:
    if isinstance(value, Mapping) and value.get("type") == "GeometryCollection":
        parts = value.get("geometries")
        return isinstance(parts, list) and all(map(_is_geometry, parts))
    try:
        return isinstance(value, Mapping) and "coordinates" in value and bool(validate_geom_as_geojson(value))
    except GeoJSONError:
        return False


def _check_position(value: object) -> None:
    if type(value) is list and len(value) == _PLANE:  # as nearly all are, and there may be 100,000 of them
        east, north = value
        if type(east) is float and type(north) is float and math.isfinite(east) and math.isfinite(north):
            return
    numbers = _sequence(value, "a position")
    if len(numbers) not in (2, 3):
        raise GeoJSONError(f"a position has 2 or 3 numbers, not {len(numbers)}")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, _NUMBER) or not math.isfinite(number):
            raise GeoJSONError(f"{number!r} in a position is not a number")


def _check_line(value: object) -> None:
    positions = _sequence(value, "a line")
    if len(positions) < _LINE_LENGTH:
        raise GeoJSONError(f"a line has {_LINE_LENGTH} or more positions, not {len(positions)}")
    _each(_check_position)(positions)


def _check_ring(value: object) -> None:
    positions = _sequence(value, "a ring")
    if len(positions) < _RING_LENGTH:
        raise GeoJSONError(f"a ring has {_RING_LENGTH} or more positions, not {len(positions)}")
    _each(_check_position)(positions)
    if list(positions[0]) != list(positions[-1]):
        raise GeoJSONError(f"a ring ends where it starts; this one starts at {positions[0]}, ends at {positions[-1]}")


def _check_polygon(value: object) -> None:
    if not _sequence(value, "a polygon"):
        raise GeoJSONError("a polygon has at least one ring")
    _each(_check_ring)(value)


def _check_polygons(value: object) -> None:
    if not _sequence(value, "a multipolygon"):
        raise GeoJSONError("a multipolygon has at least one polygon")
    _each(_check_polygon)(value)


def _each(check: Callable[[object], None]) -> Callable[[object], None]:
    def check_all(value: object) -> None:
        for part in _sequence(value, "coordinates"):
            check(part)

    return check_all


def _sequence(value: object, what: str) -> Sequence[Any]:
    if not isinstance(value, _SEQUENCE):
        raise GeoJSONError(f"{what} is a list, not {value!r:.40}")
    return value


_CHECKS: dict[str, Callable[[object], None]] = {
    "Point": _check_position,
    "MultiPoint": _each(_check_position),
    "LineString": _check_line,
    "MultiLineString": _each(_check_line),
    "Polygon": _check_polygon,
    "MultiPolygon": _check_polygons,
}
