"""The simulator's own endpoints, for processes that are not the one it runs in. No key is asked for.

POST   /_simulator/faults               one or a list of the fields of Fault: `{"kind": "cut_body", "subject": "*.tif"}`
GET    /_simulator/faults               the faults that wait
DELETE /_simulator/faults               no more faults, waiting or planned
PUT    /_simulator/plan                 the fault plan: `{"seed": 1, "rates": {"error": 0.05}, "at_most": 2}`
GET    /_simulator/report               what was seen: the fields of Report
PUT    /_simulator/orders/{id}/state    `{"state": "failed", "error_hints": ["…"]}`: moves an order at once
POST   /_simulator/advance              `{"seconds": 86400}`: lets time pass
POST   /_simulator/links/expire         every link given out so far has expired
POST   /_simulator/reset                begins anew
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .answers import read_json
from .faults import Fault, FaultPlan
from .orders import OrderState
from .world import World

PREFIX = "/_simulator"
Action = Callable[[Request, World], Awaitable[object]]


def list_control_routes(world: World) -> list[Route]:
    """The routes of this module, for one simulator."""
    actions: list[tuple[str, str, Action]] = [
        ("POST", "/faults", _add_faults),
        ("GET", "/faults", _list_faults),
        ("DELETE", "/faults", _clear_faults),
        ("PUT", "/plan", _set_plan),
        ("GET", "/report", _report),
        ("PUT", "/orders/{order_id}/state", _move_order),
        ("POST", "/advance", _advance),
        ("POST", "/links/expire", _expire_links),
        ("POST", "/reset", _reset),
    ]
    return [Route(f"{PREFIX}{path}", _guard(action, world), methods=[method]) for method, path, action in actions]


def _guard(action: Action, world: World) -> Callable[[Request], Awaitable[Response]]:
    """The action as an endpoint: what it returns is the answer, and a mistake in the request is a 400 that names it."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await action(request, world))
        except KeyError as error:
            return JSONResponse({"message": f"missing or unknown: {error}"}, 400)
        except (ArithmeticError, TypeError, ValueError) as error:
            return JSONResponse({"message": str(error)}, 400)

    return answer


async def _add_faults(request: Request, world: World) -> object:
    body = read_json(await request.body())
    faults = [Fault.from_json(entry) for entry in (body if isinstance(body, list) else [body])]
    for fault in faults:
        world.faults.add(fault)
    return {"waiting": len(world.faults.waiting)}


async def _list_faults(_: Request, world: World) -> object:
    return [fault.to_json() for fault in world.faults.waiting]


async def _clear_faults(_: Request, world: World) -> object:
    world.faults.clear()
    return {"waiting": 0}


async def _set_plan(request: Request, world: World) -> object:
    world.faults.plan = FaultPlan.from_json(read_json(await request.body()))
    return {"rates": dict(world.faults.plan.rates)}


async def _report(_: Request, world: World) -> object:
    return world.report().to_json()


async def _move_order(request: Request, world: World) -> object:
    body = read_json(await request.body())
    order = world.book.find(request.path_params["order_id"])
    if order is None:
        raise KeyError(request.path_params["order_id"])
    world.book.finish(order, OrderState(body["state"]), body.get("error_hints", ()))
    return {"id": order.id, "state": order.state.value}


async def _advance(request: Request, world: World) -> object:
    world.advance(float(read_json(await request.body())["seconds"]))
    return {"now": world.clock.now_s()}


async def _expire_links(_: Request, world: World) -> object:
    world.links.expire_all()
    return {}


async def _reset(_: Request, world: World) -> object:
    world.reset()
    return {}
