from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp

from .wire import Wire

T = TypeVar("T")
_START_TIMEOUT_S = 30.0
_KEEP_ALIVE_S = 75  # as load balancers do: an idle connection must not fail unless a fault says so


class ServerThread:
    """uvicorn in a thread of its own, so that whoever tests against it may block, crash or stop its own loop.

    Args:
        port: 0 takes a free one.
    """

    def __init__(self, app: ASGIApp, wire: Wire, host: str, port: int) -> None:
        self._wire = wire
        self._socket = bind_socket(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            http=wire.protocol(),
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name=f"simulator-{self.port}", daemon=True)

    def start(self) -> None:
        """Return when it answers."""
        self._thread.start()
        if not self._server.ready.wait(_START_TIMEOUT_S) or self._server.loop is None:
            raise RuntimeError(f"the simulator did not start on {self.host}:{self.port}; its log says why")

    def stop(self) -> None:
        """End all connections and return when the thread has ended."""
        with suppress(RuntimeError):  # the loop has closed by itself
            self._call_soon(self._stop)
        self._thread.join()

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` in the server's loop and return what it returns; here and now when the loop does not run."""
        if self._server.loop is None or self._server.loop.is_closed():
            return function()

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._server.loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._server.ready.set()

    def _stop(self) -> None:
        self._wire.close_all()
        self._server.stop()

    def _call_soon(self, function: Callable[[], None]) -> None:
        if self._server.loop is not None:
            self._server.loop.call_soon_threadsafe(function)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and stops at once instead of at its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopped = asyncio.Event()
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        while not self.should_exit and self._stopped is not None:
            await self.on_tick(0)  # sets the Date header
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopped.wait()

    def stop(self) -> None:
        """End `main_loop`; called in the server's loop."""
        self.should_exit = True
        if self._stopped is not None:
            self._stopped.set()


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address, so that the port is known before the server runs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms for a delayed ACK.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def wait_for_signal() -> None:
    """Return at the first SIGINT or SIGTERM; call it in the main thread."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        stop.wait()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
