"""Plane geometry, held against a test that works in another way."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planet_sdk.simulator.geometry import Point, Ring, outline_scene
from planet_sdk.simulator.shapes import Shape, read_shape

SQUARE: Ring = ((0, 0), (4, 0), (4, 4), (0, 4), (0, 0))
positions = st.tuples(st.integers(-8, 8), st.integers(-8, 8)).map(lambda p: (p[0] / 40 + 10, p[1] / 40 + 50))


def shape(kind: str, coordinates: Any) -> Shape:
    return read_shape({"type": kind, "coordinates": coordinates})


def are_apart(one: Ring, other: Ring) -> bool:
    """Is there an edge that has all of the one convex ring on one side and all of the other beyond?"""
    for a, b in [*pairwise(one), *pairwise(other)]:
        normal = (b[1] - a[1], a[0] - b[0])
        here, there = ([normal[0] * x + normal[1] * y for x, y in ring] for ring in (one, other))
        if max(here) < min(there) - 1e-12 or max(there) < min(here) - 1e-12:
            return True
    return False


@settings(deadline=None)
@given(positions, positions, positions)
def test_triangles_intersect_unless_a_line_parts_them(a: Point, b: Point, c: Point) -> None:
    outline = outline_scene(10, 50)
    assume((b[0] - a[0]) * (c[1] - a[1]) != (b[1] - a[1]) * (c[0] - a[0]))

    found = shape("Polygon", [[a, b, c, a]]).intersects(outline)

    assert found != are_apart((a, b, c, a), outline)


@pytest.mark.parametrize(
    ("kind", "coordinates", "meets"),
    [
        ("Point", [2, 2], True),
        ("Point", [4, 2], True),
        ("Point", [5, 2], False),
        ("MultiPoint", [[9, 9], [1, 1]], True),
        ("LineString", [[-1, 2], [5, 2]], True),
        ("LineString", [[-1, 5], [5, 5]], False),
        ("LineString", [[-1, 4], [5, 4]], True),
        ("LineString", [[5, 4], [9, 4]], False),
        ("LineString", [[3, 6], [6, 3]], False),
        ("LineString", [[1, 1], [2, 2]], True),
        ("MultiLineString", [[[9, 9], [8, 8]], [[2, -1], [2, 9]]], True),
        ("Polygon", [[[-9, -9], [9, -9], [9, 9], [-9, 9], [-9, -9]]], True),
        ("Polygon", [[[1, 1], [2, 1], [2, 2], [1, 1]]], True),
        ("Polygon", [[[1, -3], [2, -3], [2, 9], [1, 9]]], True),
        ("Polygon", [[[5, 5], [6, 5], [6, 6], [5, 5]]], False),
        (
            "Polygon",
            [[[-9, -9], [9, -9], [9, 9], [-9, 9], [-9, -9]], [[-1, -1], [5, -1], [5, 5], [-1, 5], [-1, -1]]],
            False,
        ),
        (
            "Polygon",
            [[[-9, -9], [9, -9], [9, 9], [-9, 9], [-9, -9]], [[-1, -1], [3, -1], [3, 5], [-1, 5], [-1, -1]]],
            True,
        ),
        ("MultiPolygon", [[[[7, 7], [8, 7], [8, 8], [7, 7]]], [[[3, 3], [8, 3], [8, 8], [3, 3]]]], True),
        ("MultiPolygon", [[[[-9, -9], [9, -9], [9, 9], [-9, 9], [-9, -9]]]] * 2, True),
        ("Point", [2, 2, 100], True),
    ],
)
def test_a_shape_meets_the_square(kind: str, coordinates: Any, meets: bool) -> None:
    """Also at its edge, also as a whole inside the other; not through a hole."""
    assert shape(kind, coordinates).intersects(SQUARE) is meets


@pytest.mark.parametrize(
    ("kind", "coordinates", "is_within", "encloses"),
    [
        ("Point", [1, 1], True, False),
        ("LineString", [[1, 1], [5, 5]], False, False),
        ("Polygon", [[[1, 1], [2, 1], [2, 2], [1, 1]]], True, False),
        ("Polygon", [[[-1, -1], [9, -1], [9, 9], [-1, 9]]], False, True),
        ("Polygon", [[*SQUARE]], True, True),
        ("Polygon", [[[1, -1], [9, -1], [9, 9], [1, 9]]], False, False),
        ("Polygon", [[[-1, -1], [9, -1], [9, 9], [-1, 9]], [[1, 1], [2, 1], [2, 2]]], False, False),
        ("Polygon", [[[-1, -1], [9, -1], [2, 2], [9, 9], [-1, 9]]], False, False),
    ],
)
def test_one_lies_within_the_other(kind: str, coordinates: Any, is_within: bool, encloses: bool) -> None:
    found = shape(kind, coordinates)

    assert (found.is_within(SQUARE), found.encloses(SQUARE)) == (is_within, encloses)


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        "Point",
        {"type": "Point"},
        {"type": "Circle", "coordinates": [0, 0]},
        {"type": ["Point"], "coordinates": [0, 0]},
        {"type": "Point", "coordinates": [0]},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Point", "coordinates": [[0, 0]]},
        {"type": "Point", "coordinates": [181, 0]},
        {"type": "Point", "coordinates": [0, -91]},
        {"type": "Point", "coordinates": [10**400, 0]},
        {"type": "MultiPoint", "coordinates": []},
        {"type": "LineString", "coordinates": []},
        {"type": "LineString", "coordinates": None},
        {"type": "MultiLineString", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[0, 0], [1, 1]]},
        {"type": "MultiPolygon", "coordinates": [[]]},
        {"type": "MultiPolygon", "coordinates": {"a": 1}},
        {"type": "GeometryCollection", "geometries": []},
    ],
)
def test_what_is_no_geometry_is_refused(geometry: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_shape(geometry)
