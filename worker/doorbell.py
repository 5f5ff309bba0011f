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

_LISTEN_S = 5.0  # of silence, then the line is tried; below the connection's own timeout, which would end it
_PATIENCE_S = 1  # between tries to hear again; work is found by polling meanwhile


async def listen(
    redis: ArqRedis,
    queue: str,
    *,
    on_work: Callable[[], None],
    on_cancel: Callable[[str], None],
    listen_s: float = _LISTEN_S,
) -> None:
    """Call back for each ring, until cancelled. A lost connection is made again; rings missed meanwhile are no harm.

    A line on which nothing comes for `listen_s` is tried; one that has gone silent without an end counts as lost.
    """
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(keys.bell(queue))
                on_work()  # whatever came while nobody listened
                await _pass_on(pubsub, on_work, on_cancel, listen_s)
        except REDIS_AWAY as error:
            log.debug("doorbell lost", error=str(error))
            await asyncio.sleep(_PATIENCE_S)


async def _pass_on(
    pubsub: PubSub, on_work: Callable[[], None], on_cancel: Callable[[str], None], listen_s: float
) -> None:
    was_silent = False
    while True:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=listen_s)
        if message is None and was_silent:
            raise RedisConnectionError(f"no answer to a ping within {listen_s:g} s")
        was_silent = message is None
        match message:
            case None:
                await pubsub.ping()
            case {"data": b"job"}:
                on_work()
            case {"data": bytes() as data} if data.startswith(b"cancel:"):
                on_cancel(data.removeprefix(b"cancel:").decode())
