"""Answers of the Data API, and the POSTs that only ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from planet_sdk.answers import typed_errors
from planet_sdk.exceptions import APIError, ClientError
from planet_sdk.exchange import MAX_ANSWER_BYTES, Call, read_at_most
from planet_sdk.limits import RequestKind
from planet_sdk.models import Response
from planet_sdk.retry import may_repeat, retry

if TYPE_CHECKING:
    from planet_sdk.session import Session


async def ask(session: Session, url: str, question: Any, params: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a POST that changes nothing at Planet, and so is repeated wherever a GET is.

    Raises:
        APIError, RequestError, SessionClosed: as `Session.request`.
    """
    call = Call("POST", url, RequestKind.DATA, question, params or None)
    budget = session.budget()

    async def attempt() -> Response:
        async with session.open(call, budget) as answer:
            with typed_errors(call.method, call.url):
                async with asyncio.timeout(budget.left_s):
                    content = await read_at_most(answer.aiter_bytes(), MAX_ANSWER_BYTES + 1)
            if len(content) > MAX_ANSWER_BYTES:
                raise ClientError(f"{call!r}: the answer is longer than {MAX_ANSWER_BYTES:,} bytes; ask for less")
            return answer.whole(content)

    response = await retry(attempt, budget, partial(may_repeat, method="GET"))
    session.outcomes["Successful"] += 1
    return response


def object_of(response: Response) -> dict[str, Any]:
    """Return the answer's JSON object, or raise APIError if it is none."""
    answer = response.json()
    if not isinstance(answer, dict):
        raise APIError(
            f"the answer is {type(answer).__name__}, not an object",
            status=response.status_code,
            headers=response.headers,
            body=response.text,
        )
    return answer
