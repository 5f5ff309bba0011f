"""The web application, served over real HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.waiting import until
from worker.settings import Settings
from worker.web import create_app
from worker.web.server import make_server


@asynccontextmanager
async def served(redis_url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application over real HTTP, which is served as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(create_app(Settings(**settings), redis_url))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until("the application is served", lambda: server.started)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address) as web:
            yield web
        server.should_exit = True
        await serving
