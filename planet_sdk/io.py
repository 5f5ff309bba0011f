"""Turning what arrives one by one, or as text, into Python values."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from planet_sdk import geojson
from planet_sdk.exceptions import GeoJSONError, PlanetError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

__all__ = ["collect", "str_to_datetime"]


async def collect(values: AsyncIterable[dict[str, Any]]) -> list[dict[str, Any]] | dict[str, Any]:
    """Return everything the iterator yields: GeoJSON Features as one FeatureCollection, anything else as a list.

    An empty iterator gives an empty FeatureCollection, as in `planet` 2.14.
    """
    items = [value async for value in values]
    try:
        return geojson.as_featurecollection(items)
    except GeoJSONError:
        return items


def str_to_datetime(string: str) -> datetime:
    """Return the time that the text names, in RFC 3339 as Planet writes it or in ISO 8601.

    As in `planet` 2.14, a time with fractional seconds and a trailing Z comes back without a time zone.

    Raises:
        PlanetError: it is neither.
    """
    try:
        return datetime.strptime(string, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 — 2.14's result, callers compare with it
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(string)
    except ValueError as error:
        raise PlanetError(f"{string} does not match RFC 3339 or ISO 8601 formats") from error
