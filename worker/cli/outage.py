"""How a command that looks on bears an outage of Redis: it says so once, waits, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.redaction import Redactor
from worker.cli.desk import say
from worker.wording import one_line

T = TypeVar("T")

AWAY = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError)
"""What is raised while Redis is away, is loading, or has become a replica; it passes."""

_PAUSE_S = 0.5


class Outage:
    """The present outage, if there is one; it is told of when it begins and when it ends."""

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._is_on = False

    async def bear(self, error: Exception) -> None:
        """Wait a moment."""
        if not self._is_on:
            self._tell(f"Redis is away ({one_line(Redactor().text(str(error)))}). Waiting for it; Ctrl-C ends that.")
        self._is_on = True
        await asyncio.sleep(_PAUSE_S)

    def end(self) -> None:
        """Redis has answered."""
        if self._is_on:
            self._tell("Redis is back.")
        self._is_on = False

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask, as often as it takes."""
        while True:
            try:
                answer = await question()
            except AWAY as error:
                await self.bear(error)
            else:
                self.end()
                return answer
