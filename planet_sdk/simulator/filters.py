"""Search filters: checked, made into a test of an item, and read for where and when it is worth looking."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeAlias

from .clock import parse_time
from .geometry import Box, item_footprint
from .items import MAX_PUBLISH_DELAY_US, PROPERTIES, Item
from .refusals import refuse_field
from .shapes import Shape, read_shape

Test: TypeAlias = Callable[[Item], bool]
_Conditions: TypeAlias = list[tuple[Callable[[Any, Any], bool], Any]]
_MAX_DEPTH = 32
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
)
_MOMENTS: Mapping[str, Callable[[Item], int]] = MappingProxyType(
    {
        "acquired": lambda item: item.known.acquired_us,
        "published": lambda item: item.published_us,
        "updated": lambda item: item.updated_us,
    }
)
_RELATIONS: Mapping[str, Callable[[Shape, Item], bool]] = MappingProxyType(
    {
        "intersects": lambda shape, item: item.is_near(shape.box) and shape.intersects(item.outline),
        "disjoint": lambda shape, item: not (item.is_near(shape.box) and shape.intersects(item.outline)),
        "contains": lambda shape, item: item.is_near(shape.box) and shape.is_within(item.outline),
        "within": lambda shape, item: item.is_near(shape.box) and shape.encloses(item.outline),
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look for what a filter matches; a place or an id that is named is looked at more closely."""

    start_us: float = float("-inf")
    """Nothing that was acquired before can match, and nothing after the end."""
    end_us: float = float("inf")
    boxes: tuple[Box, ...] = ()
    ids: tuple[str, ...] = ()

    def __and__(self, other: Scope) -> Scope:
        start_us, end_us = max(self.start_us, other.start_us), min(self.end_us, other.end_us)
        smaller, larger = sorted((self.boxes, other.boxes), key=_measure)
        return Scope(start_us, end_us, smaller or larger, self.ids or other.ids)

    def __or__(self, other: Scope) -> Scope:
        start_us, end_us = min(self.start_us, other.start_us), max(self.end_us, other.end_us)
        return Scope(start_us, end_us, self.boxes + other.boxes, self.ids + other.ids)


def _measure(boxes: Iterable[Box]) -> float:
    """Square degrees."""
    return sum((east - west) * (north - south) for west, south, east, north in boxes)


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that has been understood."""

    matches: Test
    scope: Scope = Scope()


def read_filter(value: Any, path: str = "filter", depth: int = 0) -> Filter:
    """The filter that this JSON describes; Refusal names the field that does not fit."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise refuse_field(f"{path}.type", "A filter must be an object with a type")
    if depth > _MAX_DEPTH:
        raise refuse_field(path, f"Filters may be nested {_MAX_DEPTH} deep at most")
    kind = value["type"]
    if kind in {"AndFilter", "OrFilter"}:
        entries = _read_list(value, path, dict, "filters")
        parts = [read_filter(entry, f"{path}.config.{index}", depth + 1) for index, entry in enumerate(entries)]
        return _read_and(parts) if kind == "AndFilter" else _read_or(parts)
    if kind == "NotFilter":
        # Some clients wrap the one filter of a NotFilter into a list.
        inner = value.get("config")
        only = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
        negated = read_filter(only, f"{path}.config", depth + 1)
        return Filter(lambda item: not negated.matches(item))
    read = _READERS.get(kind)
    if read is None:
        raise refuse_field(f"{path}.type", f"Unknown filter type '{kind}'")
    return read(value, path)


def read_geometry(geometry: Any, path: str, relation: str = "intersects") -> Filter:
    """The filter for items that stand in a relation to this geometry, GeoJSON or a reference to a feature."""
    test = _RELATIONS[relation]
    if isinstance(geometry, dict) and geometry.get("type") == "ref":
        geometry = item_footprint(str(geometry.get("content")))
    try:
        shape = read_shape(geometry)
    except ValueError as error:
        raise refuse_field(path, f"Bad geometry: {error}") from error
    boxes = () if relation == "disjoint" else (shape.box,)
    return Filter(lambda item: test(shape, item), Scope(boxes=boxes))


def _read_and(parts: Iterable[Filter]) -> Filter:
    tests = [part.matches for part in parts]
    scope = reduce(operator.and_, (part.scope for part in parts), Scope())

    def matches(item: Item) -> bool:
        for test in tests:  # noqa: SIM110 — `all` makes a generator for each of ten thousand items
            if not test(item):
                return False
        return True

    return Filter(matches, scope)


def _read_or(parts: list[Filter]) -> Filter:
    scopes = [part.scope for part in parts]
    return Filter(
        lambda item: any(part.matches(item) for part in parts), reduce(operator.or_, scopes) if scopes else Scope()
    )


