"""One request's way to its answer: redirects, whom credentials go to, and how much of an answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import httpx

from planet_sdk.answers import error_for, typed_errors
from planet_sdk.exceptions import APIError, ClientError, PlanetError
from planet_sdk.limits import RequestKind
from planet_sdk.models import StreamingResponse
from planet_sdk.redaction import without_secrets
from planet_sdk.retry import SAFE_METHODS

MAX_REDIRECTS = 10
MAX_ERROR_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
REDIRECT_BODY_S = 1.0  # a new connection costs less than a longer wait
ERROR_BODY_S = 10.0  # the status is known by then; its text is not worth a longer wait

_KEEPS_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is to be sent."""

    method: str
    url: str
    kind: RequestKind
    json: Any = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"{self.method} {without_secrets(self.url)}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what credentials are bound to."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the address's origin.

        Raises:
            ClientError: it is no address.
        """
        with typed_errors("A request to", url):
            parsed = httpx.URL(url)
        return cls(parsed.scheme, parsed.host, parsed.port or {"https": 443, "http": 80}.get(parsed.scheme))


def redirected(call: Call, answer: httpx.Response, *, plain_http: bool) -> Call:
    """Return the call that the redirect asks for.

    A redirect is followed for GET and HEAD; for other methods only within the origin and where it keeps the method,
    since a POST that silently becomes a GET looks like success, and a body is nobody else's business.

    Args:
        call: what was redirected.
        answer: the redirect.
        plain_http: whether a way from https to http is acceptable.

    Raises:
        APIError, ClientError: it is not followed.
    """
    where = answer.headers["location"]
    with typed_errors(call.method, call.url):
        url = str(answer.request.url.join(where))
    source, target = Origin.of(call.url), Origin.of(url)
    if target.scheme not in {"http", "https"}:
        raise ClientError(f"{call!r} was redirected to {target.scheme!r}, which is not followed")
    if source.scheme == "https" and target.scheme == "http" and not plain_http:
        raise ClientError(f"{call!r} was redirected from https to http, which is not followed: {without_secrets(url)}")
    if call.method not in SAFE_METHODS and not (answer.status_code in _KEEPS_METHOD and source == target):
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
