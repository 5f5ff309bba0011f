"""The web application, served over real HTTP."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx

from tests.waiting import until, wait_until
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


@contextmanager
def served_by_thread(redis_url: str, **settings: Any) -> Iterator[str]:
    """The application's address, for tests that are no coroutines; it is served as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(create_app(Settings(**settings), redis_url))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until("the application is served", lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
