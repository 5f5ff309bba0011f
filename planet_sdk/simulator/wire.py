"""Breaking connections, which an ASGI app has no way to do."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

Address = tuple[str, int]
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST and drops what is unsent


class Wire:
    """The open connections, by the client's address as ASGI names it in `scope["client"]`."""

    def __init__(self) -> None:
        self._transports: dict[Address, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's protocol class, made to tell this object of each connection."""
        transports = self._transports

        class TellingProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's own class
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if self.client is not None:
                    transports.pop(self.client, None)

        return TellingProtocol

    async def reset(self, scope: Scope, receive: Receive) -> None:
        """Break the connection at once; what was not yet sent is lost."""
        if (transport := self._find(scope)) is not None:
            sock: Any = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        await wait_for_disconnect(receive)

    def close(self, scope: Scope) -> None:
        """End the connection after what has been written."""
        if (transport := self._find(scope)) is not None:
            transport.close()

    def close_all(self) -> None:
        """End every connection, for a stop that waits for nobody."""
        for transport in list(self._transports.values()):
            transport.abort()

    def _find(self, scope: Scope) -> asyncio.Transport | None:
        return self._transports.get(tuple(scope["client"] or ()))


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
