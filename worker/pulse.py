"""The worker's pulse: a thread that renews leases and reports health, also while the event loop is held up.

Leases are renewed only as long as the loop has turned within `max_block_s`: a worker that hangs for good must lose its
jobs, one that computes for half a minute must not.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol, cast

import structlog
from arq.constants import in_progress_key_prefix
from redis import Redis
from redis.exceptions import RedisError

from jobs import keys
from jobs.errors import LeaseInDoubt
from jobs.moves import run_id_of
from planet_sdk._version import __version__
from worker.claims import MOST_AT_ONCE, script_source
from worker.identity import Identity
from worker.moment import Moment
from worker.tally import Tally

log = structlog.get_logger(__name__)

_REMEMBERED_MS = 24 * 3600 * 1000  # a worker that stopped or vanished can be seen for a day
_TIDY_EVERY_S = 3600
_TICK_S = 0.25
_A_MOMENT_S = 0.01


@dataclass(slots=True)
class InHand:
    """A job this worker runs, as health reports it."""

    job_id: str
    stage: str = ""
    run_id: str = ""
    since: float = 0  # seconds since 1970
    bytes_done: int = 0
    bytes_total: int | None = None


@dataclass(slots=True)
class Counters:
    """arq's counters, of this process."""

    complete: int = 0
    failed: int = 0
    retried: int = 0


class Watched(Protocol):
    """What the pulse reports of a worker and tells it; the calls come in the event loop's thread."""

    def counters(self) -> Counters:
        """How many jobs have ended, and how."""

    def on_lost(self, job_ids: list[str]) -> None:
        """These jobs are another worker's now."""


@dataclass(slots=True)
class _Tick:
    at: float = field(default_factory=monotonic)
    lag_s: float = 0


