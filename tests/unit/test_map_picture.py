"""A map of shapes that anybody may have written, wherever on the Earth they are."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.web.map_picture import WIDTH, Map, draw_map
from worker.web.shapes import Shape, find_shapes, read_shape


def square(west: float, south: float, size: float = 1.0) -> dict[str, Any]:
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def shape(geometry: dict[str, Any]) -> Shape:
    found = read_shape(geometry)
    assert found is not None
    return found


def draw(*geometries: dict[str, Any]) -> Map:
    drawn = draw_map([shape(geometry) for geometry in geometries], [])
    assert drawn is not None
    return drawn


def numbers_in(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def is_inside(drawn: Map) -> bool:
    """Whether all shapes are within the picture."""
    places = [place for each in (*drawn.areas, *drawn.footprints) for place in numbers_in(each.path)]
    return all(-0.1 <= x <= WIDTH + 0.1 and -0.1 <= y <= drawn.height + 0.1 for x, y in places)


def test_shapes_lie_within_the_map_with_round_degrees_around_them_and_a_scale() -> None:
    drawn = draw(square(-122, 45))

    assert is_inside(drawn)
    assert 200 <= drawn.height <= 400
    assert {"121.5°W", "45.4°N"} <= {line.label for line in (*drawn.meridians, *drawn.parallels)}
    assert drawn.place == "45.5°N 121.5°W, 78 by 111 km"
    assert drawn.note == ""
    assert 0 < drawn.scale_px <= WIDTH * 0.3
    assert drawn.scale == "20 km"


def test_east_is_right_and_north_is_up_and_a_degree_is_narrower_in_the_north() -> None:
    drawn = draw(square(10, 60))

    (west, south), (east, _), (_, north), *_ = numbers_in(drawn.areas[0].path)
    assert west < east
    assert north < south
    assert (east - west) / (south - north) == pytest.approx(math.cos(math.radians(60.5)), abs=0.01)


@pytest.mark.parametrize(
    "geometries",
    [
        [{"type": "MultiPolygon", "coordinates": [square(179, 0)["coordinates"], square(-180, 0)["coordinates"]]}],
        [{"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]]}],
        [{"type": "Polygon", "coordinates": [[[179, 0], [181, 0], [181, 1], [179, 1], [179, 0]]]}],
        [square(179, 0), square(-180, 0)],
    ],
    ids=["split, as GeoJSON asks", "crossing", "beyond 180", "one on each side"],
)
def test_a_shape_across_the_antimeridian_is_two_degrees_wide_and_not_358(geometries: list[dict[str, Any]]) -> None:
    drawn = draw(*geometries)

    assert is_inside(drawn)
    assert drawn.place.endswith("222 by 111 km")
    assert "antimeridian" in drawn.note
    assert {"180°", "179°E", "179°W"} <= {line.label for line in drawn.meridians}


def test_a_shape_around_a_pole_is_closed_along_it_and_that_is_said() -> None:
    ring = [[east, -70] for east in range(-180, 180, 30)]
    drawn = draw({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})

    assert is_inside(drawn)
    assert "around a pole" in drawn.note
    assert "90°S" in {line.label for line in drawn.parallels}


def test_near_a_pole_the_map_says_that_it_is_out_of_shape() -> None:
    drawn = draw(square(30, 85))

    assert is_inside(drawn)
    assert "out of shape" in drawn.note


def test_a_hole_is_part_of_its_shape() -> None:
    with_hole = square(0, 0, 3)
    with_hole["coordinates"] += square(1, 1)["coordinates"]

    assert draw(with_hole).areas[0].path.count("M") == 2


def test_points_lines_and_what_is_too_small_are_seen() -> None:
    point = draw({"type": "Point", "coordinates": [10, 50]})
    line = draw({"type": "LineString", "coordinates": [[10, 50], [11, 51]]})
    both = draw(square(0, 0, 0.001), square(90, 40, 0.001))

    assert len(numbers_in(point.areas[0].path)) == 4
    assert not line.areas[0].path.endswith("Z")
    assert is_inside(point)
    assert is_inside(line)
    assert all(each.path.count("M") == 2 for each in both.areas)


def test_a_collection_shows_all_that_is_in_it() -> None:
    members = [square(0, 0), {"type": "MultiPoint", "coordinates": [[2, 2], [3, 3]]}]
    drawn = draw({"type": "GeometryCollection", "geometries": members})

    assert drawn.areas[0].path.count("M") == 3


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        [],
        "POLYGON ((0 0))",
        {},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": "x"},
        {"type": "Polygon", "coordinates": [[["a", "b"], [None, 1], {}, []]]},
        {"type": "Polygon", "coordinates": [[[math.nan, 0]] * 4]},
        {"type": "Polygon", "coordinates": [[[math.inf, 0]] * 4]},
        {"type": "Polygon", "coordinates": [[[10**400, 0]] * 4]},
        {"type": "Point", "coordinates": [0, 91]},
        {"type": ["Polygon"], "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "ref", "content": "pl:features/my/field"},
    ],
    ids=str,
)
def test_what_is_no_geometry_on_the_earth_is_not_drawn(geometry: Any) -> None:
    assert read_shape(geometry) is None


def test_a_geometry_without_end_is_drawn_as_far_as_it_is_seen() -> None:
    ring = [[math.cos(turn / 1000), math.sin(turn / 1000)] for turn in range(100_000)]
    deep: dict[str, Any] = square(0, 0)
    for _ in range(500):
        deep = {"type": "GeometryCollection", "geometries": [deep]}

    assert len(shape({"type": "Polygon", "coordinates": [ring]}).lines[0].points) <= 2_000
    assert len(shape({"type": "MultiPolygon", "coordinates": [[ring[:4]]] * 1000}).lines) == 200
    assert read_shape(deep) is None


def test_areas_are_found_wherever_a_request_has_them() -> None:
    request = {
        "name": "n",
        "products": [{"mosaic_name": "m", "geometry": square(5, 5)}],
        "tools": [{"clip": {"aoi": square(0, 0)}}, {"clip": {"aoi": {"type": "ref", "content": "pl:features/a/b"}}}],
    }

    assert [found.geometry for found in find_shapes(request)] == [square(5, 5), square(0, 0)]
    assert len(list(find_shapes([square(0, 0)] * 1000))) == 50


degrees = st.floats(-200, 200) | st.integers(-400, 400) | st.sampled_from([math.nan, math.inf, 180.0, -180.0, 0.0])
positions = st.lists(st.tuples(degrees, st.floats(-95, 95)).map(list), min_size=0, max_size=6)


@given(st.lists(positions, min_size=1, max_size=4))
def test_whatever_is_written_the_map_is_finite_and_holds_it(rings: list[list[list[float]]]) -> None:
    found = read_shape({"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]})
    drawn = draw_map([found], []) if found else None

    if drawn is not None:
        assert 200 <= round(drawn.height) <= 400
        assert is_inside(drawn)
        assert len(drawn.meridians) + len(drawn.parallels) < 60
        assert "nan" not in json.dumps([drawn.place, drawn.scale])
