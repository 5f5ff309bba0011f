from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from . import api, data_api
from .answers import DATA_PATH, Endpoint, Handler
from .control import list_control_routes
from .links import BUCKET, DATA_DOWNLOAD
from .storage import Storage
from .world import World

ORDERS_PATH = "/compute/ops"
_TICK_S = 0.05  # how late a webhook may be; states themselves are exact whenever someone looks


def make_app(world: World) -> Starlette:
    """The ASGI app that answers for Planet out of `world`."""
    routes = [
        *_list_routes(world),
        *_list_data_routes(world),
        Route(f"{BUCKET}/{{key:path}}", Storage(world)),
        *list_control_routes(world),
        Route("/{path:path}", Endpoint(world, "unknown", api.refuse_unknown)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_keep_settling(world))
        yield
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        await world.webhooks.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _list_routes(world: World) -> list[Route]:
    orders, download = f"{ORDERS_PATH}/orders/v2", f"{ORDERS_PATH}/download"

    def route(method: str, path: str, name: str, handler: Handler, *, needs_key: bool = True) -> Route:
        return Route(path, Endpoint(world, name, handler, needs_key=needs_key), methods=[method])

    return [
        route("POST", "/v0/auth/login", "login", api.log_in, needs_key=False),
        route("POST", "/auth/v1/experimental/public/users/authenticate", "login", api.log_in, needs_key=False),
        route("POST", orders, "create", api.create),
        route("GET", orders, "list", api.show_list),
        route("GET", f"{orders}/{{order_id}}", "get", api.get),
        route("PUT", f"{orders}/{{order_id}}", "cancel", api.cancel),
        route("POST", f"{ORDERS_PATH}/bulk/orders/v2/cancel", "bulk_cancel", api.bulk_cancel),
        route("GET", f"{ORDERS_PATH}/stats/orders/v2", "stats", api.show_stats),
        route("GET", f"{ORDERS_PATH}/bundles/spec", "spec", api.show_spec, needs_key=False),
        route("GET", f"{download}/", "link", api.download, needs_key=False),
        route("GET", download, "link", api.download, needs_key=False),
    ]


def _list_data_routes(world: World) -> list[Route]:
    searches, asset = f"{DATA_PATH}/searches", f"{DATA_PATH}/assets/{{token}}"
    item = f"{DATA_PATH}/item-types/{{item_type}}/items/{{item_id}}"

    def route(method: str, path: str, name: str, handler: Handler, budget: str = "data") -> Route:
        return Route(path, Endpoint(world, name, handler, budget=budget), methods=[method])

    return [
        route("POST", f"{DATA_PATH}/quick-search", "data_search", data_api.quick_search),
        route("GET", f"{searches}/{{search_id}}/results", "data_search", data_api.run_search),
        route("POST", searches, "data_searches", data_api.create_search),
        route("GET", searches, "data_searches", data_api.list_searches),
        route("GET", f"{searches}/{{search_id}}", "data_searches", data_api.get_search),
        route("PUT", f"{searches}/{{search_id}}", "data_searches", data_api.update_search),
        route("DELETE", f"{searches}/{{search_id}}", "data_searches", data_api.delete_search),
        route("POST", f"{DATA_PATH}/stats", "data_stats", data_api.count_items),
        route("GET", item, "data_item", data_api.get_item),
        route("GET", f"{item}/assets", "data_assets", data_api.list_assets),
        route("GET", f"{item}/assets/", "data_assets", data_api.list_assets),
        route("GET", asset, "data_assets", data_api.get_asset),
        route("GET", f"{asset}/activate", "data_activate", data_api.activate, "data_activate"),
        route("POST", f"{asset}/activate", "data_activate", data_api.activate, "data_activate"),
        Route(DATA_DOWNLOAD, Endpoint(world, "data_link", api.download, needs_key=False), methods=["GET"]),
    ]


async def _keep_settling(world: World) -> None:
    """Move orders on while nobody asks, so that webhooks are sent."""
    while True:
        world.book.settle()
        await asyncio.sleep(_TICK_S)