def _read_dates(value: Mapping[str, Any], path: str) -> Filter:
    name = _read_name(value, path)
    conditions = _read_conditions(value, path, _read_moment)
    moment = _MOMENTS.get(name)
    if moment is None:
        raise refuse_field(f"{path}.field_name", f"'{name}' is not a date; dates are {', '.join(_MOMENTS)}")
    after = [limit for compare, limit in conditions if compare in {operator.gt, operator.ge}]
    before = [limit for compare, limit in conditions if compare in {operator.lt, operator.le}]
    lag_us = {"acquired": 0, "published": MAX_PUBLISH_DELAY_US}.get(name, float("inf"))
    scope = Scope(max(after, default=float("-inf")) - lag_us, min(before, default=float("inf")))
    return Filter(lambda item: _holds(moment(item), conditions), scope)


def _read_range(value: Mapping[str, Any], path: str) -> Filter:
    name, conditions = _read_name(value, path), _read_conditions(value, path, _read_number)

    def matches(item: Item) -> bool:
        found = item.get(name)
        return _is_number(found) and _holds(found, conditions)

    return Filter(matches)


def _read_update(value: Mapping[str, Any], path: str) -> Filter:
    name = value.get("field_name")
    conditions = _read_conditions(value, path, _read_moment)
    return Filter(
        lambda item: (
            item.updated_field is not None
            and name in {None, "", item.updated_field}
            and _holds(item.updated_us, conditions)
        )
    )


def _read_place(value: Mapping[str, Any], path: str) -> Filter:
    relation = value.get("relation") or "intersects"
    if not isinstance(relation, str) or relation not in _RELATIONS:
        raise refuse_field(f"{path}.relation", f"'{relation}' is none of {', '.join(_RELATIONS)}")
    return read_geometry(value.get("config"), f"{path}.config", relation)


def _read_numbers(value: Mapping[str, Any], path: str) -> Filter:
    name, numbers = _read_name(value, path), set(_read_list(value, path, (int, float), "numbers"))

    def matches(item: Item) -> bool:
        found = item.get(name)
        return _is_number(found) and found in numbers

    return Filter(matches)


def _read_strings(value: Mapping[str, Any], path: str) -> Filter:
    name, strings = _read_name(value, path), frozenset(_read_list(value, path, str, "strings"))
    if name == "id":
        return Filter(lambda item: item.id in strings, Scope(ids=tuple(sorted(strings))))

    def matches(item: Item) -> bool:
        found = item.get(name)
        return (str(found).lower() if isinstance(found, bool) else found) in strings

    return Filter(matches)


def _read_assets(value: Mapping[str, Any], path: str) -> Filter:
    wanted = frozenset(_read_list(value, path, str, "asset types"))
    return Filter(lambda item: not wanted.isdisjoint(item.assets))


def _read_permissions(value: Mapping[str, Any], path: str) -> Filter:
    wanted = frozenset(_read_list(value, path, str, "permissions"))
    anything = "assets:download" in wanted
    return Filter(
        lambda item: (
            item.is_permitted and (anything or any(f"assets.{asset}:download" in wanted for asset in item.assets))
        )
    )


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], Filter]] = MappingProxyType(
    {
        "AssetFilter": _read_assets,
        "DateRangeFilter": _read_dates,
        "GeometryFilter": _read_place,
        "NumberInFilter": _read_numbers,
        "PermissionFilter": _read_permissions,
        "RangeFilter": _read_range,
        "StringInFilter": _read_strings,
        "UpdateFilter": _read_update,
    }
)


def _read_name(value: Mapping[str, Any], path: str) -> str:
    name = value.get("field_name")
    if not isinstance(name, str) or name not in {"id", *PROPERTIES}:
        raise refuse_field(f"{path}.field_name", f"Unknown field '{name}'")
    return name


def _read_list(value: Mapping[str, Any], path: str, kind: type | tuple[type, ...], what: str) -> list[Any]:
    entries = value.get("config")
    if not isinstance(entries, list) or not all(isinstance(e, kind) and not isinstance(e, bool) for e in entries):
        raise refuse_field(f"{path}.config", f"The config of a {value['type']} must be a list of {what}")
    return entries


def _read_conditions(value: Mapping[str, Any], path: str, read: Callable[[Any], Any]) -> _Conditions:
    config = value.get("config")
    if not isinstance(config, dict) or not config or not config.keys() <= _OPERATORS.keys():
        raise refuse_field(f"{path}.config", f"A {value['type']} needs one or more of gt, gte, lt, lte")
    conditions: _Conditions = []
    for name, limit in config.items():
        try:
            conditions.append((_OPERATORS[name], read(limit)))
        except (TypeError, ValueError) as error:
            raise refuse_field(f"{path}.config.{name}", f"Bad value '{limit}': {error}") from error
    return conditions


def _read_moment(value: Any) -> int:
    if not isinstance(value, str):
        raise TypeError("it must be an RFC 3339 time")
    return parse_time(value)


def _read_number(value: Any) -> float:
    if not _is_number(value):
        raise TypeError("it must be a number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _holds(value: Any, conditions: _Conditions) -> bool:
    for compare, limit in conditions:  # noqa: SIM110 — as above
        if not compare(value, limit):
            return False
    return True
