"""Which scenes lie where a search looks: plane geometry in degrees, against outlines that are convex."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

from .geometry import Box, Point, Ring

Polygon: TypeAlias = tuple[Ring, ...]
"""The outer ring and the holes, each closed."""
_CLOSED_RING = 4  # three corners and the first one again


@dataclass(frozen=True)
class Shape:
    """A geometry of any type that GeoJSON has, but no collection."""

    paths: tuple[Ring, ...]
    """Every point, line and ring."""
    polygons: tuple[Polygon, ...] = ()

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds it."""
        return bound(point for path in self.paths for point in path)

    def intersects(self, outline: Ring) -> bool:
        """Do the two share a point? Touching counts."""
        return overlap(self.box, bound(outline)) and (
            any(_surrounds(polygon, outline[0]) for polygon in self.polygons)
            or any(_holds(outline, point) for path in self.paths for point in path)
            or any(_meet(a, b, c, d) for path in self.paths for a, b in pairwise(path) for c, d in pairwise(outline))
        )

    def is_within(self, outline: Ring) -> bool:
        """Does the outline enclose all of it?"""
        return all(_holds(outline, point) for path in self.paths for point in path)

    def encloses(self, outline: Ring) -> bool:
        """Does one of its polygons enclose all of the outline?"""
        return any(_encloses(polygon, outline) for polygon in self.polygons)


def read_shape(geometry: Any) -> Shape:
    """The shape of a GeoJSON geometry, whose rings may be left open; ValueError says what is wrong with it."""
    try:
        shape = _read(geometry)
    except (TypeError, OverflowError) as error:
        raise ValueError("the coordinates are not those of its type") from error
    if not shape.paths or not all(shape.paths):
        raise ValueError("a part of it has no positions")
    if any(len(ring) < _CLOSED_RING for polygon in shape.polygons for ring in polygon):
        raise ValueError("a ring needs at least three positions")
    if not all(abs(x) <= 180 and abs(y) <= 90 for path in shape.paths for x, y in path):  # noqa: PLR2004 — degrees
        raise ValueError("a position lies outside longitude -180..180, latitude -90..90")
    return shape


def _read(geometry: Any) -> Shape:
    match geometry:
        case {"type": "Point", "coordinates": position}:
            return Shape((_read_path([position]),))
        case {"type": "MultiPoint", "coordinates": positions}:
            return Shape(tuple(_read_path([position]) for position in positions))
        case {"type": "LineString", "coordinates": line}:
            return Shape((_read_path(line),))
        case {"type": "MultiLineString", "coordinates": lines}:
            return Shape(tuple(map(_read_path, lines)))
        case {"type": "Polygon", "coordinates": rings}:
            return _join([rings])
        case {"type": "MultiPolygon", "coordinates": polygons}:
            return _join(polygons)
    raise ValueError("it must have coordinates and a type from Point to MultiPolygon")


def _join(polygons: Iterable[Any]) -> Shape:
    closed = tuple(tuple(_close(_read_path(ring)) for ring in rings) for rings in polygons)
    return Shape(tuple(ring for rings in closed for ring in rings), closed)


def _read_path(positions: Iterable[Any]) -> Ring:
    return tuple((float(x), float(y)) for x, y, *_ in positions)


def _close(ring: Ring) -> Ring:
    return ring if ring[:1] == ring[-1:] else (*ring, ring[0])


def bound(points: Iterable[Point]) -> Box:
    """The smallest box that holds these points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def overlap(one: Box, other: Box) -> bool:
    """Do the two boxes share a point?"""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive when a, b, c turn left, negative when they turn right, 0 when they lie in line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _holds(outline: Ring, point: Point, *, strictly: bool = False) -> bool:
    """Does a convex outline hold the point, on its edge too unless `strictly`?"""
    turns = [_turn(a, b, point) for a, b in pairwise(outline)]
    least, most = min(turns), max(turns)
    return least > 0 or most < 0 if strictly else least >= 0 or most <= 0


def _surrounds(polygon: Polygon, point: Point) -> bool:
    """Does the polygon, and none of its holes, hold the point? Its edge counts as inside."""
    is_inside = False
    x, y = point
    for ring in polygon:
        for a, b in pairwise(ring):
            if _turn(a, b, point) == 0 and overlap(bound((a, b)), (x, y, x, y)):
                return True
            if (a[1] > y) != (b[1] > y) and x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]:
                is_inside = not is_inside
    return is_inside


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Do the lines from a to b and from c to d share a point?"""
    if not overlap(bound((a, b)), bound((c, d))):
        return False
    return _turn(a, b, c) * _turn(a, b, d) <= 0 and _turn(c, d, a) * _turn(c, d, b) <= 0


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Does each of the two lines lead from one side of the other to its other side?"""
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _encloses(polygon: Polygon, outline: Ring) -> bool:
    return (
        all(_surrounds(polygon, corner) for corner in outline)
        and not any(_holds(outline, point, strictly=True) for ring in polygon for point in ring)
        and not any(_cross(a, b, c, d) for ring in polygon for a, b in pairwise(ring) for c, d in pairwise(outline))
    )
