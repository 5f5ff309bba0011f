"""Searches that are kept, and the pages of what they find."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from .catalogue import Catalogue
from .clock import MICROSECONDS, Clock, format_time
from .filters import Filter, read_filter, read_geometry
from .items import Item, list_item_types
from .refusals import refuse_field

MAX_PAGE_SIZE = 250
_QUICK_SEARCH_LIFE_US = 30 * 86_400 * MICROSECONDS
_SORTS: Mapping[str, Callable[[Item], int]] = MappingProxyType(
    {"published": lambda item: item.published_us, "acquired": lambda item: item.known.acquired_us}
)


@dataclass(slots=True, eq=False)
class Search:
    """One search of one account; a quick one was never named to be kept."""

    id: str
    number: int
    """Counts up with each search that is created."""
    api_key: str
    is_quick: bool
    request: Mapping[str, Any]
    created_us: int
    updated_us: int
    executed_us: int | None = None

    @property
    def name(self) -> str:
        """As the request names it; quick searches need no name."""
        return str(self.request.get("name") or "")

    def to_json(self, data_url: str) -> dict[str, Any]:
        """The search object, as Planet shows it."""
        own_url = f"{data_url}/searches/{self.id}"
        geometry = {"geometry": self.request["geometry"]} if self.request.get("geometry") else {}
        return {
            "__daily_email_enabled": bool(self.request.get("__daily_email_enabled")),
            "_links": {"_self": own_url, "results": f"{own_url}/results", "thumbnail": f"{own_url}/thumb"},
            "created": format_time(self.created_us),
            "filter": self.request["filter"],
            "id": self.id,
            "item_types": self.request["item_types"],
            "last_executed": None if self.executed_us is None else format_time(self.executed_us),
            "name": self.name or self.id,
            "search_type": "quick" if self.is_quick else "saved",
            "updated": format_time(self.updated_us),
            **geometry,
        }


class SearchBook:
    """All searches of all accounts; quick ones are forgotten after a month."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._searches: dict[str, Search] = {}
        self._numbers = count(1)

    def create(self, api_key: str, request: Mapping[str, Any], *, is_quick: bool) -> Search:
        """Keep a search whose request has been checked."""
        now_us = self._clock.now_us()
        search = Search(uuid.uuid4().hex, next(self._numbers), api_key, is_quick, request, now_us, now_us)
        self._searches[search.id] = search
        return search

    def get(self, api_key: str, search_id: str) -> Search | None:
        """This account's search; another account's does not exist. Dashes in the id do not matter."""
        search = self._searches.get(search_id.replace("-", "").lower())
        return search if search is not None and search.api_key == api_key and self._is_kept(search) else None

    def update(self, search: Search, request: Mapping[str, Any]) -> None:
        """Let the search be what this request says."""
        search.request, search.is_quick, search.updated_us = request, False, self._clock.now_us()

    def delete(self, search: Search) -> None:
        """Forget the search."""
        del self._searches[search.id]

    def newest_first(self, api_key: str) -> Iterator[Search]:
        """The account's searches by time of creation."""
        return (s for s in reversed(self._searches.values()) if s.api_key == api_key and self._is_kept(s))

    def _is_kept(self, search: Search) -> bool:
        return not search.is_quick or self._clock.now_us() < search.created_us + _QUICK_SEARCH_LIFE_US


def check_search(request: Any, *, needs_name: bool) -> Filter:
    """What a search's request asks for; Refusal when Planet would not take it."""
    if not isinstance(request, dict):
        raise refuse_field("", "The request body must be a JSON object")
    name = request.get("name")
    if not isinstance(name, str | None) or (needs_name and not name):
        raise refuse_field("name", "A name is required")
    check_item_types(request.get("item_types"))
    wanted = read_filter(request.get("filter"))
    if not request.get("geometry"):
        return wanted
    area = read_geometry(request["geometry"], "geometry")
    return Filter(lambda item: area.matches(item) and wanted.matches(item), area.scope & wanted.scope)


def check_item_types(item_types: Any) -> None:
    """Let pass a list of item types that exist."""
    if not isinstance(item_types, list) or not item_types:
        raise refuse_field("item_types", "One or more item types are required")
    for item_type in item_types:
        if not isinstance(item_type, str) or item_type not in list_item_types():
            raise refuse_field("item_types", f"'{item_type}' is not an item type")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of which results a URL asks for."""

    sort: str
    descending: bool
    size: int
    after: tuple[int, str] | None
    """Sort value and id of the last item of the page before."""

    @classmethod
    def parse(cls, params: QueryParams) -> PageQuery:
        """The query of a URL; Refusal when Planet would not understand it."""
        sort, _, direction = params.get("_sort", "published desc").lower().partition(" ")
        if sort not in _SORTS or direction not in {"asc", "desc"}:
            raise refuse_field("_sort", f"Bad sort '{params['_sort']}'")
        return cls(sort, direction == "desc", read_page_size(params), _read_marker(params.get("_page")))


def find_page(catalogue: Catalogue, item_types: list[str], wanted: Filter, query: PageQuery) -> list[Item]:
    """The items of a page, and one more if another page follows."""
    value_of = _SORTS[query.sort]
    found = [((value_of(item), item.id), item) for item in catalogue.search(item_types, wanted)]
    if query.after is not None:
        after = query.after
        found = [entry for entry in found if (entry[0] < after if query.descending else entry[0] > after)]
    found.sort(key=lambda entry: entry[0], reverse=query.descending)
    return [item for _, item in found[: query.size + 1]]


def show_page(found: list[Item], query: PageQuery, results_url: str, data_url: str, marker: str) -> dict[str, Any]:
    """The FeatureCollection of a page, with links to itself, the first and the next page."""
    page = found[: query.size]
    kept = {"_sort": f"{query.sort} {'desc' if query.descending else 'asc'}", "_page_size": query.size}
    first = f"{results_url}?{urlencode(kept)}"
    links = {"_first": first, "_self": f"{first}&{urlencode({'_page': marker})}" if marker else first}
    if len(found) > query.size:
        links["_next"] = f"{first}&{urlencode({'_page': _write_marker(page[-1], query)})}"
    return {"_links": links, "features": [item.to_json(data_url) for item in page], "type": "FeatureCollection"}


def read_page_size(params: QueryParams) -> int:
    """The `_page_size` of a URL, 250 at most."""
    text = params.get("_page_size", str(MAX_PAGE_SIZE))
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise refuse_field("_page_size", f"Bad page size '{text}'")
    return min(int(text[:9]), MAX_PAGE_SIZE)


def _write_marker(item: Item, query: PageQuery) -> str:
    place = json.dumps([_SORTS[query.sort](item), item.id])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_marker(text: str | None) -> tuple[int, str] | None:
    if not text:
        return None
    try:
        value, item_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise refuse_field("_page", f"Bad page '{text}'") from error
    if not isinstance(value, int) or not isinstance(item_id, str):
        raise refuse_field("_page", f"Bad page '{text}'")
    return value, item_id
