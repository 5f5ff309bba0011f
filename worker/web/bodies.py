"""How much of what is sent is read: a body has a limit, and a sender that is answered early does not send for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PASSED_OVER_BYTES = 64 * 1024 * 1024  # of a body that nobody wants: most clients read no answer before they have sent
_PASSED_OVER_S = 2.0


class BoundedBodies:
    """Refuses a body above its limit with 413, and hangs up on a sender that goes on sending what nobody wants.

    Args:
        app: whose routes read the bodies.
        most_bytes: that are kept of a body.
        elsewhere: the same for paths that take more, or less.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, elsewhere: Mapping[str, int]) -> None:
        self._app, self._most_bytes, self._elsewhere = app, most_bytes, elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._elsewhere.get(scope["path"], self._most_bytes))

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.is_whole:
                await body.pass_over()
                if not body.is_whole:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, body.receive, send_after_body)


class _Body:
    def __init__(self, scope: Scope, receive: Receive, most_bytes: int) -> None:
        headers = Headers(scope=scope)
        self.is_whole = "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"
        self._receive, self._most_bytes, self._read_bytes = receive, most_bytes, 0

    async def receive(self) -> Message:
        """As the server's own, up to the limit; then 413."""
        message = await self._next()
        if self._read_bytes > self._most_bytes:
            detail = f"More than {self._most_bytes:,} bytes are not read."
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return message

    async def pass_over(self) -> None:
        """Read what is left and keep nothing, so that an ordinary sender gets to see the answer."""
        end = self._read_bytes + _PASSED_OVER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_PASSED_OVER_S):
                while not self.is_whole and self._read_bytes < end:
                    if (await self._next())["type"] == "http.disconnect":
                        return

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read_bytes += len(message.get("body", b""))
            self.is_whole = self.is_whole or not message.get("more_body", False)
        return message
