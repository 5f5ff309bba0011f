"""What every endpoint does before it does its own: who is asking, how often, and what goes wrong on purpose."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from .faults import ANSWERS, ERROR_BODIES, LINKS, Fault, FaultKind
from .orders import Order
from .refusals import Refusal
from .world import World

DATA_PATH = "/data/v1"
RATE_BODY = "max rate reached: retry-in 200ms"


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its handler."""

    world: World
    request: Request
    api_key: str
    body: Any
    faults: Mapping[FaultKind, Fault]

    @property
    def base_url(self) -> str:
        """Where this client reaches us."""
        return str(self.request.base_url).rstrip("/")

    @property
    def orders_url(self) -> str:
        """The address of the orders, as this client would write it."""
        return f"{self.base_url}/compute/ops/orders/v2"

    @property
    def data_url(self) -> str:
        """The address of the Data API, as this client would write it."""
        return f"{self.base_url}{DATA_PATH}"

    @property
    def order(self) -> Order | None:
        """The order that the path names, if it is this account's."""
        return self.world.book.get(self.api_key, self.request.path_params.get("order_id", ""))


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


class Endpoint:
    """ASGI app around one handler: authentication, rate limit, faults, errors, and a note in the journal.

    Args:
        name: What faults and reports call it.
        budget: Which rate limit its requests count against; by default one of its own.
    """

    def __init__(
        self, world: World, name: str, handler: Handler, *, needs_key: bool = True, budget: str | None = None
    ) -> None:
        self._world, self._name, self._handler, self._needs_key = world, name, handler, needs_key
        self._budget = budget or name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        world, name = self._world, self._name
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        api_key = read_key(request) if name not in LINKS else read_account(world, request)
        world.journal.note_request(name, api_key)
        if refusal := self._refuse(api_key):
            await self._answer(refusal, scope, receive, send)
            return
        body = read_json(raw)
        faults = world.faults.take(name, self._name_subjects(request, api_key, body))
        call = Call(world, request, api_key, body, faults)
        reply = await self._handle(call) if is_processed(faults) else None
        if not await answer_fault(world, name, faults, scope, receive, send) and reply is not None:
            await self._answer(reply, scope, receive, send)

    def _refuse(self, api_key: str) -> Response | None:
        world = self._world
        if self._needs_key and api_key not in world.settings.api_keys:
            world.journal.auth_failures += 1
            return JSONResponse({"message": "Please enter your API key.", "errors": []}, 401)
        if not world.limits.admit(self._budget, api_key):
            world.journal.rate_limited += 1
            return describe_rate_limit(world.settings.retry_after_s)
        return None

    async def _handle(self, call: Call) -> Response:
        try:
            return await self._handler(call)
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)

    async def _answer(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self._world.journal.answers[self._name][response.status_code] += 1
        await response(scope, receive, send)

    def _name_subjects(self, request: Request, api_key: str, body: Any) -> tuple[str, ...]:
        """What a fault may call this request: the order's name first, since that is the same in every run."""
        if self._name in LINKS:
            return self._world.name_subjects(self._world.links.read_key(request.query_params.get("token", "")))
        if self._name.startswith("data_") and (subjects := name_data_subjects(self._world, request, api_key)):
            return subjects
        order_id = request.path_params.get("order_id", "")
        if order := self._world.book.get(api_key, order_id):
            return order.name, order_id
        if isinstance(body, dict) and isinstance(body.get("name"), str):
            return (body["name"],)
        return (order_id,)


def name_data_subjects(world: World, request: Request, api_key: str) -> tuple[str, ...]:
    """What a fault may call a request to the Data API: the asset, item or search that its address names, if any."""
    names = request.path_params
    if "token" in names:
        asset = world.shelf.find_by_token(names["token"])
        return asset.subjects if asset else (names["token"],)
    if "item_id" in names:
        return names["item_id"], names["item_type"]
    if "search_id" in names:
        search = world.searches.get(api_key, names["search_id"])
        return (search.name, search.id) if search else (names["search_id"],)
    return ()


def read_key(request: Request) -> str:
    """The API key of a request, in any of the three forms that Planet takes; empty without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "api-key":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return request.query_params.get("api_key", "")


def read_account(world: World, request: Request) -> str:
    """Whose link this is: the token says it, and any key that comes with it is beside the point."""
    return world.links.read_account(request.query_params.get("token", ""))


def read_json(raw: bytes) -> Any:
    """The JSON of a request's body; None when there is none, or when it is not JSON that can be written again."""
    try:
        value = json.loads(raw) if raw else None
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # refuses NaN, infinity and half surrogates
    except (ValueError, RecursionError):
        return None
    return value


def describe_rate_limit(retry_after_s: float | None) -> Response:
    """429, with the header if there is something to say in it."""
    return PlainTextResponse(RATE_BODY, 429, name_delay(retry_after_s))


def name_delay(retry_after_s: float | None) -> dict[str, str]:
    """The Retry-After header, in seconds."""
    return {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}


async def answer_fault(
    world: World, endpoint: str, faults: Mapping[FaultKind, Fault], scope: Scope, receive: Receive, send: Send
) -> bool:
    """Give the answer that a fault puts in place of the true one; False when there is no such fault."""
    if FaultKind.DROP_REQUEST in faults or FaultKind.DROP_REPLY in faults:
        world.journal.answers[endpoint][0] += 1
        await world.wire.reset(scope, receive)
        return True
    if fault := faults.get(FaultKind.TOO_MANY_REQUESTS):
        response = describe_rate_limit(fault.retry_after_s)
    elif fault := faults.get(FaultKind.ERROR):
        response = PlainTextResponse(
            describe_status(fault), fault.status, {**name_delay(fault.retry_after_s), **fault.headers}
        )
    else:
        return False
    world.journal.answers[endpoint][response.status_code] += 1
    await response(scope, receive, send)
    return True


def describe_status(fault: Fault) -> str:
    """The body of an error on purpose: the one asked for, or the one Planet sends with this status."""
    if fault.body is not None:
        return fault.body
    return RATE_BODY if fault.status == 429 else ERROR_BODIES.get(fault.status, "")  # noqa: PLR2004 — too many requests


def is_processed(faults: Mapping[FaultKind, Fault]) -> bool:
    """Does the request take effect, whatever the client gets to see of it?"""
    return all(
        kind not in ANSWERS or kind is FaultKind.DROP_REPLY or (kind is FaultKind.ERROR and fault.after_processing)
        for kind, fault in faults.items()
    )
