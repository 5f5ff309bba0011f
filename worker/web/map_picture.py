"""A map drawn from nothing but the shapes on it: degrees around them, a scale, and no ground beneath."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.web.shapes import Line, Point, Shape

WIDTH = 400.0
_LOWEST, _HIGHEST = 200.0, 400.0  # of the picture
_ROOM = 0.12  # around the shapes, of their extent
_SMALLEST_DEG = 0.002  # a point is shown with two hundred metres around it
_TURN, _HALF_TURN, _POLE = 360.0, 180.0, 90.0
_NARROWEST = 0.05  # how much shorter a degree of longitude is drawn, at the poles
_FAR_NORTH = 75.0  # from here on what is drawn is visibly out of shape
_KM_PER_DEG = 111.195  # of the sphere with the Earth's mean radius
_STEPS_DEG = (30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
_FEWEST_LINES = 3
_SCALE_SHARE = 0.3  # of the width that the scale takes at most
_HALF_MARK = 4.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """One shape, as the path of an SVG."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A line of equal longitude or latitude."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Map:
    """A map of WIDTH by `height`.

    Attributes:
        areas: of interest.
        footprints: of the items.
        place: where and how large it is, in words.
        note: what is not as it looks; empty where it is.
    """

    height: float
    areas: Sequence[Drawn]
    footprints: Sequence[Drawn]
    meridians: Sequence[Grid]
    parallels: Sequence[Grid]
    scale_px: float
    scale: str
    place: str
    note: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """A window of longitudes, which may go beyond 180, and latitudes."""

    west: float
    south: float
    east: float
    north: float

    @property
    def middle(self) -> Point:
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    @property
    def narrow(self) -> float:
        """How much shorter a degree of longitude is than one of latitude, in the middle."""
        return max(math.cos(math.radians(self.middle[1])), _NARROWEST)

    @property
    def px_per_deg(self) -> float:
        """Of latitude."""
        return WIDTH / ((self.east - self.west) * self.narrow)

    @property
    def height(self) -> float:
        return (self.north - self.south) * self.px_per_deg

    def place(self, point: Point) -> Point:
        """Where a point is in the picture."""
        return (point[0] - self.west) * self.narrow * self.px_per_deg, (self.north - point[1]) * self.px_per_deg


def draw_map(areas: Sequence[Shape], footprints: Sequence[tuple[str, Shape]]) -> Map | None:
    """The map that shows all of these shapes; None where there are none."""
    shapes = [*areas, *(shape for _, shape in footprints)]
    lines = [line for shape in shapes for line in shape.lines]
    if not lines:
        return None
    west = _west_of(lines)
    extent = _extent(_shifted(line, west) for line in lines)
    frame = _fit(extent)
    scale_km = _round_down(WIDTH * _SCALE_SHARE / frame.px_per_deg * _KM_PER_DEG)
    return Map(
        height=round(frame.height, 1),
        areas=[Drawn(_path(shape, frame, west), "area of interest") for shape in areas],
        footprints=[Drawn(_path(shape, frame, west), name) for name, shape in footprints],
        meridians=[Grid(frame.place((at, 0))[0], _tell_east(at)) for at in _grid(frame.west, frame.east)],
        parallels=[
            Grid(frame.place((0, at))[1], _tell_north(at)) for at in _grid(frame.south, frame.north) if abs(at) <= _POLE
        ],
        scale_px=round(scale_km / _KM_PER_DEG * frame.px_per_deg, 1),
        scale=f"{scale_km:g} km" if scale_km >= 1 else f"{scale_km * 1000:g} m",
        place=_tell_place(extent),
        note=_tell_note(extent, lines),
    )


def _west_of(lines: Sequence[Line]) -> float:
    """Where a map begins that cuts none of the lines: at the end of the widest gap between them, around the Earth."""
    reaches = sorted((west % _TURN, east - west) for west, east in map(_reach, lines))
    end, widest, begin = reaches[0][0], -1.0, reaches[0][0]
    for west, width in [*reaches, (reaches[0][0] + _TURN, 0.0)]:
        if west - end > widest:
            widest, begin = west - end, west
        end = max(end, west + width)
    begin %= _TURN
    return begin - _TURN if begin >= _HALF_TURN else begin


def _reach(line: Line) -> tuple[float, float]:
    easts = [east for east, _ in line.points]
    return min(easts), max(easts)


def _shifted(line: Line, west: float) -> list[Point]:
    """The line, whole turns further, so that it begins within the first turn of the map."""
    start, _ = _reach(line)
    turns = math.floor((start - west + 1e-9) / _TURN) * _TURN
    return [(east - turns, north) for east, north in _closed(line)] if turns else _closed(line)


