"""A long body straight from its connection.

httpx reads 64 KiB at a time and copies each of them several times on the way: anyio splits what asyncio received, h11
collects it and cuts it out again, httpcore copies that. It costs more than hashing and writing together. Once the
headers say how long the body is, none of it is needed: what follows them is the body, byte for byte.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import httpcore
import httpx

# What asyncio asks the kernel for; anyio splits what is asked for in smaller pieces, and copies the rest each time.
READ_BYTES = 256 * 1024
# A connection that was read past h11 cannot be used again; with less to come than this, keeping it is worth more.
MIN_BYTES = 4 * 1024 * 1024


async def raw_pieces(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Iterate over the body as it was sent; closing the answer closes the connection if it was read past httpx.

    Raises:
        httpx.RequestError: the connection broke, fell silent, or ended before the announced size.
    """
    left = _announced_bytes(answer)
    # Open to the end: closed, it would take the connection with it.
    async with aclosing(cast("AsyncGenerator[bytes, None]", answer.aiter_raw())) as pieces:  # which is what it is
        async for piece in pieces:
            left -= len(piece)
            yield piece
            if left >= MIN_BYTES:  # and none of it is here: the first piece is all that h11 had read ahead
                break
        else:
            return
        while left:
            piece = await _read(answer, min(left, READ_BYTES))
            if not piece:
                raise httpx.RemoteProtocolError(f"the body ended {left:,} bytes early", request=answer.request)
            left -= len(piece)
            yield piece


def _announced_bytes(answer: httpx.Response) -> int:
    """Return how many bytes follow the headers; 0 where the body may not simply be those."""
    length = answer.headers.get("content-length", "")
    is_plain = (
        answer.http_version == "HTTP/1.1"
        and "transfer-encoding" not in answer.headers
        and "network_stream" in answer.extensions
    )
    return int(length) if is_plain and length.isascii() and length.isdigit() else 0


async def _read(answer: httpx.Response, max_bytes: int) -> bytes:
    """Return what comes next, nothing at the connection's end, within the request's own read timeout."""
    stream: httpcore.AsyncNetworkStream = answer.extensions["network_stream"]
    try:
        return await stream.read(max_bytes, answer.request.extensions["timeout"]["read"])
    except httpcore.ReadTimeout as error:
        raise httpx.ReadTimeout(str(error), request=answer.request) from error
    except httpcore.ReadError as error:
        raise httpx.ReadError(str(error), request=answer.request) from error
