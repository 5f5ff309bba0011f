"""The server's clock, which all times in Redis follow, and this machine's."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_ASK_EVERY_S = 30.0  # the two clocks part by a few milliseconds at most in this time, unless somebody sets one


def now_ms() -> int:
    """This machine's clock, in milliseconds since 1970."""
    return round(time() * 1000)


class ServerClock:
    """The server's time without a command each time: it is asked for now and then, and counted on from there.

    It is never behind the server's own, and ahead of it by at most the time the question took.
    """

    def __init__(self, redis: ArqRedis, *, count_s: Callable[[], float] = monotonic) -> None:
        self._redis, self._count_s = redis, count_s
        self._asked_at_s = -_ASK_EVERY_S
        self._then_ms = 0

    async def now_ms(self) -> int:
        """Milliseconds since 1970."""
        now_s = self._count_s()
        if not self._then_ms or now_s >= self._asked_at_s + _ASK_EVERY_S:
            seconds, micros = await self._redis.time()
            self._then_ms, self._asked_at_s = seconds * 1000 + micros // 1000, now_s
            now_s = self._count_s()
        return self._then_ms + round((now_s - self._asked_at_s) * 1000)
