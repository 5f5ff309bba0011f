"""Geometries that somebody else wrote, as lines that can be drawn: bounded in number, and on the Earth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

Point: TypeAlias = tuple[float, float]
"""Longitude and latitude. Along a line longitudes go on beyond 180, so that no step crosses the map."""

_MOST_POINTS = 2_000  # of a line: more are not seen
_MOST_LINES = 200  # of a geometry
_MOST_GEOMETRIES = 50  # of a request
_DEEPEST = 30
_TURN, _POLE = 360.0, 90.0
_RING_POINTS = 3
_DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """A point, a line, or a ring."""

    points: tuple[Point, ...]
    is_ring: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What a geometry looks like, and the geometry itself."""

    geometry: dict[str, Any]
    lines: tuple[Line, ...]


def find_shapes(value: Any, depth: int = 0) -> Iterator[Shape]:
    """The geometries anywhere in a request, at most fifty; whatever is none is passed over."""
    shapes = _search(value, depth)
    for _ in range(_MOST_GEOMETRIES):
        shape = next(shapes, None)
        if shape is None:
            return
        yield shape


def _search(value: Any, depth: int) -> Iterator[Shape]:
    if depth > _DEEPEST or not isinstance(value, dict | list):
        return
    if isinstance(value, dict) and (shape := read_shape(value)):
        yield shape
        return
    for member in value.values() if isinstance(value, dict) else value:
        yield from _search(member, depth + 1)


def read_shape(geometry: Any) -> Shape | None:
    """The shape of a GeoJSON geometry; None where it is none, or holds no position on the Earth."""
    lines = tuple(line for line, _ in zip(_lines_of(geometry, 0), range(_MOST_LINES), strict=False))
    return Shape(geometry, lines) if lines else None


def _lines_of(geometry: Any, depth: int) -> Iterator[Line]:
    if not isinstance(geometry, dict) or depth > _DEEPEST:
        return
    kind = geometry.get("type")
    if kind == "GeometryCollection" and isinstance(geometry.get("geometries"), list):
        for member in geometry["geometries"]:
            yield from _lines_of(member, depth + 1)
    elif isinstance(kind, str) and kind in _DEPTHS:
        is_area = kind.endswith("Polygon")
        for positions in _position_lists(geometry.get("coordinates"), _DEPTHS[kind]):
            points = _points_of(positions)
            if len(points) >= (_RING_POINTS if is_area else 1):
                yield from (
                    [Line((point,), is_ring=False) for point in points]
                    if kind == "MultiPoint"
                    else [Line(_unwound(points), is_area)]
                )


def _position_lists(coordinates: Any, depth: int) -> Iterator[list[Any]]:
    if not isinstance(coordinates, list):
        return
    if depth <= 1:
        yield [coordinates] if depth == 0 else coordinates
        return
    for member in coordinates:
        yield from _position_lists(member, depth - 1)


def _points_of(positions: list[Any]) -> list[Point]:
    """Those positions that are on the Earth, thinned out to as many as are seen."""
    step = -(-len(positions) // _MOST_POINTS) or 1
    return [point for position in positions[::step] if (point := _point_of(position))]


def _point_of(position: Any) -> Point | None:
    match position:
        case [int() | float() as east, int() | float() as north, *_] if _is_on_earth(east, north):
            return float(east), float(north)
    return None


def _is_on_earth(east: float, north: float) -> bool:
    return abs(east) <= _TURN and abs(north) <= _POLE  # NaN and infinity are not


def _unwound(points: Sequence[Point]) -> tuple[Point, ...]:
    """The same line, with longitudes that go on where it crosses the antimeridian."""
    shift, out = 0.0, [points[0]]
    for (before, _), (east, north) in pairwise(points):
        shift -= _TURN * round((east - before) / _TURN)
        out.append((east + shift, north))
    return tuple(out)
