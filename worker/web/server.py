"""The web process: from the settings to a server that listens, until a signal."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from worker.settings import Settings
from worker.web.app import create_app

log = structlog.get_logger(__name__)

EXIT_CANNOT_LISTEN = 3
_STOP_WAIT_S = 3  # for answers under way
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_web(settings: Settings, redis_url: str) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit status: 0, or 3 where the address cannot be had.

    Whether Redis answers does not matter: the pages and /readyz say when it does not. There is no authentication yet.

    Args:
        settings: of this process; `web_host` and `web_port` say where to listen (port 0: any that is free).
        redis_url: where the fleet's Redis is, as `worker.connection.open_redis` gives it.
    """
    try:
        listener = _listen(settings.web_host, settings.web_port)
    except (OSError, UnicodeError) as error:
        log.error(  # noqa: TRY400 — one line is what a person needs; the traceback says no more
            "web process cannot listen; stop what listens there, or set ORDERS_WEB_HOST and ORDERS_WEB_PORT",
            host=settings.web_host,
            port=settings.web_port,
            error=str(error),
        )
        return EXIT_CANNOT_LISTEN
    with listener:
        _announce(listener)
        asyncio.run(make_server(create_app(settings, redis_url)).serve(sockets=[listener]))
    log.info("web process stopped")
    return 0


def make_server(app: FastAPI) -> uvicorn.Server:
    """A server of the application, to be served on a socket that listens; no address of a request is logged."""
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",  # what it does is said here; its own lines of start and stop are not needed
            access_log=False,  # a webhook's address ends in a secret
            lifespan="on",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_STOP_WAIT_S,
        )
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which ends at a signal without passing the signal on: its own would kill the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    return socket.create_server(address, family=family)


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    log.info("web process listening", url=url)
    if not ipaddress.ip_address(host).is_loopback:
        log.warning("web process has no authentication; whoever reaches it can read every run", url=url)
