"""Planet's Data API: searches, statistics, items, and their assets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse, Response

from .answers import Call
from .assets import Asset, AssetStatus, describe_asset
from .clock import as_datetime
from .items import Item
from .refusals import Refusal, refuse_field
from .searches import PageQuery, Search, check_search, find_page, read_page_size, show_page

_FLOORS: Mapping[str, Callable[[datetime], datetime]] = MappingProxyType(
    {
        "hour": lambda moment: moment.replace(minute=0),
        "day": lambda moment: moment.replace(hour=0, minute=0),
        "week": lambda moment: moment.replace(hour=0, minute=0) - timedelta(days=moment.weekday()),
        "month": lambda moment: moment.replace(day=1, hour=0, minute=0),
        "year": lambda moment: moment.replace(month=1, day=1, hour=0, minute=0),
    }
)


async def quick_search(call: Call) -> Response:
    """POST /quick-search: the first page of what is found; the search is kept for its other pages."""
    check_search(call.body, needs_name=False)
    query = PageQuery.parse(call.request.query_params)
    search = call.world.searches.create(call.api_key, call.body, is_quick=True)
    return await _show_results(call, search, query)


async def create_search(call: Call) -> Response:
    """POST /searches: keep a search."""
    check_search(call.body, needs_name=True)
    search = call.world.searches.create(call.api_key, call.body, is_quick=False)
    return JSONResponse(search.to_json(call.data_url))


async def update_search(call: Call) -> Response:
    """PUT /searches/{id}: replace a search."""
    search = _find_search(call)
    check_search(call.body, needs_name=True)
    call.world.searches.update(search, call.body)
    return JSONResponse(search.to_json(call.data_url))


async def get_search(call: Call) -> Response:
    """GET /searches/{id}."""
    return JSONResponse(_find_search(call).to_json(call.data_url))


async def delete_search(call: Call) -> Response:
    """DELETE /searches/{id}: 204."""
    call.world.searches.delete(_find_search(call))
    return Response(status_code=204)


async def list_searches(call: Call) -> Response:
    """GET /searches: a page of the account's searches."""
    params = call.request.query_params
    sort, kind = params.get("_sort", "created desc").lower(), params.get("search_type", "any").lower()
    if sort not in {"created desc", "created asc"}:
        raise refuse_field("_sort", f"Bad sort '{sort}'")
    if kind not in {"any", "saved", "quick"}:
        raise refuse_field("search_type", f"Bad search type '{kind}'")
    searches = call.world.searches.newest_first(call.api_key)
    found = [search for search in searches if kind == "any" or search.is_quick == (kind == "quick")]
    is_descending = sort == "created desc"
    return JSONResponse(_page_searches(call, found if is_descending else found[::-1], is_descending=is_descending))


async def run_search(call: Call) -> Response:
    """GET /searches/{id}/results: a page of what a search finds."""
    return await _show_results(call, _find_search(call), PageQuery.parse(call.request.query_params))


async def count_items(call: Call) -> Response:
    """POST /stats: how many items were acquired in each interval that has any."""
    wanted = check_search(call.body, needs_name=False)
    interval = call.body.get("interval")
    floor = _FLOORS.get(interval) if isinstance(interval, str) else None
    if floor is None:
        raise refuse_field("interval", f"'{interval}' is none of {', '.join(_FLOORS)}")
    found = await asyncio.to_thread(call.world.catalogue.search, call.body["item_types"], wanted)
    starts = Counter(
        floor(as_datetime(item.known.acquired_us).replace(second=0, microsecond=0).astimezone(UTC)) for item in found
    )
    buckets = [{"count": starts[start], "start_time": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}"} for start in sorted(starts)]
    return JSONResponse({"buckets": buckets, "interval": interval, "utc_offset": "+0h"})


async def get_item(call: Call) -> Response:
    """GET /item-types/{type}/items/{id}."""
    return JSONResponse(_find_item(call).to_json(call.data_url))


async def list_assets(call: Call) -> Response:
    """GET /item-types/{type}/items/{id}/assets: all assets of an item, by type."""
    item = _find_item(call)
    return JSONResponse({asset_type: await _show_asset(call, Asset(item, asset_type)) for asset_type in item.assets})


async def get_asset(call: Call) -> Response:
    """GET /assets/{token}: one asset; while it is active with a fresh link."""
    return JSONResponse(await _show_asset(call, _find_asset(call)))


async def activate(call: Call) -> Response:
    """GET or POST /assets/{token}/activate: 202, or 204 when it is active, or 401 without permission."""
    asset, shelf = _find_asset(call), call.world.shelf
    if not asset.item.is_permitted:
        raise Refusal(401, {"field": None, "general": [{"message": "No permission to activate this asset."}]})
    if shelf.status(call.api_key, asset) is AssetStatus.ACTIVE and not shelf.is_stale(asset.key):
        return Response(status_code=204)
    shelf.activate(call.api_key, asset, call.faults.keys())
    return Response(status_code=202)


async def _show_results(call: Call, search: Search, query: PageQuery) -> Response:
    world, request = call.world, search.request
    wanted = check_search(request, needs_name=False)
    search.executed_us = world.clock.now_us()
    found = await asyncio.to_thread(find_page, world.catalogue, request["item_types"], wanted, query)
    results_url = f"{call.data_url}/searches/{search.id}/results"
    marker = call.request.query_params.get("_page", "")
    return JSONResponse(show_page(found, query, results_url, call.data_url, marker))


def _page_searches(call: Call, found: list[Search], *, is_descending: bool) -> dict[str, Any]:
    """The page that the URL asks for; its marker is the number of the last search of the page before."""
    params, size = call.request.query_params, read_page_size(call.request.query_params)
    after = params.get("_page", "")
    if after and not (after.isascii() and after.isdecimal()):
        raise refuse_field("_page", f"Bad page '{after}'")
    if after:
        number = int(after[:18])
        found = [s for s in found if (s.number < number if is_descending else s.number > number)]
    links = {"_self": str(call.request.url)}
    if len(found) > size:
        links["_next"] = str(call.request.url.include_query_params(_page=found[size - 1].number))
    return {"_links": links, "searches": [search.to_json(call.data_url) for search in found[:size]]}


async def _show_asset(call: Call, asset: Asset) -> dict[str, Any]:
    world = call.world
    status = world.shelf.status(call.api_key, asset)
    shown = describe_asset(asset, status, call.data_url)
    if status is AssetStatus.ACTIVE and asset.item.is_permitted:
        digests = await asyncio.to_thread(world.library.digest, asset.file)
        link = world.link(asset.key, call.base_url, call.api_key)
        shown |= {"expires_at": link.expires_at, "location": link.location, "md5_digest": digests.md5}
    return shown


def _find_search(call: Call) -> Search:
    search_id = call.request.path_params["search_id"]
    search = call.world.searches.get(call.api_key, search_id)
    if search is None:
        raise _refuse_missing(f"The requested search id does not exist: {search_id}")
    return search


def _find_item(call: Call) -> Item:
    names = call.request.path_params
    item = call.world.catalogue.get(names["item_type"], names["item_id"])
    if item is None:
        raise _refuse_missing(f"The requested item does not exist: {names['item_type']}/{names['item_id']}")
    return item


def _find_asset(call: Call) -> Asset:
    asset = call.world.shelf.find_by_token(call.request.path_params["token"])
    if asset is None:
        raise _refuse_missing("The requested asset does not exist")
    return asset


def _refuse_missing(message: str) -> Refusal:
    return Refusal(404, {"field": None, "general": [{"message": message}]})
