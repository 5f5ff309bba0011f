"""Retry by proof: the one loop that repeats, and the budget it spends.

Sent again is what the server cannot have processed (no connection, 429), for every method. What is safe to repeat (GET,
HEAD, the byte ranges of a body) is also sent again after resets, timeouts, 408, 500, 502, 503 and 504. A POST, PUT or
DELETE whose fate is unknown raises, so that the caller can look before it sends again.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from planet_sdk.answers import retry_after_s
from planet_sdk.exceptions import APIError, PlanetError, RequestError, TooManyRequests

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PASSING_STATUSES = frozenset({408, 500, 502, 503, 504})

OnRetry = Callable[[PlanetError, float], None]


@dataclass(frozen=True)
class RetryPolicy:
    """How often, for how long and with which pauses one operation is tried.

    Attributes:
        max_tries: tries in all, the first included.
        max_elapsed_s: seconds in all; waiting for the limiter's turn does not count.
        base_s: the longest pause after the first try; it doubles with each try. The pause is drawn from 0 to that (full
            jitter), since a fleet that pauses equally long comes back all at once.
        cap_s: no pause is longer, unless the server asked for it.
        sleep, clock, wall_clock, draw: where time and chance come from; tests pass their own.
    """

    max_tries: int = 6
    max_elapsed_s: float = 300
    base_s: float = 1
    cap_s: float = 64
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    wall_clock: Callable[[], float] = field(default=time.time, repr=False)
    draw: Callable[[], float] = field(default=random.random, repr=False)


class Budget:
    """What one operation may still spend; made anew for each."""

    def __init__(self, policy: RetryPolicy, on_retry: OnRetry | None = None) -> None:
        self.policy = policy
        self._on_retry = on_retry
        self._tries = 0
        self._started = policy.clock()

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least one, so that a last try is a fair one."""
        return max(1.0, self._started + self.policy.max_elapsed_s - self.policy.clock())

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Do not count the time spent inside: a wait for our own limiter is no failing of the server's."""
        before = self.policy.clock()
        try:
            yield
        finally:
            self._started += self.policy.clock() - before

    def progressed(self) -> None:
        """Start counting afresh: a transfer that gets further is not failing, however often it is cut."""
        self._tries = 0
        self._started = self.policy.clock()

    async def pause_after(self, error: PlanetError) -> None:
        """Count a failed try and wait before the next one.

        Raises:
            PlanetError: the error itself, if tries or seconds are used up, or if the server asked for a longer pause
                than is left.
        """
        self._tries += 1
        delay_s = self._delay_s(error)
        spent_s = self.policy.clock() - self._started
        if self._tries >= self.policy.max_tries or spent_s + delay_s > self.policy.max_elapsed_s:
            error.add_note(f"gave up after {self._tries} tries in {spent_s:.1f} s")
            raise error
        if self._on_retry:
            self._on_retry(error, delay_s)
        await self.policy.sleep(delay_s)

    def _delay_s(self, error: PlanetError) -> float:
        longest = min(self.policy.cap_s, math.ldexp(self.policy.base_s, min(self._tries - 1, 62)))
        return max(self.policy.draw() * longest, retry_after_s(error, self.policy.wall_clock()) or 0.0)


async def retry(attempt: Callable[[], Awaitable[T]], budget: Budget, may_repeat: Callable[[PlanetError], bool]) -> T:
    """Return what the attempt returns, trying again while its error allows it and the budget lasts."""
    while True:
        try:
            return await attempt()
        except PlanetError as error:
            if not may_repeat(error):
                raise
            await budget.pause_after(error)


def may_repeat(error: PlanetError, method: str) -> bool:
    """Tell whether a request that ended so may be sent again without asking anyone."""
    if _is_final(error):
        return False
    if _was_not_processed(error):
        return True
    if method.upper() not in SAFE_METHODS:
        return False
    return isinstance(error, RequestError) or (isinstance(error, APIError) and error.status in PASSING_STATUSES)


def _was_not_processed(error: PlanetError) -> bool:
    return isinstance(error, TooManyRequests) or (isinstance(error, RequestError) and not error.may_have_reached)


def _is_final(error: PlanetError) -> bool:
    """A used-up quota (429 in Planet's older form) and a certificate that is not trusted do not pass by waiting."""
    if isinstance(error, TooManyRequests):
        return "quota" in error.body.lower() and "retry-after" not in error.headers
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
