"""How a worker bears an outage of Redis: it waits, says so once, and goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic

import structlog

log = structlog.get_logger(__name__)

_PATIENCE_S = 0.2, 5.0  # first and longest pause while Redis is away


class Outage:
    """The present outage, if there is one."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._patience_s = _PATIENCE_S[0]

    async def bear(self, error: BaseException, wake: asyncio.Event) -> None:
        """Wait a while, longer each time, or until somebody wakes us."""
        if self._since is None:
            self._since = monotonic()
            log.warning("Redis is away, waiting for it", error=f"{type(error).__name__}: {error}")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                await wake.wait()
        self._patience_s = min(self._patience_s * 2, _PATIENCE_S[1])

    def end(self) -> None:
        """Redis answers; says so if it had been away."""
        if self._since is not None:
            log.info("Redis is back", away_s=round(monotonic() - self._since, 1))
        self._since, self._patience_s = None, _PATIENCE_S[0]
