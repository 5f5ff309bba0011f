"""The list of orders: filters, sorting and pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from .book import OrderBook
from .clock import format_time, parse_time
from .orders import Order, OrderState
from .refusals import refuse_generally

MAX_PAGE_SIZE = 500
_SORTS: Mapping[str, Callable[[Order], Any]] = {
    "name": lambda order: order.name,
    "created_on": lambda order: order.created_us,
    "state": lambda order: order.state.value,
    "last_modified": lambda order: order.modified_us,
}


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
    states: frozenset[str]
    sources: frozenset[str]
    created: Interval
    modified: Interval
    sort: str
    descending: bool

    @classmethod
    def parse(cls, params: QueryParams, default_page_size: int) -> Query:
        """The query of a URL; Refusal when Planet would not understand it."""
        field, _, direction = params.get("sort_by", "created_on DESC").strip().partition(" ")
        states = frozenset(params.getlist("state"))
        sources = {source for entry in params.getlist("source_type") for source in entry.split(",")}
        if field not in _SORTS or direction.upper() not in {"", "ASC", "DESC"}:
            raise refuse_generally(f"Bad sort_by '{params['sort_by']}'")
        if unknown := states - set(OrderState):
            raise refuse_generally(f"Bad state '{min(unknown)}'")
        return cls(
            params=params,
            page_size=_parse_page_size(params.get("page_size"), default_page_size),
            states=states,
            sources=frozenset(sources or {"scenes"}),
            created=_parse_interval("created_on", params.get("created_on")),
            modified=_parse_interval("last_modified", params.get("last_modified")),
            sort=field,
            descending=direction.upper() == "DESC",
        )

    def matches(self, order: Order) -> bool:
        """Is this order one of those that were asked for?"""
        params = self.params
        return (
            (not self.states or order.state in self.states)
            and ("all" in self.sources or order.source_type in self.sources)
            and ("name" not in params or order.name == params["name"])
            and ("name__contains" not in params or params["name__contains"] in order.name)
            and order.created_us in self.created
            and order.modified_us in self.modified
            and ("hosting" not in params or bool(order.request.get("hosting")) == _is_true(params["hosting"]))
        )


def list_orders(book: OrderBook, api_key: str, params: QueryParams, page_size: int, orders_url: str) -> dict[str, Any]:
    """One page of an account's orders, with a link to the next one if there is one."""
    book.settle()
    query = Query.parse(params, page_size)
    found = list(islice(_after_marker(_sorted(book, api_key, query), query), query.page_size + 1))
    page = found[: query.page_size]
    links = {"_self": f"{orders_url}?{params}" if params else orders_url}
    if len(found) > len(page):
        others = [(key, value) for key, value in params.multi_items() if key != "page_marker"]
        links["next"] = f"{orders_url}?{urlencode([*others, ('page_marker', _mark(page[-1], query))])}"
    return {"_links": links, "orders": [order.to_json(orders_url) for order in page]}


def _sorted(book: OrderBook, api_key: str, query: Query) -> Iterator[Order]:
    """The orders that match, lazily when they are wanted in the order in which they are kept."""
    if "name" in query.params:
        candidates = book.named(api_key, query.params["name"])
    elif query.modified.start_us is not None:
        candidates = book.modified_since(api_key, query.modified.start_us)
    else:
        candidates = book.newest_first(api_key)
        if (query.sort, query.descending) == ("created_on", True):
            return (order for order in candidates if book.is_listed(order) and query.matches(order))
    found = sorted((order for order in candidates if book.is_listed(order) and query.matches(order)), key=_created)
    found.sort(key=_SORTS[query.sort], reverse=query.descending)
    return iter(found)


def _after_marker(orders: Iterator[Order], query: Query) -> Iterator[Order]:
    """What follows the place that the marker names, also when the order that stood there has moved on."""
    marker = query.params.get("page_marker")
    if not marker:
        return orders
    moment, _, value = marker.partition(" ")
    try:
        created_us, place = parse_time(moment), json.loads(value) if value else parse_time(moment)
    except ValueError as error:
        raise refuse_generally(f"Bad page_marker '{marker}'") from error
    return (order for order in orders if _is_behind(order, query, place, created_us))


def _is_behind(order: Order, query: Query, place: Any, created_us: int) -> bool:
    value = _SORTS[query.sort](order)
    if value == place:
        return order.created_us > created_us
    return bool(value < place if query.descending else value > place)


def _mark(order: Order, query: Query) -> str:
    """Where a page ended: the moment of creation, with the value sorted by where that is another one."""
    moment = format_time(order.created_us)
    return moment if query.sort == "created_on" else f"{moment} {json.dumps(_SORTS[query.sort](order))}"


def _created(order: Order) -> int:
    return order.created_us


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _parse_page_size(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise refuse_generally(f"Bad page_size '{text}'")
    return min(int(text), MAX_PAGE_SIZE)


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
