"""Planet's Auth and Orders endpoints."""

from __future__ import annotations

import re

import jwt
from starlette.responses import JSONResponse, Response

from .answers import Call
from .bundles import load_spec
from .delivery import list_results
from .faults import FaultKind
from .listing import list_orders
from .orders import Order, OrderState
from .refusals import Refusal, check_order, refuse_generally

NOT_CANCELLABLE = "Order not in a cancellable state"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TOKEN_SECRET = "the login token's signature is never checked; its length is what HS256 asks for"  # noqa: S105 — not a secret


async def log_in(call: Call) -> Response:
    """POST /v0/auth/login: a token that holds the account's API key."""
    body = call.body if isinstance(call.body, dict) else {}
    email, password = str(body.get("email", "")), str(body.get("password", ""))
    if not _EMAIL.fullmatch(email):
        message = "error validating request against UserAuthenticationSchema"
        errors = {"email": ["Not a valid email address."]}
        raise Refusal(400, {"errors": errors, "message": message, "status": 400, "success": False})
    for login in call.world.settings.logins:
        if (login.email, login.password) == (email, password):
            api_key = login.api_key or call.world.settings.api_keys[0]
            claims = {"api_key": api_key, "email": email, "user_id": 1}
            return JSONResponse({"token": jwt.encode(claims, _TOKEN_SECRET, algorithm="HS256")})
    call.world.journal.auth_failures += 1
    raise Refusal(401, {"errors": None, "message": "Invalid email or password", "status": 401, "success": False})


async def create(call: Call) -> Response:
    """POST /orders/v2: take an order."""
    world, faults = call.world, call.faults
    left_out = check_order(call.body, world.settings)
    if world.book.active[call.api_key] >= world.settings.max_active_orders:
        raise refuse_generally("MaxConcurrency", 409)
    order = world.book.create(call.api_key, call.base_url, call.body, left_out, faults)
    return JSONResponse(order.to_json(call.orders_url), 202)


async def show_list(call: Call) -> Response:
    """GET /orders/v2: one page of orders, without results."""
    world = call.world
    page = list_orders(world.book, call.api_key, call.request.query_params, world.settings, call.orders_url)
    return JSONResponse(page)


async def get(call: Call) -> Response:
    """GET /orders/v2/{id}: one order, with its results."""
    order, world = _find(call, "Could not load order ID"), call.world
    world.journal.reads[order.id] += 1
    shown = order.to_json(call.orders_url)
    if order.state is not OrderState.QUEUED:
        shown["_links"]["results"] = list_results(
            order, world.links, world.settings, call.base_url, world.clock.now_us()
        )
    return JSONResponse(shown)


async def cancel(call: Call) -> Response:
    """PUT /orders/v2/{id}: cancel a queued order."""
    order = _find(call, "No such order ID")
    if not call.world.book.cancel(order):
        raise Refusal(409, {"message": NOT_CANCELLABLE})
    return JSONResponse(order.to_json(call.orders_url))


async def bulk_cancel(call: Call) -> Response:
    """POST /bulk/orders/v2/cancel: cancel the orders named, or all that are still queued."""
    book, body = call.world.book, call.body if isinstance(call.body, dict) else {}
    order_ids = body.get("order_ids") or []
    if not isinstance(order_ids, list):
        raise refuse_generally("order_ids must be a list")
    if not order_ids:
        queued = [order for order in book.newest_first(call.api_key) if order.state is OrderState.QUEUED]
        results = [(order.id, book.cancel(order)) for order in queued]
    else:
        found = [(str(order_id), book.get(call.api_key, str(order_id))) for order_id in order_ids]
        results = [(order_id, order is not None and book.cancel(order)) for order_id, order in found]
    failures = [{"message": NOT_CANCELLABLE, "order_id": order_id} for order_id, done in results if not done]
    failed = {"count": len(failures), "failures": failures}
    return JSONResponse({"result": {"failed": failed, "succeeded": {"count": len(results) - len(failures)}}})


async def show_stats(call: Call) -> Response:
    """GET /stats/orders/v2: how many orders are queued and running, for the organisation and for this account."""
    book = call.world.book

    def count(orders: list[Order]) -> dict[str, int]:
        states = [order.state for order in orders]
        return {"queued_orders": states.count(OrderState.QUEUED), "running_orders": states.count(OrderState.RUNNING)}

    everyone = list(book.all())
    mine = [order for order in everyone if order.api_key == call.api_key]
    return JSONResponse({"organization": count(everyone), "user": count(mine)})


async def show_spec(call: Call) -> Response:  # noqa: ARG001 — every handler takes the call
    """GET /bundles/spec: the product bundles, for anybody."""
    return JSONResponse(load_spec())


async def download(call: Call) -> Response:
    """GET /download/?token=…: a redirect to the storage; the token is all that is needed."""
    settings = call.world.settings
    expired = Response(status_code=settings.expired_link_status)
    if FaultKind.EXPIRED_LINK in call.faults:
        return expired
    if fault := call.faults.get(FaultKind.MISDIRECT):
        return Response(status_code=302, headers={"Location": fault.location})
    try:
        url = call.world.links.read_token(call.request.query_params.get("token", ""))
    except PermissionError:
        return expired
    except (ValueError, KeyError):
        return Response(status_code=404)
    return Response(status_code=302, headers={"Location": url})


async def refuse_unknown(call: Call) -> Response:
    """Any other address."""
    raise Refusal(404, {"message": f"Not found: {call.request.url.path}"})


def _find(call: Call, message: str) -> Order:
    order = call.order
    if order is None:
        raise Refusal(404, {"message": f"{message}: {call.request.path_params['order_id']}."})
    return order
