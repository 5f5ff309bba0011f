"""Claim, hand back and finish jobs: arq's keys and payload, our scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.exceptions import RedisError

from jobs import keys, scripts
from jobs.clock import ServerClock
from jobs.moves import run_id_of
from jobs.poison import keep_poison
from jobs.policy import Policy
from jobs.run import Stage, State
from jobs.together import Together

log = structlog.get_logger(__name__)

T = TypeVar("T")

REDIS_AWAY = (RedisError, OSError)
"""What Redis answers, or does not, while it is away: connections lost or refused, a failover, loading, no memory, no
disk. A worker waits, says so, and goes on. Inside a script old servers wrap these into plain errors, so all of Redis's
errors count; one that does not pass stands in the log again and again, which is better than a fleet that has ended.
"""

MOST_AT_ONCE = 1_000  # jobs that one script claims or renews: it holds the server up, and Lua's stack is bounded
_CREATE = f":{Stage.CREATE}:"  # in a job's id
_PATIENCE_S = 0.1, 5.0  # first and longest pause


async def with_patience(ask: Callable[[], Awaitable[T]], job_id: str) -> T:
    """Ask Redis, again and again while it is away: only for what does no harm when the answer was lost."""
    pause_s = _PATIENCE_S[0]
    while True:
        try:
            return await ask()
        except REDIS_AWAY as error:
            log.warning("end of job waits, Redis is away", job_id=job_id, error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PATIENCE_S[1])


def script_source(name: str) -> str:
    """The whole text of one of the scripts in worker/lua."""
    return scripts.script_source(name, "worker")


class Claims:
    """The jobs of one queue, for one owner."""

    def __init__(self, redis: ArqRedis, *, queue: str, owner: str, lease_s: float, policy: Policy) -> None:
        self._redis, self._queue, self._owner = redis, queue, owner
        self._running_orders = policy.running_orders
        self._lease_ms = round(lease_s * 1000)
        self._clock = ServerClock(redis)
        self._claim = redis.register_script(script_source("claim"))
        self._hand_back = redis.register_script(script_source("hand_back"))
        self._finish = redis.register_script(script_source("finish"))
        self._together = Together(redis)
        self.ends_under_way = 0  # of plain jobs

    async def any_due(self) -> bool:
        """Whether there is anything to claim: a single command, for polls, which mostly find nothing."""
        now_ms = await self._clock.now_ms()
        return bool(await self._redis.zrangebyscore(self._queue, "-inf", now_ms, start=0, num=1))

    async def claim(self, free: int, slots: int, held: Iterable[str]) -> tuple[list[tuple[str, int]], bool]:
        """Take up to `free` jobs that are due or first in line; each is this owner's until its lease ends.

        While creates wait in line, one slot at least is theirs, so that they are not held up by hours of downloads, and
        half of the slots at most: they wait for the request budget, and need no more.

        Args:
            free: slots without a job.
            slots: all of them; no more than MOST_AT_ONCE are filled in one go.
            held: the owner's jobs.

        Returns:
            Job ids, each with the time it was due at, in milliseconds since 1970; and whether anybody wants jobs
            aborted, which must be looked at before one is started.
        """
        creates = sum(_CREATE in job_id for job_id in held)
        least, most = int(creates == 0 and slots > 1), max(1, slots // 2) - creates
        any_aborts, *claimed = await self._claim(
            keys=[
                self._queue,
                keys.ABORTS,
                keys.state(State.CREATING),
                keys.state(State.WAITING),
                keys.FULL,
                keys.LINE,
            ],
            args=[
                self._owner,
                min(free, MOST_AT_ONCE),
                self._lease_ms,
                in_progress_key_prefix,
                least,
                most,
                self._running_orders,
            ],
        )
        jobs = []
        for job_id, due in zip(claimed[::2], claimed[1::2], strict=True):
            try:
                jobs.append((job_id.decode(), int(float(due))))
            except UnicodeDecodeError as error:
                await self._remove(job_id, error)
        return jobs, bool(any_aborts)

    async def _remove(self, job_id: bytes, error: Exception) -> None:
        """Take something out of the queue that cannot be a job."""
        shown = job_id.decode(errors="backslashreplace")
        await keep_poison(self._redis, shown, why=f"no job has such an id: {error}", evidence="", worker=self._owner)
        await self._redis.zrem(self._queue, job_id)
        await self._redis.delete(in_progress_key_prefix.encode() + job_id)

    async def hand_back(self, job_id: str, *, delay_s: float = 0, costs_try: bool = False) -> bool:
        """Give a job back unfinished, to be started again. False where another worker has it meanwhile. Idempotent."""
        run_id = run_id_of(job_id)
        given = await self._hand_back(
            keys=[
                self._queue,
                keys.in_progress(job_id),
                keys.retry(job_id),
                keys.run(run_id) if run_id else "",
                keys.bell(self._queue),
            ],
            args=[self._owner, job_id, round(delay_s * 1000), "charged" if costs_try else "free"],
        )
        return bool(given)

    async def finish(
        self,
        job_id: str,
        *,
        result: bytes | None = None,
        result_s: float | None = None,
        keep_mark_s: float | None = None,
        forget_abort: bool = True,
    ) -> bool:
        """End a plain job as arq does. False where another worker has it meanwhile. Idempotent.

        Arguments:
            job_id: a job that is no stage's.
            result: what arq's clients read; None keeps no result.
            result_s: how long it is kept; None for ever.
            forget_abort: whether there may be a wish to abort it that must not outlive it.
            keep_mark_s: how long nobody may start a job of this id, as arq wants it of its cron jobs.
        """
        self.ends_under_way += 1
        try:
            done = await self._together.run(
                self._finish,
                keys=[
                    self._queue,
                    keys.in_progress(job_id),
                    keys.retry(job_id),
                    keys.job(job_id),
                    keys.result(job_id),
                    keys.ABORTS if forget_abort else "",
                ],
                args=[
                    self._owner,
                    job_id,
                    result or b"",
                    0 if result_s is None else max(1, round(result_s * 1000)),
                    -1 if keep_mark_s is None else max(1, round(keep_mark_s * 1000)),
                ],
            )
        finally:
            self.ends_under_way -= 1
        return bool(done)
