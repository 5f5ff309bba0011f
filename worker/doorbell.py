"""The doorbell: hear of new work within milliseconds, and of cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from arq.connections import ArqRedis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs import keys
from worker.claims import REDIS_AWAY

log = structlog.get_logger(__name__)

_LISTEN_S = 8.0  # of silence, then the line is tried; below the connection's own timeout, which would end it
_PATIENCE_S = 1  # between tries to hear again; work is found by polling meanwhile


async def listen(
    redis: ArqRedis,
    queue: str,
    *,
    on_work: Callable[[], None],
    on_cancel: Callable[[str], None],
    listen_s: float = _LISTEN_S,
) -> None:
    """Call back for each ring for workers, until cancelled: new work, a run to be cancelled."""

    def on_ring(what: bytes) -> None:
        if what == b"job":
            on_work()
        elif what.startswith(b"cancel:"):
            on_cancel(what.removeprefix(b"cancel:").decode())

    await hear(redis, keys.bell(queue), on_line=on_work, on_ring=on_ring, listen_s=listen_s)


async def hear(
    redis: ArqRedis,
    channel: str,
    *,
    on_line: Callable[[], None],
    on_ring: Callable[[bytes], None],
    listen_s: float = _LISTEN_S,
) -> None:
    """Call back for each ring, until cancelled. A lost connection is made again; rings missed meanwhile are no harm.

    A line on which nothing comes for `listen_s` is tried; one that has gone silent without an end counts as lost.

    Args:
        redis: where it rings.
        channel: the bell.
        on_line: called whenever a line has been made: something may have come while nobody listened.
        on_ring: told what rings.
        listen_s: see above.
    """
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(channel)
                on_line()
                await _pass_on(pubsub, on_ring, listen_s)
        except REDIS_AWAY as error:
            log.debug("doorbell lost", error=str(error))
            await asyncio.sleep(_PATIENCE_S)


async def _pass_on(pubsub: PubSub, on_ring: Callable[[bytes], None], listen_s: float) -> None:
    was_silent = False
    while True:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=listen_s)
        if message is None and was_silent:
            raise RedisConnectionError(f"no answer to a ping within {listen_s:g} s")
        was_silent = message is None
        match message:
            case None:
                await pubsub.ping()
            case {"type": "message", "data": bytes() as what}:
                on_ring(what)