def _closed(line: Line) -> list[Point]:
    """A ring around a pole is closed along it."""
    points = list(line.points)
    if line.is_ring and _is_around_pole(line):
        pole = math.copysign(_POLE, sum(north for _, north in points))
        return [*points, (points[-1][0], pole), (points[0][0], pole)]
    return points


def _is_around_pole(line: Line) -> bool:
    return abs(line.points[-1][0] - line.points[0][0]) > _HALF_TURN


def _extent(lines: Iterable[list[Point]]) -> _Frame:
    points = [point for line in lines for point in line]
    easts, norths = [east for east, _ in points], [north for _, north in points]
    return _Frame(min(easts), min(norths), max(easts), max(norths))


def _fit(extent: _Frame) -> _Frame:
    """The window around an extent: with room about it, and neither too flat nor too high."""
    east, north = extent.middle
    tall = max(extent.north - extent.south, _SMALLEST_DEG) * (1 + 2 * _ROOM)
    wide = max((extent.east - extent.west) * extent.narrow, _SMALLEST_DEG) * (1 + 2 * _ROOM)
    wide, tall = max(wide, tall * WIDTH / _HIGHEST), max(tall, wide * _LOWEST / WIDTH)
    half_wide, half_tall = wide / extent.narrow / 2, tall / 2
    return _Frame(east - half_wide, north - half_tall, east + half_wide, north + half_tall)


def _path(shape: Shape, frame: _Frame, west: float) -> str:
    """The shape as SVG draws it; what would be too small to be seen gets a mark around it."""
    return "".join(_subpath([frame.place(point) for point in _shifted(line, west)], line) for line in shape.lines)


def _subpath(places: Sequence[Point], line: Line) -> str:
    xs, ys = [x for x, _ in places], [y for _, y in places]
    path = _connect(places, is_closed=line.is_ring) if len(places) > 1 else ""
    if max(max(xs) - min(xs), max(ys) - min(ys)) < _HALF_MARK:
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        corners = [(x - _HALF_MARK, y), (x, y - _HALF_MARK), (x + _HALF_MARK, y), (x, y + _HALF_MARK)]
        path += _connect(corners, is_closed=True)
    return path


def _connect(places: Sequence[Point], *, is_closed: bool) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) + ("Z" if is_closed else "")


def _grid(start: float, end: float) -> Iterator[float]:
    """Round degrees between two, a few of them."""
    step = next((step for step in _STEPS_DEG if (end - start) / step >= _FEWEST_LINES), _STEPS_DEG[-1])
    for number in range(math.ceil(start / step), math.floor(end / step) + 1):
        yield round(number * step, 6)


def _tell_east(degrees: float) -> str:
    east = round((degrees + _HALF_TURN) % _TURN - _HALF_TURN, 6)
    if abs(east) in {0.0, _HALF_TURN}:
        return f"{abs(east):g}°"
    return f"{abs(east):g}°{'E' if east > 0 else 'W'}"


def _tell_north(degrees: float) -> str:
    return f"{abs(degrees):g}°{'N' if degrees > 0 else 'S' if degrees < 0 else ''}"


def _tell_place(extent: _Frame) -> str:
    east, north = (round(each, 3) for each in extent.middle)
    wide_km = (extent.east - extent.west) * math.cos(math.radians(north)) * _KM_PER_DEG
    tall_km = (extent.north - extent.south) * _KM_PER_DEG
    return f"{_tell_north(north)} {_tell_east(east)}, {_tell_km(wide_km)} by {_tell_km(tall_km)} km"


def _tell_km(km: float) -> str:
    return f"{km:,.0f}" if km >= 10 else f"{km:.1f}"  # noqa: PLR2004 — below, tenths are worth telling


def _tell_note(extent: _Frame, lines: Sequence[Line]) -> str:
    notes = []
    if any(line.is_ring and _is_around_pole(line) for line in lines):
        notes.append("A shape lies around a pole: it is drawn along the edge of the map.")
    if max(abs(extent.north), abs(extent.south)) > _FAR_NORTH:
        notes.append("So near a pole the map is out of shape: look at the degrees.")
    if math.floor((extent.east + _HALF_TURN) / _TURN) != math.floor((extent.west + _HALF_TURN) / _TURN):
        notes.append("It crosses the antimeridian.")
    return " ".join(notes)


def _round_down(value: float) -> float:
    """The largest 1, 2 or 5 with zeros that is not above."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5, 2, 1) if step * power <= value * (1 + 1e-9))
