"""What a process measures of itself: counts, and traces where they are on; and a limiter that does both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planet_sdk.limits import Limiter, RequestKind, Turn
from worker.errors import NoTraces
from worker.settings import Settings
from worker.tally import Tally

if TYPE_CHECKING:
    from worker.traces import Traces

__all__ = ["MeteredLimiter", "Meters", "traces_of"]


@dataclass(frozen=True, slots=True)
class Meters:
    """What is shared by all that is measured in a process."""

    tally: Tally = field(default_factory=Tally)
    traces: Traces | None = None

    async def aclose(self) -> None:
        """Send the last spans; the last counts go with the pulse."""
        if self.traces:
            await self.traces.aclose()


def traces_of(settings: Settings, service: str) -> Traces | None:
    """The traces of a process, or None while they are off: then nothing of OpenTelemetry is loaded.

    Raises:
        NoTraces: they are on, and what sends them is not installed.
    """
    if settings.traces == "off":
        return None
    try:
        from worker.traces import open_traces  # noqa: PLC0415 — slow to import, and an extra
    except ImportError as error:
        raise NoTraces(error.name) from error
    return open_traces(service)


class MeteredLimiter:
    """Lets pass what another limiter does, and counts it; where traces are on, each request is a span."""

    def __init__(self, limiter: Limiter, meters: Meters) -> None:
        self._limiter, self._tally, self._traces = limiter, meters.tally, meters.traces

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        """Wait for the turn of the limiter behind this one; the request counts when it departs."""
        return self._hold_traced(kind, self._traces) if self._traces else self._hold(kind)

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """The server has refused a request: count that, and hand it on."""
        self._tally.refused(kind)
        self._limiter.pause(kind, delay_s)

    @asynccontextmanager
    async def _hold(self, kind: RequestKind) -> AsyncIterator[Turn]:
        async with self._limiter.slot(kind) as turn:
            yield _CountedTurn(turn, kind, self._tally)

    @asynccontextmanager
    async def _hold_traced(self, kind: RequestKind, traces: Traces) -> AsyncIterator[Turn]:
        with traces.request(kind):
            async with self._hold(kind) as turn:
                yield turn


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
