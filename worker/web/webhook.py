"""Planet's calls that an order is ready. A call is a hint: which order to read, and nothing else of it is believed."""

from __future__ import annotations

import asyncio
import hmac
import json
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

from jobs.orders import valid_id
from worker.web.asking import AtDesk

_AT_ONCE = 8  # bodies in memory at a time, however many calls come in
_READ_S = 10.0

router = APIRouter(include_in_schema=False)


class Webhook:
    """The fleet's side of Planet's calls: who may make one, and how much of what they send is read.

    Args:
        secret: the last part of the address; without one, no call is taken.
    """

    def __init__(self, secret: SecretStr | None) -> None:
        self._secret = secret.get_secret_value().encode() if secret else b""
        self._reading = asyncio.Semaphore(_AT_ONCE)

    def check(self, secret: str) -> None:
        """Answer 404, as where nothing is, unless this is the secret; the time that takes tells nothing of it."""
        is_ours = hmac.compare_digest(self._secret, secret.encode(errors="replace"))
        if not (is_ours and self._secret):
            raise HTTPException(HTTPStatus.NOT_FOUND)

    async def read(self, request: Request) -> bytes:
        """The body of a call, if it comes soon; memory stays bounded however many calls come."""
        if self._reading.locked():
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls at a time.", {"Retry-After": "10"})
        try:
            async with self._reading, asyncio.timeout(_READ_S):
                return await request.body()
        except TimeoutError as error:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time.") from error
        except ClientDisconnect as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "The body was cut off.") from error


@router.post("/webhooks/planet/{secret}", status_code=HTTPStatus.NO_CONTENT)
async def take_call(request: Request, desk: AtDesk, secret: str) -> None:
    """Have the order that the call names looked at now; one that nobody waits for is passed over."""
    webhook: Webhook = request.app.state.webhook
    webhook.check(secret)
    order_id = _order_id_in(await webhook.read(request))
    if order_id is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body names no order: it is JSON with an `order_id`.")
    await desk.hint_order(order_id)


def _order_id_in(body: bytes) -> str | None:
    """The order's id, in either form of Planet's: with the delivered items, or the whole order."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return valid_id({"id": said["order_id"]} if "order_id" in said else said)
