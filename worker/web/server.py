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

from jobs.errors import RedisUnavailable
from worker.settings import Settings
from worker.tokens import has_tokens
from worker.web.app import create_app
from worker.web.link import Link

log = structlog.get_logger(__name__)

EXIT_OPEN = 2
EXIT_CANNOT_LISTEN = 3
_STOP_WAIT_S = 3  # for answers under way
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_web(settings: Settings, redis_url: str) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit status: 0, 2 for want of a token, 3 for want of the address.

    Whether Redis answers does not matter: the pages and /readyz say when it does not. Elsewhere than on loopback it
    serves only those with a token, and does not start while there is none.

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
        host = listener.getsockname()[0]
        is_loopback = ipaddress.ip_address(host).is_loopback
        are_there = asyncio.run(_tokens_are_there(settings, redis_url))
        if are_there is False and not is_loopback:
            log.error(
                "web process not started, everybody could use it: make a token with `planet-orders token create`, "
                "or listen on 127.0.0.1",
                host=host,
            )
            return EXIT_OPEN
        _announce(listener)
        if are_there is False:
            log.warning("web process is open to everybody on this machine; `planet-orders token create` ends that")
        app = create_app(settings, redis_url, loopback=is_loopback)
        asyncio.run(make_server(app).serve(sockets=[listener]))
    log.info("web process stopped")
    return 0


async def _tokens_are_there(settings: Settings, redis_url: str) -> bool | None:
    """Whether there are tokens; None while Redis is away, and then nobody is let in who has none."""
    link = Link(redis_url, queue=settings.queue_name)
    try:
        return await link.ask(lambda store: has_tokens(store.redis))
    except RedisUnavailable:
        return None
    finally:
        await link.close()


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
    """uvicorn's server, which ends at a signal without passing the signal on: its own would kill the process.

    Streams of events end before it waits for answers under way: they would never end by themselves.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.config.app.state.relay.close()  # type: ignore[union-attr]  # ours is an application, not its name
        await super().shutdown(sockets)

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
    listener = socket.create_server(address, family=family)
    # Its connections have it from here; asyncio sets it for those of a socket that was made with IPPROTO_TCP alone.
    # Without it, an answer's body, a write behind its headers, waits 40 ms for the caller's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    log.info("web process listening", url=url)
