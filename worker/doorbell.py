"""The doorbell: hear of new work within milliseconds, and of cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from arq.connections import ArqRedis
from redis.asyncio.client import PubSub

from jobs import keys
from worker.claims import REDIS_AWAY

log = structlog.get_logger(__name__)

_LISTEN_S = 5.0  # below the connection's own timeout, which would end it
_PATIENCE_S = 1  # between tries to hear again; work is found by polling meanwhile


async def listen(redis: ArqRedis, queue: str, *, on_work: Callable[[], None], on_cancel: Callable[[str], None]) -> None:
    """Call back for each ring, until cancelled. A lost connection is made again; rings missed meanwhile are no harm."""
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(keys.bell(queue))
                on_work()  # whatever came while nobody listened
                await _pass_on(pubsub, on_work, on_cancel)
        except REDIS_AWAY as error:
            log.debug("doorbell lost", error=str(error))
            await asyncio.sleep(_PATIENCE_S)


async def _pass_on(pubsub: PubSub, on_work: Callable[[], None], on_cancel: Callable[[str], None]) -> None:
    while True:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_LISTEN_S)
        match message:
            case {"data": b"job"}:
                on_work()
            case {"data": bytes() as data} if data.startswith(b"cancel:"):
                on_cancel(data.removeprefix(b"cancel:").decode())
