"""Servers that pass on what they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int | None = None) -> None:
    """Pass bytes on as they come: so many, or until there are no more."""
    while (size is None or size > 0) and (data := await reader.read(min(65_536, size or 65_536))):
        writer.write(data)
        await writer.drain()
        size = None if size is None else size - len(data)


@asynccontextmanager
async def closing(streams: Streams) -> AsyncIterator[Streams]:
    """A connection that is closed when the block ends."""
    try:
        yield streams
    finally:
        streams[1].close()
        with suppress(OSError):
            await streams[1].wait_closed()


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """The port on which each connection is served, while the block runs; the end of either side ends a connection."""
    connections: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            async with closing((reader, writer)):
                await serve(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(task := asyncio.create_task(serve_one(reader, writer)))
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
