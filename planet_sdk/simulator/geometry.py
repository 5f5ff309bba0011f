"""Where scenes lie: areas of interest, footprints of items, and the pixel grid that fits either."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .item_ids import read_item_id

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = tuple[Point, ...]

Box: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north."""

WGS84 = 4326
WEB_MERCATOR = 3857
EQUATOR_M = 6_378_137.0
_HALF_HEIGHT, _HALF_WIDTH, _TILT = 0.045, 0.13, 0.03  # of a scene, in degrees at the equator
_CLOSED_RING = 4  # three corners and the first one again


def read_rings(geometry: Any) -> tuple[Ring, ...]:
    """All rings of a GeoJSON Polygon or MultiPolygon; ValueError says what is wrong with anything else."""
    if not isinstance(geometry, dict) or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        raise ValueError("the geometry must be a Polygon or a MultiPolygon")
    try:
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        rings = tuple(tuple((float(x), float(y)) for x, y, *_ in ring) for polygon in polygons for ring in polygon)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the coordinates are not rings of longitude and latitude") from error
    if not rings or any(len(ring) < _CLOSED_RING or ring[0] != ring[-1] for ring in rings):
        raise ValueError("a polygon needs rings of at least four positions, the last the same as the first")
    if not all(abs(x) <= 180 and abs(y) <= 90 for ring in rings for x, y in ring):  # noqa: PLR2004 — degrees
        raise ValueError("a position lies outside longitude -180..180, latitude -90..90")
    return rings


def item_footprint(item_id: str) -> dict[str, Any]:
    """A plausible scene outline, always the same for an item, where its id says; without a place somewhere by hash."""
    known = read_item_id(item_id)
    if known is not None:
        outline = outline_scene(known.lon, known.lat)
    else:
        digest = hashlib.sha256(item_id.encode()).digest()
        lon = -179 + 358 * int.from_bytes(digest[:4], "big") / 2**32
        lat = -55 + 120 * int.from_bytes(digest[4:8], "big") / 2**32
        outline = outline_scene(lon, lat)
    return {"type": "Polygon", "coordinates": [[list(point) for point in outline]]}


def outline_scene(lon: float, lat: float) -> Ring:
    """The outline of a scene around this centre: a tilted strip, about 29 km wide and 10 km high."""
    lon, half_lat, half_lon, tilt = keep_on_map(lon, lat), _HALF_HEIGHT, _HALF_WIDTH / narrow(lat), _TILT
    corners = [(-1, 1), (1, 1), (1, -1), (-1, -1), (-1, 1)]
    return tuple((round(lon + x * half_lon + y * tilt, 6), round(lat + y * half_lat - x * tilt, 6)) for x, y in corners)


def reach_of_scene(lat: float) -> tuple[float, float]:
    """How far, at most, an outline reaches from its centre: to the north and south, and to the east and west."""
    return _HALF_HEIGHT + _TILT, _HALF_WIDTH / narrow(lat) + _TILT


def keep_on_map(lon: float, lat: float) -> float:
    """The nearest longitude at which a scene's outline does not reach beyond 180 degrees."""
    room = 180 - reach_of_scene(lat)[1]
    return max(-room, min(lon, room))


def narrow(lat: float) -> float:
    """How much shorter a degree of longitude is here than at the equator; near the poles scenes stop to widen."""
    return max(math.cos(math.radians(lat)), 0.2)


