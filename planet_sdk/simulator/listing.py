"""The list of orders: filters, sorting and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from .book import OrderBook
from .clock import format_time, parse_time
from .orders import Order, OrderState
from .refusals import refuse_generally
from .settings import SimulatorSettings

Condition: TypeAlias = Callable[[Order], bool]
_SORTS: Mapping[str, Callable[[Order], Any]] = {
    "name": lambda order: order.name,
    "created_on": lambda order: order.created_us,
    "state": lambda order: order.state.value,
    "last_modified": lambda order: order.modified_us,
}
_NEWEST_FIRST = (("created_on", True),)


@dataclass(frozen=True, slots=True)
class Interval:
    """From start, inclusive, to end, exclusive; None is open."""

    start_us: int | None = None
    end_us: int | None = None

    def __contains__(self, moment_us: int) -> bool:
        after_start = self.start_us is None or moment_us >= self.start_us
        return after_start and (self.end_us is None or moment_us < self.end_us)


@dataclass(frozen=True, slots=True)
class Query:
    """What a list call asks for."""

    params: QueryParams
    page_size: int
    modified: Interval
    sorts: tuple[tuple[str, bool], ...]
    """Fields to sort by, the first one first, and whether downwards."""
    conditions: tuple[Condition, ...]

    @classmethod
    def parse(cls, params: QueryParams, settings: SimulatorSettings) -> Query:
        """The query of a URL; Refusal when Planet would not understand it."""
        known = ((name, value) for name, value in params.multi_items() if name not in settings.list_ignores)
        params = QueryParams(list(known))
        return cls(
            params=params,
            page_size=_parse_page_size(params.get("page_size"), settings),
            modified=_parse_interval("last_modified", params.get("last_modified")),
            sorts=_parse_sorts(params["sort_by"]) if "sort_by" in params else _NEWEST_FIRST,
            conditions=tuple(_list_conditions(params)),
        )

    def matches(self, order: Order) -> bool:
        """Is this order one of those that were asked for?"""
        for condition in self.conditions:  # noqa: SIM110 — `all` makes a generator for each of ten thousand orders
            if not condition(order):
                return False
        return True


def _list_conditions(params: QueryParams) -> Iterator[Condition]:
    """One condition for each filter that is given."""
    states = set(params.getlist("state"))
    if unknown := states - set(OrderState):
        raise refuse_generally(f"Bad state '{min(unknown)}'")
    if states:
        yield lambda order: order.state in states
    sources = {source for entry in params.getlist("source_type") for source in entry.split(",")} or {"scenes"}
    if "all" not in sources:
        yield lambda order: order.source_type in sources
    if "name" in params:
        yield lambda order: order.name == params["name"]
    if "name__contains" in params:
        yield lambda order: params["name__contains"] in order.name
    if "hosting" in params:
        is_wanted = params["hosting"].lower() == "true"
        yield lambda order: bool(order.request.get("hosting")) == is_wanted
    if "destination_ref" in params:
        yield lambda order: _destination_ref(order.request) == params["destination_ref"]
    created = _parse_interval("created_on", params.get("created_on"))
    if created != Interval():
        yield lambda order: order.created_us in created
    modified = _parse_interval("last_modified", params.get("last_modified"))
    if modified != Interval():
        yield lambda order: order.modified_us in modified


def _destination_ref(request: Mapping[str, Any]) -> Any:
    destination = (request.get("delivery") or {}).get("destination")
    return destination.get("ref") if isinstance(destination, dict) else None


def list_orders(
    book: OrderBook, api_key: str, params: QueryParams, settings: SimulatorSettings, orders_url: str
) -> dict[str, Any]:
    """One page of an account's orders, with a link to the next one if there is one."""
    book.settle()
    query = Query.parse(params, settings)
    found = list(islice(_after_marker(_sorted(book, api_key, query), query), query.page_size + 1))
    page = found[: query.page_size]
    links = {"_self": f"{orders_url}?{params}" if params else orders_url}
    if len(found) > len(page):
        others = [(key, value) for key, value in params.multi_items() if key != "page_marker"]
        links["next"] = f"{orders_url}?{urlencode([*others, ('page_marker', _mark(page[-1], query))])}"
    return {"_links": links, "orders": [order.to_json(orders_url) for order in page]}


