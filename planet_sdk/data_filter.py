"""Filters that say which items a search finds; each is the JSON that the Data API takes."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from planet_sdk.exceptions import ClientError
from planet_sdk.geojson import validate_geom_as_geojson

__all__ = [
    "and_filter",
    "asset_filter",
    "date_range_filter",
    "empty_filter",
    "geometry_filter",
    "not_filter",
    "number_in_filter",
    "or_filter",
    "permission_filter",
    "range_filter",
    "std_quality_filter",
    "string_in_filter",
    "update_filter",
]


def empty_filter() -> dict[str, Any]:
    """Return a filter that every item passes."""
    return and_filter([])


def and_filter(nested_filters: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a filter for items that pass all of the nested filters."""
    return {"type": "AndFilter", "config": nested_filters}


def or_filter(nested_filters: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a filter for items that pass at least one of the nested filters."""
    return {"type": "OrFilter", "config": nested_filters}


def not_filter(nested_filter: dict[str, Any]) -> dict[str, Any]:
    """Return a filter for items that do not pass the nested filter; there can be one only."""
    return {"type": "NotFilter", "config": nested_filter}


def date_range_filter(
    field_name: str,
    gt: datetime | None = None,
    lt: datetime | None = None,
    gte: datetime | None = None,
    lte: datetime | None = None,
) -> dict[str, Any]:
    """Return a filter for items whose time, as `acquired` or `published`, lies within all of the bounds.

    Args:
        field_name: the property that holds the time.
        gt: it is later than this; a time without time zone is meant as UTC, as for the other bounds.
        lt: it is earlier than this.
        gte: it is not earlier than this.
        lte: it is not later than this.

    Raises:
        ClientError: there is no bound, or one is no datetime.
    """
    return _range_filter("DateRangeFilter", field_name, gt=_time(gt), lt=_time(lt), gte=_time(gte), lte=_time(lte))


def range_filter(
    field_name: str,
    gt: float | None = None,
    lt: float | None = None,
    gte: float | None = None,
    lte: float | None = None,
) -> dict[str, Any]:
    """Return a filter for items whose number, as `cloud_cover` or `view_angle`, lies within all of the bounds.

    Args:
        field_name: the property that holds the number.
        gt: it is greater than this.
        lt: it is less than this.
        gte: it is not less than this.
        lte: it is not greater than this.

    Raises:
        ClientError: there is no bound, or one is NaN or infinite.
    """
    for bound in (gt, lt, gte, lte):
        _check_finite(field_name, bound)
    return _range_filter("RangeFilter", field_name, gt=gt, lt=lt, gte=gte, lte=lte)


def update_filter(
    field_name: str,
    gt: datetime | None = None,
    lt: datetime | None = None,
    gte: datetime | None = None,
    lte: datetime | None = None,
) -> dict[str, Any]:
    """Return a filter for items in which this property was changed, by a republication, since a time.

    Args:
        field_name: the property.
        gt: the change came later than this; a time without time zone is meant as UTC.
        lt: refused, as `lte` is: the API knows only the other two. `planet` 2.14 takes them and ignores them, so that
            a search finds more than was asked for.
        gte: the change did not come earlier than this.
        lte: refused.

    Raises:
        ClientError: `lt` or `lte` is given, there is no bound, or one is no datetime.
    """
    if lt is not None or lte is not None:
        raise ClientError(f"an UpdateFilter has no upper bound: leave lt and lte out of the filter on {field_name!r}")
    return _range_filter("UpdateFilter", field_name, gt=_time(gt), gte=_time(gte))


def geometry_filter(geom: dict[str, Any]) -> dict[str, Any]:
    """Return a filter for items whose footprint intersects the geometry.

    Args:
        geom: a GeoJSON geometry, a Feature, or a FeatureCollection of one Feature.

    Raises:
        GeoJSONError: it is none of these.
    """
    return _field_filter("GeometryFilter", "geometry", validate_geom_as_geojson(geom))


def number_in_filter(field_name: str, values: list[float]) -> dict[str, Any]:
    """Return a filter for items whose property, as `gsd`, is one of the numbers.

    Raises:
        ClientError: one is NaN or infinite.
    """
    for value in values:
        _check_finite(field_name, value)
    return _field_filter("NumberInFilter", field_name, values)


def string_in_filter(field_name: str, values: list[str]) -> dict[str, Any]:
    """Return a filter for items whose property, as `instrument`, is one of the texts; for booleans, too."""
    return _field_filter("StringInFilter", field_name, values)


def asset_filter(asset_types: list[str]) -> dict[str, Any]:
    """Return a filter for items that have at least one of the assets."""
    return {"type": "AssetFilter", "config": asset_types}


def permission_filter() -> dict[str, Any]:
    """Return a filter for items that the user may download."""
    return {"type": "PermissionFilter", "config": ["assets:download"]}


def std_quality_filter() -> dict[str, Any]:
    """Return a filter for items of standard quality, without those that Planet marks as test."""
    return string_in_filter("quality_category", ["standard"])


def _range_filter(kind: str, field_name: str, **bounds: float | str | None) -> dict[str, Any]:
    config = {name: bound for name, bound in bounds.items() if bound is not None}
    if not config:
        raise ClientError(f"No conditional parameters specified: give the {kind} on {field_name!r} a bound.")
    return _field_filter(kind, field_name, config)


def _check_finite(field_name: str, value: object) -> None:
    """Raise ClientError for a number that JSON does not have; a range without an end is one without that bound."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ClientError(f"{value} is no number that a filter on {field_name!r} can hold: leave it out")


def _field_filter(kind: str, field_name: str, config: dict[str, Any] | list[Any]) -> dict[str, Any]:
    return {"type": kind, "field_name": field_name, "config": config}


def _time(value: datetime | None) -> str | None:
    """Return the time as RFC 3339 has it: with an offset, or with Z."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ClientError(f"a bound in time is a datetime, not {value!r}")
    text = value.isoformat()
    return text if value.utcoffset() is not None else f"{text}Z"