@dataclass(frozen=True, slots=True)
class Grid:
    """A north-up pixel grid: coordinate system, upper left corner, size of a pixel, number of pixels."""

    epsg: int
    left: float
    top: float
    pixel_size: float
    width: int
    height: int

    def quarter(self, column: int, row: int) -> tuple[Grid, slice, slice]:
        """One of the four quarters, with its rows and columns; odd edges leave a line over, a single line is shared."""
        width, height = max(1, self.width // 2), max(1, self.height // 2)
        x, y = min(column * width, self.width - width), min(row * height, self.height - height)
        left, top = self.left + x * self.pixel_size, self.top - y * self.pixel_size
        return Grid(self.epsg, left, top, self.pixel_size, width, height), slice(y, y + height), slice(x, x + width)


def fit_grid(rings: tuple[Ring, ...], longer_edge_px: int, epsg: int | None = None) -> tuple[Grid, tuple[Ring, ...]]:
    """The smallest grid of square pixels that covers `rings`, and the rings in its coordinates.

    Args:
        rings: In longitude and latitude.
        longer_edge_px: The number of pixels of the longer edge.
        epsg: 4326, 3857, or a UTM zone on WGS 84; None takes the UTM zone it is in, or 4326 where UTM does not reach.
    """
    epsg = pick_epsg(rings) if epsg is None else epsg
    projected = tuple(tuple(project(point, epsg) for point in ring) for ring in rings)
    xs = [x for ring in projected for x, _ in ring]
    ys = [y for ring in projected for _, y in ring]
    pixel_size = max(max(xs) - min(xs), max(ys) - min(ys), 1e-9) / longer_edge_px
    width = max(1, math.ceil((max(xs) - min(xs)) / pixel_size - 1e-6))
    height = max(1, math.ceil((max(ys) - min(ys)) / pixel_size - 1e-6))
    return Grid(epsg, min(xs), max(ys), pixel_size, width, height), projected


def pick_epsg(rings: tuple[Ring, ...]) -> int:
    """The coordinate system a scene over this area comes in."""
    lons = [x for ring in rings for x, _ in ring]
    lats = [y for ring in rings for _, y in ring]
    if max(lats) > 84 or min(lats) < -80 or max(lons) - min(lons) > 12:  # noqa: PLR2004 — where UTM ends
        return WGS84
    zone = min(60, int((sum(lons) / len(lons) + 180) // 6) + 1)
    return (32_600 if sum(lats) >= 0 else 32_700) + zone


def is_projectable(epsg: int) -> bool:
    """Can the simulator make scenes in this coordinate system?"""
    return epsg in {WGS84, WEB_MERCATOR} or (epsg // 100 in {326, 327} and 1 <= epsg % 100 <= 60)  # noqa: PLR2004 — zones


def project(point: Point, epsg: int) -> Point:
    """A position in longitude and latitude, in the coordinates of `epsg`."""
    lon, lat = point
    if epsg == WGS84:
        return point
    if epsg == WEB_MERCATOR:
        lat = max(-85.05, min(85.05, lat))
        return EQUATOR_M * math.radians(lon), EQUATOR_M * math.asinh(math.tan(math.radians(lat)))
    return _project_utm(lon, lat, zone=epsg % 100, south=epsg // 100 == 327)  # noqa: PLR2004 — 327xx is the south


def _project_utm(lon: float, lat: float, *, zone: int, south: bool) -> Point:
    """Krüger's series to the third order: good to a millimetre within a zone."""
    n = 1 / (2 * 298.257223563 - 1)
    radius = EQUATOR_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    alphas = (n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16, 13 * n**2 / 48 - 3 * n**3 / 5, 61 * n**3 / 240)
    e = 2 * math.sqrt(n) / (1 + n)
    sine, delta = math.sin(math.radians(lat)), math.radians(lon - (zone * 6 - 183))
    t = math.sinh(math.atanh(sine) - e * math.atanh(e * sine))
    xi, eta = math.atan2(t, math.cos(delta)), math.atanh(math.sin(delta) / math.sqrt(1 + t * t))
    east = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(alphas, 1))
    north = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(alphas, 1))
    return 500_000 + 0.9996 * radius * east, (10_000_000 if south else 0) + 0.9996 * radius * north


def inside(rings: tuple[Ring, ...], grid: Grid) -> NDArray[np.bool_]:
    """Which pixels' centres lie within the rings, given in its coordinates; even-odd rule, so holes are holes."""
    x = grid.left + (np.arange(grid.width) + 0.5) * grid.pixel_size
    y = (grid.top - (np.arange(grid.height) + 0.5) * grid.pixel_size)[:, None]
    mask = np.zeros((grid.height, grid.width), dtype=bool)
    for ring in rings:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if y1 != y2:
                mask ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return mask
