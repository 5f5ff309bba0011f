"""One request's way to its answer: redirects, and how much of an answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import httpx

from planet_sdk.answers import error_for
from planet_sdk.exceptions import APIError, PlanetError, UnsafeLink
from planet_sdk.limits import RequestKind, Turn
from planet_sdk.models import StreamingResponse
from planet_sdk.redaction import without_secrets
from planet_sdk.retry import SAFE_METHODS
from planet_sdk.trust import Origin, Watch

MAX_REDIRECTS = 10
MAX_ERROR_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
REDIRECT_BODY_S = 1.0  # a new connection costs less than a longer wait
ERROR_BODY_S = 10.0  # the status is known by then; its text is not worth a longer wait

_KEEPS_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})


BeforeSending = Callable[[], Awaitable[None]]
"""Awaited each time before a request's first byte is sent, its turn and its connection being there; if it raises,
nothing is sent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is to be sent."""

    method: str
    url: str
    kind: RequestKind
    json: Any = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    before_sending: BeforeSending | None = None

    def __repr__(self) -> str:
        return f"{self.method} {without_secrets(self.url)}"

    def traced(self, watch: Watch, turn: Turn | None) -> Watch:
        """Return an httpcore trace that watches, and sees the request off once there is nothing left to wait for.

        Then `before_sending` is awaited, and the turn has departed.
        """

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            await watch(event, info)
            if event == "http11.send_request_headers.started":
                if self.before_sending is not None:
                    await self.before_sending()
                if turn is not None:
                    turn.departed()

        return trace


def redirected(call: Call, answer: httpx.Response) -> Call:
    """Return the call that the redirect asks for; whether it may be sent is for `Trust` to say.

    A redirect is followed for GET and HEAD; for other methods only within the origin and where it keeps the method,
    since a POST that silently becomes a GET looks like success, and a body is nobody else's business.

    Args:
        call: what was redirected.
        answer: the redirect.

    Raises:
        APIError, UnsafeLink: it is not followed.
    """
    where = answer.headers["location"]
    try:
        url = str(answer.request.url.join(where))
    except (httpx.InvalidURL, ValueError) as error:
        raise UnsafeLink(where, "it is no address") from error
    stays = answer.status_code in _KEEPS_METHOD and Origin.of(call.url) == Origin.of(url)
    if call.method not in SAFE_METHODS and not stays:
        raise APIError(
            f"{call!r} was redirected to {without_secrets(url)}, which is followed for GET only",
            status=answer.status_code,
            headers=answer.headers,
        )
    return replace(call, url=url, params=None)


async def refusal(answer: httpx.Response) -> APIError:
    """Return the exception for an answer that is not a success, with as much of its body as comes soon."""
    body = bytearray()
    with suppress(PlanetError, TimeoutError):  # the status says enough
        async with asyncio.timeout(ERROR_BODY_S):
            await read_at_most(StreamingResponse(answer).aiter_bytes(), MAX_ERROR_BYTES, into=body)
    return error_for(answer.status_code, answer.headers, body.decode(errors="replace"))


async def read_at_most(chunks: AsyncGenerator[bytes, None], limit_bytes: int, into: bytearray | None = None) -> bytes:
    """Return the body, cut off at the limit.

    Args:
        chunks: the body.
        limit_bytes: the most to take.
        into: where to collect it, for callers that want what came before an error.
    """
    body = bytearray() if into is None else into
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk[: limit_bytes - len(body)]
            if len(body) >= limit_bytes:
                break
    return bytes(body)