def _sorted(book: OrderBook, api_key: str, query: Query) -> Iterator[Order]:
    """The orders that match, lazily when they are wanted in the order in which they are kept."""
    until_us = book.listed_until_us()
    if "name" in query.params:
        candidates = book.named(api_key, query.params["name"])
    elif query.modified.start_us is not None:
        candidates = book.modified_since(api_key, query.modified.start_us)
    else:
        candidates = book.newest_first(api_key)
    visible = (order for order in candidates if order.is_listable and order.created_us <= until_us)
    matching = (order for order in visible if query.matches(order))
    if query.modified.start_us is None and query.sorts == _NEWEST_FIRST:
        return matching
    found = sorted(matching, key=lambda order: order.created_us)
    for field, descending in reversed(query.sorts):
        found.sort(key=_SORTS[field], reverse=descending)
    return iter(found)


def _after_marker(orders: Iterator[Order], query: Query) -> Iterator[Order]:
    """What follows the place that the marker names, also when the order that stood there has moved on."""
    marker = query.params.get("page_marker")
    if not marker:
        return orders
    moment, _, values = marker.partition(" ")
    try:
        created_us, place = parse_time(moment), json.loads(values)
    except ValueError as error:
        raise refuse_generally(f"Bad page_marker '{marker}'") from error
    if not _is_place(place, query):
        raise refuse_generally(f"Bad page_marker '{marker}' for this sort_by")
    return (order for order in orders if _is_behind(order, query, place, created_us))


def _is_place(place: Any, query: Query) -> bool:
    """Does a marker hold a value of the right type for each field that is sorted by?"""
    if not isinstance(place, list) or len(place) != len(query.sorts):
        return False
    types = (str if field in {"name", "state"} else int for field, _ in query.sorts)
    return all(isinstance(value, wanted) for value, wanted in zip(place, types, strict=True))


def _is_behind(order: Order, query: Query, place: list[Any], created_us: int) -> bool:
    for (field, descending), there in zip(query.sorts, place, strict=True):
        value = _SORTS[field](order)
        if value != there:
            return bool(value < there if descending else value > there)
    return order.created_us > created_us


def _mark(order: Order, query: Query) -> str:
    """Where a page ended: the moment of creation, and the values sorted by."""
    return f"{format_time(order.created_us)} {json.dumps([_SORTS[field](order) for field, _ in query.sorts])}"


def _parse_sorts(text: str) -> tuple[tuple[str, bool], ...]:
    """`name`, `name DESC`, or several of them between commas."""
    sorts = []
    for part in text.split(","):
        field, _, direction = part.strip().partition(" ")
        if field not in _SORTS or direction.upper() not in {"", "ASC", "DESC"}:
            raise refuse_generally(f"Bad sort_by '{text}'")
        sorts.append((field, direction.upper() == "DESC"))
    return tuple(sorts)


def _parse_page_size(text: str | None, settings: SimulatorSettings) -> int:
    if text is None:
        return settings.page_size
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise refuse_generally(f"Bad page_size '{text}'")
    return min(int(text), settings.max_page_size)


def _parse_interval(name: str, text: str | None) -> Interval:
    """`a/b`, `a/..`, `../b`, or one instant, which is the microsecond it names."""
    if text is None:
        return Interval()
    start, slash, end = text.partition("/")
    try:
        start_us, end_us = (None if part in {"", ".."} else parse_time(part) for part in (start, end))
    except ValueError as error:
        raise refuse_generally(f"Bad {name} '{text}': not an RFC 3339 instant or interval") from error
    if not slash and start_us is not None:
        return Interval(start_us, start_us + 1)
    return Interval(start_us, end_us)