class Pulse:
    """Start it in the event loop; `hold` and `release` jobs; `stop` it at the end."""

    def __init__(
        self,
        identity: Identity,
        watched: Watched,
        *,
        connect: Callable[[], Redis],
        queue: str,
        slots: int,
        lease_s: float,
        health_interval_s: float = 5,
        max_block_s: float = 120,
    ) -> None:
        self._identity, self._watched, self._connect, self._queue, self._slots = (
            identity,
            watched,
            connect,
            queue,
            slots,
        )
        self._lease_s, self._health_interval_s, self._max_block_s = lease_s, health_interval_s, max_block_s
        self.tally = Tally()  # handed over with each report
        self._started_at = datetime.now(UTC)
        self._in_hand: dict[str, InHand] = {}
        self._leased: dict[str, Moment] = {}  # when the lease that each job in hand has now was asked for
        self._being_renewed: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._state = "running"
        self._tick = _Tick()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._health_due = self._tidy_due = 0.0
        self.last_redis_error: str | None = None
        self.also_told: Mapping[str, str] = {}  # what else the reports of this worker say

    # In the event loop

    def start(self) -> None:
        """Begin to beat."""
        self._loop = asyncio.get_running_loop()
        self._turn()
        self._thread.start()

    async def stop(self, reason: str) -> None:
        """Say that the worker stops, and end."""
        self._state = f"stopped: {reason}"
        if self._thread.ident is None:
            return  # never started
        self._stop.set()
        self._ticker.cancel()
        await asyncio.to_thread(self._thread.join, 5)

    def say(self, state: str) -> None:
        """What the worker is about, for the next report."""
        self._state = state
        self._health_due = 0.0

    def hold(self, job_id: str, leased: Moment | None = None) -> InHand:
        """Renew this job's lease from now on; `leased` is the moment before it was claimed."""
        in_hand = InHand(job_id, run_id=run_id_of(job_id) or "", since=datetime.now(UTC).timestamp())
        with self._lock:
            self._in_hand[job_id] = in_hand
            self._leased[job_id] = leased or Moment()
        return in_hand

    def check_lease(self, job_id: str) -> None:
        """Do nothing if the job's lease is certain to last still; asks nobody.

        Raises:
            LeaseInDoubt: it may have run out, and another worker may have begun the job.
        """
        leased = self._leased.get(job_id)
        late_s = leased.age_s() - self._lease_s if leased else 0.0
        if leased is None or late_s >= 0:
            raise LeaseInDoubt(job_id, late_s)

    def in_hand(self, job_id: str) -> InHand | None:
        """What is known of a job in hand; its fields may be changed."""
        return self._in_hand.get(job_id)

    def release(self, job_id: str) -> None:
        """The job has ended, or is no longer ours."""
        with self._lock:
            self._in_hand.pop(job_id, None)
            self._leased.pop(job_id, None)

    async def let_go(self, job_id: str) -> None:
        """Renew this job's lease no more: a renewal that is on its way would take back what is handed back now."""
        self.release(job_id)
        while job_id in self._being_renewed:  # noqa: ASYNC110 — it is the thread that renews
            await asyncio.sleep(_A_MOMENT_S)

    def _turn(self) -> None:
        now = monotonic()
        self._tick = _Tick(now, max(0.0, now - self._tick.at - _TICK_S))
        self._ticker = self._loop.call_later(_TICK_S, self._turn)

    # In the thread

    def _run(self) -> None:
        redis = self._connect()
        renew = redis.register_script(script_source("renew"))
        # Often enough that one beat may fail: a lease must outlive two of them.
        every_s = min(self._lease_s / 4, self._health_interval_s)
        while True:
            try:
                self._renew(renew)
                self._report(redis)
                self.last_redis_error = None
            except (RedisError, OSError) as error:
                self.last_redis_error = f"{datetime.now(UTC):%H:%M:%S} {type(error).__name__}: {error}"
            except Exception:  # the thread's edge: without it, all leases would run out
                log.exception("pulse missed a beat")
            if self._stop.wait(every_s):
                break
        self._report_the_end(redis)
        redis.close()

    def _renew(self, renew: Callable[..., Any]) -> None:
        fresh_s = self._lease_s / 8  # a lease that has just begun lasts well beyond the next beat
        with self._lock:
            old = (job_id for job_id, leased in self._leased.items() if leased.age_s() >= fresh_s)
            self._being_renewed = frozenset(old)
        try:
            self._renew_all(renew, list(self._being_renewed))
        finally:
            self._being_renewed = frozenset()

    def _renew_all(self, renew: Callable[..., Any], job_ids: list[str]) -> None:
        blocked_s = monotonic() - self._tick.at
        if not job_ids:
            return
        if blocked_s > self._max_block_s:
            log.error("event loop held up for too long, leases given up", blocked_s=round(blocked_s), jobs=len(job_ids))
            return
        lost: list[bytes] = []
        for first in range(0, len(job_ids), MOST_AT_ONCE):
            some = job_ids[first : first + MOST_AT_ONCE]
            args = [self._identity.owner, round(self._lease_s * 1000), in_progress_key_prefix, *some]
            asked, answer = Moment(), renew(keys=[self._queue], args=args)
            with self._lock:
                for job_id in self._leased.keys() & set(some) - {name.decode() for name in answer}:
                    self._leased[job_id] = asked
            lost += answer
        # A job that ended while the script ran is no longer in hand: nobody needs to hear of it.
        names = [name for name in (job_id.decode() for job_id in lost) if name in self._in_hand]
        if names:
            self._loop.call_soon_threadsafe(self._watched.on_lost, names)

    def _report(self, redis: Redis) -> None:
        if monotonic() < self._health_due:
            return
        self._health_due = monotonic() + self._health_interval_s
        me = keys.worker(self._identity.name)
        jobs = self._jobs()
        line = self._arq_line(len(jobs), cast("int", redis.zcard(self._queue)))
        seconds = self._health_interval_s + 1 + self._lease_s / 4  # the beat may come that much late
        now_ms = datetime.now(UTC).timestamp() * 1000
        tidies = monotonic() >= self._tidy_due
        with redis.pipeline(transaction=False) as pipe:
            pipe.hset(me, mapping=self._describe(jobs))
            if tidies:  # what needs no repetition each time
                pipe.pexpire(me, _REMEMBERED_MS)
                pipe.zremrangebyscore(keys.WORKERS, "-inf", now_ms - _REMEMBERED_MS)
            pipe.zadd(keys.WORKERS, {self._identity.name: now_ms})
            pipe.psetex(keys.health(self._queue, self._identity.name), round(seconds * 1000), line)
            pipe.psetex(keys.health(self._queue), round(seconds * 1000), line)
            is_new, *_ = pipe.execute()
        if tidies:
            self._tidy_due = monotonic() + _TIDY_EVERY_S
        elif is_new:  # the server has forgotten the key, and its lifetime with it
            self._tidy_due = self._health_due = 0.0
        self.tally.hand_over(redis, self._identity.name, self._identity.boot)

    def _report_the_end(self, redis: Redis) -> None:
        try:
            me = keys.worker(self._identity.name)
            with redis.pipeline(transaction=False) as pipe:
                pipe.hset(me, mapping=self._describe(self._jobs()))
                pipe.pexpire(me, _REMEMBERED_MS)
                pipe.delete(keys.health(self._queue, self._identity.name))
                pipe.execute()
            self.tally.hand_over(redis, self._identity.name, self._identity.boot)
        except (RedisError, OSError):
            log.warning("end of worker not reported, Redis is away")

    def _arq_line(self, ongoing: int, queued: int) -> str:
        """The line of arq's health check, word for word: other tools read it."""
        counters = self._watched.counters()
        return (
            f"{datetime.now():%b-%d %H:%M:%S} "  # noqa: DTZ005 — arq writes local time here
            f"j_complete={counters.complete} j_failed={counters.failed} j_retried={counters.retried} "
            f"j_ongoing={ongoing} queued={queued}"
        )

    def _jobs(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(job) for job in self._in_hand.values()]

    def _describe(self, jobs: list[dict[str, Any]]) -> dict[str, str]:
        counters = self._watched.counters()
        return {
            "name": self._identity.name,
            "boot": self._identity.boot,
            "host": self._identity.host,
            "pid": str(self._identity.pid),
            "version": __version__,
            "state": self._state,
            "queue": self._queue,
            "started_at": str(round(self._started_at.timestamp() * 1000)),
            "seen_at": str(round(datetime.now(UTC).timestamp() * 1000)),
            "next_sign_s": str(self._health_interval_s),
            "slots": str(self._slots),
            "jobs": json.dumps(jobs, separators=(",", ":")),
            "complete": str(counters.complete),
            "failed": str(counters.failed),
            "retried": str(counters.retried),
            "loop_lag_ms": str(round(max(self._tick.lag_s, monotonic() - self._tick.at - _TICK_S, 0) * 1000)),
            "last_redis_error": self.last_redis_error or "",
            **self.also_told,
        }
