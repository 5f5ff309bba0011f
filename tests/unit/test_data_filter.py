"""The filters of searches: those of planet 2.14, and nothing that is given is ignored."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import planet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planet_sdk import data_filter, exceptions

THEIRS = planet.data_filter
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
FEATURE = {"type": "Feature", "properties": {}, "geometry": POLYGON}
COLLECTION = {"type": "FeatureCollection", "features": [FEATURE]}

times = st.none() | st.datetimes(
    timezones=st.none() | st.just(UTC) | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
)
finite = st.floats(allow_nan=False, allow_infinity=False)  # ours refuses the others
numbers = st.none() | st.integers() | finite
names = st.text(max_size=5)
lists = st.lists(st.text(max_size=3) | finite, max_size=3)


def outcome(call: Any, *args: Any, **kwargs: Any) -> Any:
    """What the call returns, or that it refuses."""
    try:
        return repr(call(*args, **kwargs))
    except (planet.exceptions.PlanetError, exceptions.PlanetError) as error:
        return str(error).partition(".")[0].partition(":")[0]


BUILDERS = sorted(
    name
    for name, value in vars(THEIRS).items()
    if inspect.isfunction(value) and value.__module__ == THEIRS.__name__ and not name.startswith("_")
)


def test_every_filter_of_planet_2_14_is_there() -> None:
    assert data_filter.__all__ == BUILDERS


@settings(deadline=None)
@given(names, st.tuples(times, times, times, times))
def test_ranges_of_times_are_those_of_planet_2_14(name: str, bounds: tuple[datetime | None, ...]) -> None:
    """Also the refusal of a range without bounds, and the Z behind times without a time zone."""
    ours, theirs = data_filter.date_range_filter, THEIRS.date_range_filter
    assert outcome(ours, name, *bounds) == outcome(theirs, name, *bounds)


@settings(deadline=None)
@given(names, st.tuples(numbers, numbers, numbers, numbers))
def test_ranges_of_numbers_are_those_of_planet_2_14(name: str, bounds: tuple[float | None, ...]) -> None:
    assert outcome(data_filter.range_filter, name, *bounds) == outcome(THEIRS.range_filter, name, *bounds)


@settings(deadline=None)
@given(names, times, times)
def test_update_filters_are_those_of_planet_2_14(name: str, gt: datetime | None, gte: datetime | None) -> None:
    ours, theirs = data_filter.update_filter, THEIRS.update_filter
    assert outcome(ours, name, gt=gt, gte=gte) == outcome(theirs, name, gt=gt, gte=gte)


@settings(deadline=None)
@given(names, lists)
def test_filters_on_lists_are_those_of_planet_2_14(name: str, values: list[Any]) -> None:
    for builder in ("number_in_filter", "string_in_filter"):
        assert outcome(getattr(data_filter, builder), name, values) == outcome(getattr(THEIRS, builder), name, values)
    for builder in ("asset_filter", "and_filter", "or_filter", "not_filter"):
        assert outcome(getattr(data_filter, builder), values) == outcome(getattr(THEIRS, builder), values)


@pytest.mark.parametrize("builder", ["empty_filter", "permission_filter", "std_quality_filter"])
def test_fixed_filters_are_those_of_planet_2_14(builder: str) -> None:
    assert getattr(data_filter, builder)() == getattr(THEIRS, builder)()


@pytest.mark.parametrize("geometry", [POLYGON, FEATURE, COLLECTION, {"type": "Point", "coordinates": [1, 2.5]}])
def test_filters_on_geometries_are_those_of_planet_2_14(geometry: dict[str, Any]) -> None:
    assert data_filter.geometry_filter(geometry) == THEIRS.geometry_filter(geometry)


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [[[0, 0]]]},
        {"type": "Circle", "coordinates": [0, 0]},
        {"type": "FeatureCollection", "features": [FEATURE, FEATURE]},
        {"type": "FeatureCollection", "features": []},
        "pl:features/my/fields/f1",
        None,
    ],
)
def test_what_is_no_single_geometry_is_refused(geometry: Any) -> None:
    with pytest.raises(exceptions.GeoJSONError):
        data_filter.geometry_filter(geometry)


@pytest.mark.parametrize("bound", ["lt", "lte"])
def test_an_update_filter_refuses_an_upper_bound_instead_of_ignoring_it(bound: str) -> None:
    """`planet` 2.14 drops it, so that the search finds more than was asked for."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    with pytest.raises(exceptions.ClientError, match=r"no upper bound.*'ground_control'"):
        data_filter.update_filter("ground_control", gt=now, **{bound: now})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    for bound in ("gt", "lt", "gte", "lte"):
        with pytest.raises(exceptions.ClientError, match="cloud_cover"):
            data_filter.range_filter("cloud_cover", **{bound: number})
    with pytest.raises(exceptions.ClientError, match="gsd"):
        data_filter.number_in_filter("gsd", [3.0, number])


@pytest.mark.parametrize("value", ["2026-01-01", date(2026, 1, 1), 5])
def test_a_bound_in_time_that_is_no_datetime_is_refused(value: Any) -> None:
    for builder in (data_filter.date_range_filter, data_filter.update_filter):
        with pytest.raises(exceptions.ClientError, match="is a datetime, not"):
            builder("acquired", gte=value)
