"""The web process's way to Redis, which may be away at any time, also at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis.exceptions import RedisError

from jobs.connection import connect
from jobs.errors import RedisUnavailable
from jobs.redaction import hide_password
from jobs.store import Lifetimes, RunStore

T = TypeVar("T")

_PATIENCE_S = 3.0  # a person waits for the page, and a probe for its answer


class Link:
    """One pool of connections, made when it is first needed, that never keeps anybody waiting for long.

    Args:
        url: redis://, rediss:// or unix://.
        queue: arq's queue of the fleet.
        lifetimes: how long runs are kept.
        patience_s: how long one question may take, connecting included.
    """

    def __init__(
        self, url: str, *, queue: str, lifetimes: Lifetimes | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        self._url, self._queue, self._lifetimes, self._patience_s = url, queue, lifetimes, patience_s
        self._store: RunStore | None = None
        self._opening: asyncio.Task[RunStore] | None = None

    async def ask(self, question: Callable[[RunStore], Awaitable[T]]) -> T:
        """What `question` reads; it is asked once, and an earlier failure does not stand in its way.

        Raises:
            RedisUnavailable: Redis did not answer in time, cannot be reached, or refuses.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                return await question(self._store or await self._open())
        except TimeoutError as error:
            raise self._unavailable(f"no answer within {self._patience_s:g} s") from error
        except (RedisError, OSError) as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    async def hand_in(self, work: Callable[[RunStore], Awaitable[T]]) -> T:
        """As ask(), but once connected `work` is given the time it takes: what was written is not to be in doubt.

        Raises:
            RedisUnavailable: Redis cannot be reached, or refuses; what `work` raises of its own goes through.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                store = self._store or await self._open()
        except TimeoutError as error:
            raise self._unavailable(f"no connection within {self._patience_s:g} s") from error
        try:
            return await work(store)
        except (RedisError, OSError) as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close the pool; nothing can be asked afterwards."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, RedisUnavailable):
                await self._opening
        if self._store is not None:
            await self._store.redis.aclose()

    async def _open(self) -> RunStore:
        """Connect once for all who wait; whoever loses patience leaves the others the attempt."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect(), name="connect to Redis")
            self._opening.add_done_callback(_take_notice)
        return await asyncio.shield(self._opening)

    async def _connect(self) -> RunStore:
        redis = await connect(self._url, queue_name=self._queue, retries=1)
        self._store = RunStore(redis, queue=self._queue, lifetimes=self._lifetimes)
        return self._store

    def _unavailable(self, why: str) -> RedisUnavailable:
        return RedisUnavailable(hide_password(self._url), hide_password(why).rstrip("."))


def _take_notice(task: asyncio.Task[RunStore]) -> None:
    """Look at the error, so that asyncio does not report one that nobody waited for any longer."""
    if not task.cancelled():
        task.exception()
