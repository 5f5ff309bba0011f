"""A limiter that counts: what goes out to Planet, and what Planet refuses as too much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from planet_sdk.limits import Limiter, RequestKind, Turn
from worker.tally import Tally

__all__ = ["MeteredLimiter"]


class MeteredLimiter:
    """Lets pass what another limiter does, and counts it."""

    def __init__(self, limiter: Limiter, tally: Tally) -> None:
        self._limiter, self._tally = limiter, tally

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for the turn of the limiter behind this one; the request counts when it departs."""
        return self._hold(kind)

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """The server has refused a request: count that, and hand it on."""
        self._tally.refused(kind)
        self._limiter.pause(kind, delay_s)

    @asynccontextmanager
    async def _hold(self, kind: RequestKind) -> AsyncIterator[Turn]:
        async with self._limiter.slot(kind) as turn:
            yield _CountedTurn(turn, kind, self._tally)


@dataclass(slots=True)
class _CountedTurn:
    turn: Turn | None
    kind: RequestKind
    tally: Tally
    has_departed: bool = False

    def departed(self) -> None:
        if not self.has_departed:
            self.has_departed = True
            self.tally.request_sent(self.kind)
        if self.turn is not None:
            self.turn.departed()
