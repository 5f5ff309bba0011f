"""Is the fleet well? One word, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.fleet import Presence, WorkerView
from worker.wording import age, duration, plural

_NEWS_S = 15 * 60  # a vanished worker is news for so long; after that it is history, as its replacement may be at work
_LAG_MS = 1_000  # a loop this late delays every job of its worker
_DUE_S = 30  # a due job that nobody takes although slots are free; claims are polled twice a second
_WATCH_LATE_S = 5 * 60  # the watcher looks every few seconds; a slow Planet may delay it by a minute or two
_MANY_FAILED = 5, 0.2  # within an hour, and of all that ended in it: fewer are their producers' business
_START = "start one with `planet-orders worker`"
_LONG_PAUSE_S = 60  # a usual Retry-After is a few seconds


class Health(StrEnum):
    """What somebody on duty needs to know first."""

    WELL = "well"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the fleet is not well.

    Attributes:
        gist: what does not change while it lasts.
        detail: what does.
        remedy: what to do about it.
        place: the page on which that is done, if there is one: `failures`.
    """

    gist: str
    detail: str
    remedy: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fleet's health, in one sentence; the reasons are sorted by weight."""

    health: Health
    headline: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the queue and in the watch list, on the server's clock."""

    queued: int  # all jobs, those in hand and those for later included
    due: int
    oldest_due_s: float | None
    watched: int
    watch_late_s: float  # how long the longest due parked run has been waiting for a look
    failed_lately: int = 0  # within the last hour
    delivered_lately: int = 0
    paused_s: float = 0.0  # until Planet takes requests of every kind again


def judge(workers: Sequence[WorkerView], backlog: Backlog, now: datetime) -> Verdict:
    """The verdict over a fleet whose Redis answers."""
    if not any(worker.is_alive for worker in workers):
        return _down(workers, backlog, now)
    reasons = tuple(_find_trouble(workers, backlog, now))
    if reasons:
        return Verdict(Health.DEGRADED, f"The fleet is degraded: {reasons[0].gist}", reasons)
    return Verdict(Health.WELL, "The fleet is well")


def redis_away(why: str) -> Verdict:
    """The verdict when nothing else can be known."""
    return Verdict(Health.DOWN, "Redis is away", (Reason("nothing can be known of the fleet", why),))


def _down(workers: Sequence[WorkerView], backlog: Backlog, now: datetime) -> Verdict:
    if not workers:
        detail = "none has reported within a day"
    else:
        last = max(workers, key=lambda worker: worker.seen_at)
        detail = f"the last one, {last.name}, {last.presence.value} {age(last.seen_at, now)}"
    if backlog.queued or backlog.watched:
        detail += f"; {plural(backlog.queued, 'job')} and {plural(backlog.watched, 'parked run')} wait for one"
    return Verdict(
        Health.DOWN, "The fleet is down: no worker is alive", (Reason("no worker is alive", detail, _START),)
    )


def _find_trouble(workers: Sequence[WorkerView], backlog: Backlog, now: datetime) -> Iterator[Reason]:
    alive = [worker for worker in workers if worker.is_alive]
    if all(worker.presence is Presence.STOPPING for worker in alive):
        yield Reason("every worker is stopping", "none of them takes new jobs", _START)
    yield from _find_stuck(alive, backlog)
    yield from _find_failures(backlog)
    for worker in workers:
        if worker.presence is Presence.VANISHED and (now - worker.seen_at).total_seconds() < _NEWS_S:
            detail = f"its last sign came {age(worker.seen_at, now)}; others go on with its jobs"
            yield Reason(
                f"worker {worker.name} has vanished", detail, f"look at its log on {worker.host}, and start it"
            )
    for worker in alive:
        if worker.loop_lag_ms > _LAG_MS:
            detail = f"its event loop was {duration(worker.loop_lag_ms / 1000)} late"
            yield Reason(
                f"worker {worker.name} is held up", detail, f"look for a lack of CPU or a slow disk on {worker.host}"
            )


def _find_stuck(alive: Sequence[WorkerView], backlog: Backlog) -> Iterator[Reason]:
    free = sum(max(0, worker.slots - len(worker.jobs)) for worker in alive if worker.presence is Presence.ALIVE)
    if free and backlog.oldest_due_s is not None and backlog.oldest_due_s > _DUE_S:
        detail = f"the oldest is due for {duration(backlog.oldest_due_s)}, and {plural(free, 'slot')} free"
        yield Reason("due jobs are not taken", detail, "look at the workers' logs; a restart costs the runs no try")
    if backlog.watch_late_s > _WATCH_LATE_S:
        detail = f"the watcher is {duration(backlog.watch_late_s)} late"
        yield Reason("waiting orders are not looked at", detail, "look for `watch` in the workers' logs, and at Planet")
    if backlog.paused_s > _LONG_PAUSE_S:
        detail = f"it takes requests again in {duration(backlog.paused_s)}"
        yield Reason(
            "Planet has the fleet wait", detail, "look who else uses the account; ORDERS_RATES lowers the limits"
        )


def _find_failures(backlog: Backlog) -> Iterator[Reason]:
    least, share = _MANY_FAILED
    ended = backlog.failed_lately + backlog.delivered_lately
    if backlog.failed_lately >= max(least, share * ended):
        detail = f"{backlog.failed_lately:,} of {ended:,} that ended in the last hour"
        yield Reason("many runs fail", detail, "see them by cause, mend it, and retry them together", "failures")
