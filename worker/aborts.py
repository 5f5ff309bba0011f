"""Aborts: which jobs somebody wants given up, and giving them up soon.

The wish stands in arq's set of aborts, where arq's `Job.abort` puts it. The cancel of a run that is in hand puts its
job there too, so that it is heard when the bell is not. arq leaves entries of ended jobs in that set, where they end
the next job of the same id; here an abort counts only for a job that was enqueued before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from time import monotonic

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix

from jobs import keys
from worker.claims import REDIS_AWAY, script_source

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.5  # while jobs are in hand: a wish is heard within a second
_TIDY_EVERY_S = 10.0  # without jobs in hand, for the sake of the set


class Aborts:
    """The set of aborts, as one worker sees it."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self.were_any = False  # at the last look
        self._script = redis.register_script(script_source("aborts"))

    async def unwanted(self) -> frozenset[str]:
        """The jobs somebody wants given up, of any queue. Forgets wishes that can concern no job any more."""
        self.were_any = bool(await self._redis.exists(keys.ABORTS))
        if not self.were_any:  # as nearly always: one command
            return frozenset()
        job_ids = await self._script(keys=[keys.ABORTS], args=[job_key_prefix, in_progress_key_prefix])
        return frozenset(job_id.decode(errors="replace") for job_id in job_ids)

    async def watch(self, in_hand: Collection[str], give_up: Callable[[str], None]) -> None:
        """Give up jobs in hand that are unwanted, until cancelled. A wish is heard again until its job has ended."""
        tidy_at = 0.0
        while True:
            if in_hand or monotonic() >= tidy_at:
                try:
                    unwanted = await self.unwanted() & set(in_hand)
                    for job_id in unwanted:
                        give_up(job_id)
                    tidy_at = 0.0 if unwanted else monotonic() + _TIDY_EVERY_S  # what ends now is forgotten next
                except REDIS_AWAY as error:
                    log.debug("set of aborts not read, Redis is away", error=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)
