"""How much a request orders."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.request import Size, size_of
from jobs.request.area import hectares_of
from tests.stage_rig import OREGON, request

SQUARE_KM = 100  # hectares


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


@pytest.mark.parametrize(
    ("ring", "square_km"),
    [
        pytest.param(box(-180, -90, 180, 90), 510_065_622, id="the-earth"),
        pytest.param(box(0, 0, 1, 1), 12_309, id="a-degree-at-the-equator"),
        pytest.param(box(-109.05, 37, -102.05, 41), 269_600, id="colorado"),
        pytest.param(box(10, 59.9, 10.1, 60)[::-1], 62.3, id="oslo-clockwise"),
    ],
)
def test_an_area_is_that_of_the_ellipsoid_within_one_percent(ring: list[list[float]], square_km: float) -> None:
    assert hectares_of({"type": "Polygon", "coordinates": [ring]}) == pytest.approx(square_km * SQUARE_KM, rel=0.01)


def test_holes_are_left_out_and_polygons_added_up() -> None:
    whole, hole = box(0, 0, 2, 2), box(0.5, 0.5, 1, 1)
    area = hectares_of({"type": "MultiPolygon", "coordinates": [[whole, hole], [hole]]})
    assert area == pytest.approx(hectares_of({"type": "Polygon", "coordinates": [whole]}))


def test_clipped_scenes_count_with_the_area_each() -> None:
    one, three = size_of(request(items=("a",))), size_of(request(items=("a", "b", "c")))
    assert (one.items, three.items) == (1, 3)
    assert one.hectares == hectares_of(OREGON)
    assert three.hectares == pytest.approx(3 * (one.hectares or 0))


UNKNOWN: dict[str, tuple[dict[str, Any], Size]] = {
    "no clip": (request(tools=[]), Size(1, None)),
    "a reference": (
        request(tools=[{"clip": {"aoi": {"type": "ref", "content": "pl:features/my/fields/7"}}}]),
        Size(1, None),
    ),
    "quads": ({"products": [{"mosaic_name": "m", "quad_ids": ["1-1", "1-2"]}]}, Size(2, None)),
    "nothing": ({"products": []}, Size(None, None)),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_cannot_be_told_is_not_guessed(what: str) -> None:
    known, size = UNKNOWN[what]
    assert size_of(known) == size


def test_a_basemap_counts_with_its_geometry() -> None:
    size = size_of({"products": [{"mosaic_name": "m", "geometry": OREGON}]})
    assert size == Size(None, hectares_of(OREGON))
