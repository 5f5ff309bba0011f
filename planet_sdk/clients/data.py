"""Planet's Data API: search the catalogue; single assets come from the client's other half, AssetsClient."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from planet_sdk.clients.assets import WAIT_DELAY, WAIT_MAX_ATTEMPTS, AssetsClient
from planet_sdk.clients.data_terms import (
    LIST_SEARCH_TYPE,
    LIST_SEARCH_TYPE_DEFAULT,
    LIST_SORT_DEFAULT,
    LIST_SORT_ORDER,
    SEARCH_SORT,
    SEARCH_SORT_DEFAULT,
    STATS_INTERVAL,
    Items,
    Searches,
    check_search_id,
    item_types_of,
    one_of,
    saved_search,
    segment,
    sort_of,
    unless_default,
)
from planet_sdk.data_filter import empty_filter
from planet_sdk.geojson import as_geom_or_ref
from planet_sdk.limits import RequestKind
from planet_sdk.models import Response, object_of

__all__ = [
    "LIST_SEARCH_TYPE",
    "LIST_SEARCH_TYPE_DEFAULT",
    "LIST_SORT_DEFAULT",
    "LIST_SORT_ORDER",
    "SEARCH_SORT",
    "SEARCH_SORT_DEFAULT",
    "STATS_INTERVAL",
    "WAIT_DELAY",
    "WAIT_MAX_ATTEMPTS",
    "DataClient",
    "Items",
    "Searches",
]


class DataClient(AssetsClient):
    """Everything that can be done with items, searches and assets; needs an open Session.

    Args:
        session: sends the requests.
        base_url: of the Data API, which gets the Session's credentials; by default that of the Session's Planet.
        sleep: waits between two polls for an asset.
        clock: says how long a poll took, in seconds.
    """

    async def search(
        self,
        item_types: list[str],
        search_filter: dict[str, Any] | None = None,
        name: str | None = None,
        sort: str | None = None,
        limit: int = 100,
        geometry: dict[str, Any] | str | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items that are found, as GeoJSON Features; asks for the next page only when it is needed.

        Planet keeps it as a quick search for about a month. It changes nothing else, so it is repeated as a GET is.

        Args:
            item_types: where to search.
            search_filter: see `planet_sdk.data_filter`; by default everything is found.
            name: of the search; by default its id.
            sort: one of SEARCH_SORT, in any capitals.
            limit: yield no more than this; 0 for all.
            geometry: items that intersect it: GeoJSON, or a reference to a feature.

        Raises:
            SpecificationException: Planet has no such item type.
            ClientError: the sort is none, or the geometry makes no sense; nothing was sent.
            PagingError: a page names itself as the next one.
            APIError: Planet's error.
        """
        question: dict[str, Any] = {"filter": search_filter or empty_filter(), "item_types": item_types_of(item_types)}
        if geometry:
            question["geometry"] = as_geom_or_ref(geometry)
        if name:
            question["name"] = name
        first = await self._ask("quick-search", question, sort_of(sort))
        async for item in Items(first, self._request, limit=limit):
            yield item

    async def create_search(
        self,
        item_types: list[str],
        search_filter: dict[str, Any],
        name: str,
        enable_email: bool = False,
        geometry: dict[str, Any] | str | None = None,
    ) -> dict[str, Any]:
        """Save a search, and return it.

        Not idempotent: where the answer is lost, RequestError says whether the search may have been saved.

        Args:
            item_types: where to search.
            search_filter: see `planet_sdk.data_filter`; `empty_filter()` finds everything.
            name: need not be unique.
            enable_email: Planet sends a mail on each day that brings new results.
            geometry: items that intersect it: GeoJSON, or a reference to a feature.

        Raises:
            SpecificationException: Planet has no such item type.
            GeoJSONError, FeatureError: the geometry makes no sense.
            APIError, RequestError: as `Session.request`.
        """
        search = saved_search(item_types, search_filter, name, enable_email, geometry)
        return object_of(await self._request("POST", self._search_url(), json=search))

    async def update_search(
        self,
        search_id: str,
        item_types: list[str],
        search_filter: dict[str, Any],
        name: str,
        enable_email: bool = False,
        geometry: dict[str, Any] | str | None = None,
    ) -> dict[str, Any]:
        """Replace a saved search by another, and return it; arguments and errors are those of `create_search`.

        Idempotent: may be called again when an answer was lost.
        """
        search = saved_search(item_types, search_filter, name, enable_email, geometry)
        return object_of(await self._request("PUT", self._search_url(search_id), json=search))

    async def list_searches(
        self, sort: str = LIST_SORT_DEFAULT, search_type: str = LIST_SEARCH_TYPE_DEFAULT, limit: int = 100
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the user's searches; asks for the next page only when it is needed.

        Args:
            sort: one of LIST_SORT_ORDER, in any capitals.
            search_type: one of LIST_SEARCH_TYPE, in any capitals.
            limit: yield no more than this; 0 for all.

        Raises:
            ClientError: sort or type is none; nothing was sent.
            PagingError: a page names itself as the next one.
            APIError: Planet's error.
        """
        params = {
            **unless_default("_sort", one_of(sort, LIST_SORT_ORDER, "sort"), LIST_SORT_DEFAULT),
            **unless_default(
                "search_type", one_of(search_type, LIST_SEARCH_TYPE, "search_type"), LIST_SEARCH_TYPE_DEFAULT
            ),
        }
        first = await self._request("GET", self._search_url(), params=params)
        async for search in Searches(first, self._request, limit=limit):
            yield search

    async def delete_search(self, search_id: str) -> None:
        """Delete a saved search; MissingResource, if there is none."""
        await self._request("DELETE", self._search_url(search_id))

    async def get_search(self, search_id: str) -> dict[str, Any]:
        """Return a search; MissingResource, if there is none."""
        return object_of(await self._request("GET", self._search_url(search_id)))

    async def run_search(
        self, search_id: str, sort: str | None = None, limit: int = 100
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items that a saved search finds now; asks for the next page only when it is needed.

        Args:
            search_id: the search.
            sort: one of SEARCH_SORT, in any capitals.
            limit: yield no more than this; 0 for all.

        Raises:
            ClientError: the id is no UUID, or the sort is none; nothing was sent.
            PagingError: a page names itself as the next one.
            APIError: Planet's error.
        """
        url = f"{self._search_url(check_search_id(search_id))}/results"
        first = await self._request("GET", url, params=sort_of(sort))
        async for item in Items(first, self._request, limit=limit):
            yield item

    async def get_stats(self, item_types: list[str], search_filter: dict[str, Any], interval: str) -> dict[str, Any]:
        """Return how many items a search finds in each interval of time, oldest first, as `buckets`.

        Args:
            item_types: where to search.
            search_filter: see `planet_sdk.data_filter`.
            interval: one of STATS_INTERVAL, in any capitals.

        Raises:
            SpecificationException: Planet has no such item type.
            ClientError: the interval is none; nothing was sent.
            APIError: Planet's error.
        """
        question = {
            "interval": one_of(interval, STATS_INTERVAL, "interval"),
            "filter": search_filter,
            "item_types": item_types_of(item_types),
        }
        return object_of(await self._ask("stats", question))

    async def _ask(self, path: str, question: Any, params: Mapping[str, str] | None = None) -> Response:
        """Send a POST that changes nothing at Planet, and so is repeated wherever a GET is."""
        url = f"{self._base_url}/{path}"
        return await self.session.request("POST", url, question, params, kind=RequestKind.DATA, changes_nothing=True)

    async def get_item(self, item_type_id: str, item_id: str) -> dict[str, Any]:
        """Return an item as a GeoJSON Feature; MissingResource, if there is none."""
        return object_of(await self._request("GET", self._item_url(item_type_id, item_id)))

    def _search_url(self, search_id: str | None = None) -> str:
        searches = f"{self._base_url}/searches"
        return searches if search_id is None else f"{searches}/{segment(search_id, 'search id')}"
