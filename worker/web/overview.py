"""The first page, and its twin for programs: is the fleet well, what is in work, what is stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from jobs import keys
from jobs.redaction import Redactor
from jobs.run import Stage, State, from_ms
from worker.budget import BudgetUse, read_budget
from worker.fleet import WorkerView, read_fleet
from worker.web.series import Series, ask_series, edges_of, read_series
from worker.web.verdict import Backlog, Verdict, judge

if TYPE_CHECKING:
    from jobs.store import RunStore

_HOUR = 60, 60  # seconds of a step, and how many
_DAY = 3600, 24
_OF_STAGE: dict[Stage, tuple[State, ...]] = {
    Stage.CREATE: (State.QUEUED, State.CREATING),
    Stage.WAIT: (State.WAITING,),
    Stage.DOWNLOAD: (State.DOWNLOADING,),
    Stage.VALIDATE: (State.VALIDATING,),
}


class StageQueue(BaseModel):
    """The runs in one stage."""

    model_config = ConfigDict(frozen=True)

    stage: Stage
    runs: int
    in_hand: int
    """Jobs of this stage that a worker has in hand, as the workers last said."""
    oldest_run_id: str | None
    oldest_s: float | None
    """For how long that run has not moved: no other has for longer."""

    @property
    def waiting(self) -> int:
        """Runs that nobody has in hand: in line, parked at Planet, or between two tries."""
        return max(0, self.runs - self.in_hand)


class FleetView(BaseModel):
    """How the fleet is, as the first page shows it."""

    model_config = ConfigDict(frozen=True)

    now: datetime
    verdict: Verdict
    slots: int
    busy: int
    workers: list[WorkerView]
    stages: list[StageQueue]
    backlog: Backlog
    budget: list[BudgetUse]
    runs: dict[State, int]
    last_hour: Series
    last_day: Series
    arq_line: str | None
    """arq's own health check, as `arq --check` reads it; null where it is silent."""


async def look(store: RunStore, redactor: Redactor) -> FleetView:
    """Everything about the fleet, in five round trips however many runs and workers there are."""
    redis = store.redis
    seconds, micros = await redis.time()
    now_us = seconds * 1_000_000 + micros
    workers = [_without_secrets(worker, redactor) for worker in await read_fleet(redis)]
    alive = [worker for worker in workers if worker.is_alive]
    seen = await _read(store, alive, now_us // 1000)
    budget = await read_budget(redis, seen.reports, now_us)
    backlog = seen.backlog(max((use.paused_s for use in budget), default=0.0))
    now = from_ms(now_us // 1000)
    return FleetView(
        now=now,
        verdict=judge(workers, backlog, now),
        slots=sum(worker.slots for worker in alive),
        busy=sum(len(worker.jobs) for worker in alive),
        workers=workers,
        stages=seen.stages(alive),
        backlog=backlog,
        budget=budget,
        runs=seen.runs,
        last_hour=seen.last_hour,
        last_day=seen.last_day,
        arq_line=seen.arq_line,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one pipeline reads."""

    now_ms: int
    queued: int
    due: int
    oldest_due: list[tuple[bytes, float]]
    watched: int
    oldest_watched: list[tuple[bytes, float]]
    arq_line: str | None
    reports: list[str]
    runs: dict[State, int]
    oldest: dict[State, list[tuple[bytes, float]]]
    last_hour: Series
    last_day: Series

    def backlog(self, paused_s: float) -> Backlog:
        """What waits, and how the last hour went."""
        return Backlog(
            queued=self.queued,
            due=self.due,
            oldest_due_s=self._age_s(self.oldest_due),
            watched=self.watched,
            watch_late_s=self._age_s(self.oldest_watched) or 0.0,
            failed_lately=sum(self.last_hour.failed),
            delivered_lately=sum(self.last_hour.delivered),
            paused_s=paused_s,
        )

    def stages(self, alive: Sequence[WorkerView]) -> list[StageQueue]:
        """The four stages in their order."""
        in_hand = Counter(job.stage for worker in alive for job in worker.jobs)
        return [self._stage(stage, states, in_hand[stage]) for stage, states in _OF_STAGE.items()]

    def _stage(self, stage: Stage, states: Sequence[State], in_hand: int) -> StageQueue:
        first = min(
            (self.oldest[state] for state in states if self.oldest[state]), key=lambda each: each[0][1], default=[]
        )
        return StageQueue(
            stage=stage,
            runs=sum(self.runs[state] for state in states),
            in_hand=in_hand,
            oldest_run_id=first[0][0].decode(errors="replace") if first else None,
            oldest_s=self._age_s(first),
        )

    def _age_s(self, first: list[tuple[bytes, float]]) -> float | None:
        return max(0.0, (self.now_ms - first[0][1]) / 1000) if first else None


async def _read(store: RunStore, alive: Sequence[WorkerView], now_ms: int) -> _Seen:
    hour, day = edges_of(now_ms, *_HOUR), edges_of(now_ms, *_DAY)
    unfinished = [state for state in State if not state.is_final]
    async with store.redis.pipeline(transaction=False) as pipe:
        pipe.zcard(store.queue)
        pipe.zcount(store.queue, 0, now_ms)  # what waits in the line of creates, below 0, is not late
        pipe.zrangebyscore(store.queue, 0, now_ms, start=0, num=1, withscores=True)
        pipe.zcard(keys.WATCH)
        pipe.zrange(keys.WATCH, 0, 0, withscores=True)
        pipe.get(keys.health(store.queue))
        for worker in alive:
            pipe.hget(keys.worker(worker.name), "budget")
        for state in State:
            pipe.zcard(keys.state(state))
        for state in unfinished:
            pipe.zrange(keys.state(state), 0, 0, withscores=True)
        ask_series(pipe, hour)
        ask_series(pipe, day)
        answers: Iterator[Any] = iter(await pipe.execute())
    queued, due, oldest_due, watched, oldest_watched, line = islice(answers, 6)
    return _Seen(
        now_ms,
        queued,
        due,
        oldest_due,
        watched,
        oldest_watched,
        arq_line=line.decode(errors="replace") if line else None,
        reports=[report.decode(errors="replace") for report in islice(answers, len(alive)) if report],
        runs=dict(zip(State, islice(answers, len(State)), strict=True)),
        oldest=dict(zip(unfinished, islice(answers, len(unfinished)), strict=True)),
        last_hour=read_series(hour, answers),
        last_day=read_series(day, answers),
    )


def _without_secrets(worker: WorkerView, redactor: Redactor) -> WorkerView:
    return replace(worker, last_redis_error=redactor.text(worker.last_redis_error))
