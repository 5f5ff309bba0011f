"""The catalogue that searches look through: a sample of the world for every day, and any place that is asked for."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache

from .clock import MICROSECONDS, Clock
from .filters import Filter, Scope
from .geometry import Box, narrow, reach_of_scene
from .item_ids import EAST, EPOCH_DAY, NORTH, SOUTH, WEST, is_skysat, read_item_id, write_item_id
from .items import Item, list_item_types, throw_dice
from .refusals import is_like
from .settings import SimulatorSettings

_ROW_DEG, _COLUMN_DEG = 0.08, 0.24  # scenes are a little larger than their cells, so that neighbours overlap
_LOCAL_SCENES = 10_000  # of one search; of a larger area it sees every second, third, … cell
_DAY_US = 86_400 * MICROSECONDS
_KEPT_ITEMS = 100_000


class Catalogue:
    """Items by id, and those that match a filter. It is thread safe, and asking changes nothing.

    The world is a lattice of cells, each of which is photographed every `revisit_days`. A search looks at a few scenes
    of each day, and at all scenes of the places that its filter names. An id of the right pattern is an item also
    when no search would come across it.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self.find = lru_cache(_KEPT_ITEMS)(self._make)
        self._sample = lru_cache(_KEPT_ITEMS)(self._make_sample)

    def get(self, item_type: str, item_id: str) -> Item | None:
        """The item, if it exists and has been published by now."""
        item = self.find(item_type, item_id)
        return item if item is not None and item.published_us <= self._clock.now_us() else None

    def search(self, item_types: Iterable[str], wanted: Filter) -> list[Item]:
        """The published items that match, in no particular order."""
        now_us = self._clock.now_us()
        found: dict[tuple[str, str], Item] = {}
        for item_type in dict.fromkeys(item_types):
            for item in self._candidates(item_type, wanted.scope, now_us):
                if item.published_us <= now_us and wanted.matches(item):
                    found[item_type, item.id] = item
        return list(found.values())

    def _make(self, item_type: str, item_id: str) -> Item | None:
        known, settings = read_item_id(item_id), self._settings
        if known is None or known.is_skysat != is_skysat(item_type) or item_type not in list_item_types():
            return None
        if is_like(item_id, settings.missing_items):
            return None
        return Item(
            item_type,
            known,
            throw_dice(settings.seed, item_type, item_id),
            is_permitted=not is_like(item_id, settings.forbidden_items),
            is_complete=not is_like(item_id, settings.unavailable_items),
        )

    def _candidates(self, item_type: str, scope: Scope, now_us: int) -> Iterator[Item]:
        days = self._bound_days(scope, now_us)
        item_ids = [*scope.ids]
        for day in days:
            item_ids += self._sample(item_type, day)
        for box in scope.boxes:
            item_ids += self._list_local(item_type, days, box, _LOCAL_SCENES // len(scope.boxes))
        return (item for item_id in item_ids if (item := self.find(item_type, item_id)) is not None)

    def _bound_days(self, scope: Scope, now_us: int) -> range:
        """The days, as ordinals, of the catalogue that the scope leaves."""
        settings = self._settings
        first, last = settings.catalogue_start.toordinal(), EPOCH_DAY + now_us // _DAY_US
        if settings.catalogue_end is not None:
            last = min(last, settings.catalogue_end.toordinal())
        first = max(first, EPOCH_DAY + int(max(scope.start_us, 0) // _DAY_US))
        last = min(last, EPOCH_DAY + int(min(scope.end_us, now_us) // _DAY_US))
        return range(first, last + 1)

    def _make_sample(self, item_type: str, day: int) -> tuple[str, ...]:
        """Scenes from all over the world, of cells that are photographed on this day."""
        chance = random.Random(f"{self._settings.seed}:{item_type}:{day}")  # noqa: S311 — must be reproducible
        item_ids = []
        for _ in range(self._settings.scenes_per_day):
            row = _row_of(chance.uniform(-55, 65))
            column = int(chance.random() * (_count_columns(row) - self._settings.revisit_days))
            late = self._days_to_visit(item_type, day, row, column)
            # A column further west is photographed a day earlier.
            item_ids.append(_name_scene(item_type, day, row, column - late + self._settings.revisit_days))
        return tuple(item_ids)

    def _list_local(self, item_type: str, days: range, box: Box, limit: int) -> Iterator[str]:
        """Scenes of the cells that a box touches, about `limit` of them at most, evenly spread."""
        reach = reach_of_scene(0)[0]
        rows = range(_row_of(box[1] - reach), _row_of(box[3] + reach) + 1)
        cells = sum(len(_columns_of(row, box)) for row in rows)
        step = math.ceil(math.sqrt(max(1.0, cells * len(days) / self._settings.revisit_days / max(1, limit))))
        for row in rows[::step]:
            for column in _columns_of(row, box)[::step]:
                first = self._days_to_visit(item_type, days.start, row, column)
                for day in days[first :: self._settings.revisit_days]:
                    yield _name_scene(item_type, day, row, column)

    def _days_to_visit(self, item_type: str, day: int, row: int, column: int) -> int:
        """From this day on, until the cell is photographed; neighbours in a row follow each other day by day."""
        phase = len(item_type) + self._settings.seed
        return (2 * row + column + phase - day) % self._settings.revisit_days


def _row_of(lat: float) -> int:
    return int((min(max(lat, SOUTH), NORTH - _ROW_DEG) - SOUTH) / _ROW_DEG)


@cache
def _width_of(row: int) -> float:
    """How many degrees of longitude a cell of this row is wide; a whole number of them goes round the world."""
    return (EAST - WEST) / math.ceil((EAST - WEST) * narrow(_latitude_of(row)) / _COLUMN_DEG)


def _latitude_of(row: int) -> float:
    return SOUTH + (row + 0.5) * _ROW_DEG


def _count_columns(row: int) -> int:
    return round((EAST - WEST) / _width_of(row))


def _columns_of(row: int, box: Box) -> range:
    """The columns of this row whose scenes may touch the box."""
    reach, width = reach_of_scene(_latitude_of(row))[1], _width_of(row)
    first, last = (math.floor((lon - WEST) / width) for lon in (box[0] - reach, box[2] + reach))
    return range(max(0, first), min(_count_columns(row), last + 1))


def _name_scene(item_type: str, day: int, row: int, column: int) -> str:
    """The id of the scene of a cell; from day to day it lies a little differently."""
    shift = ((7 * day + row + 3 * column) % 5 - 2) / 40
    lon, lat = WEST + (column + 0.5 + shift) * _width_of(row), SOUTH + (row + 0.5 + shift) * _ROW_DEG
    return write_item_id(item_type, date.fromordinal(day), lon, lat)
