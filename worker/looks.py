"""Looks at parked runs: what Planet says of their orders, and the moves that follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from jobs.abreast import abreast
from jobs.ending import until_deadline_s
from jobs.errors import DestinationError, Fenced, RunNotFound, UnreadableRun
from jobs.failures import after_failure
from jobs.moves import By, plan_move
from jobs.outcomes import Outcome
from jobs.parked import DueRun, ParkedRuns
from jobs.poison import keep_unreadable_run
from jobs.run import Run, State
from jobs.watch import look
from worker.budget import urgency_s
from worker.changes import ListedOrder
from worker.claims import REDIS_AWAY
from worker.stage_jobs import StageJobs

log = structlog.get_logger(__name__)

_AT_ONCE = 8  # looks by id; the request budget, not this, is what holds them back
_WAITING = 200  # looks that wait for one of those places: a page, not all that are parked
_MOVES_AT_ONCE = 32
_RUNS_AT_ONCE = 100  # whose records are in memory
_URGENT_S = 60.0  # of waiting, by which what somebody waits for goes before the downloads' requests
_AFTER_AN_ERROR_S = 30.0
_UNREADABLE_S = 600.0  # until a run whose record cannot be read is looked at again


class Looks:
    """The looks of one watcher.

    Args:
        stages: gives a look what a stage has at hand.
        parked: the watch list.
        tasks: in which looks by id run; its end is their end.
        next_check_s: says when to look again at a run that has been parked for so many seconds.
    """

    def __init__(
        self, stages: StageJobs, parked: ParkedRuns, tasks: asyncio.TaskGroup, next_check_s: Callable[[float], float]
    ) -> None:
        self._stages, self._parked, self._tasks, self._next_check_s = stages, parked, tasks, next_check_s
        self._by = By.watcher(stages.identity.name)
        self._under_way: set[str] = set()
        self._places = {is_urgent: asyncio.Semaphore(_AT_ONCE) for is_urgent in (True, False)}

    def is_under_way(self, run_id: str) -> bool:
        """Whether the run is being looked at."""
        return run_id in self._under_way

    def start(self, due: DueRun, *, is_urgent: bool = False) -> bool:
        """Look at a parked run by its order's id, without waiting for it; False where too many wait already."""
        if due.run_id in self._under_way:
            return True
        if len(self._under_way) >= _WAITING * (1 + is_urgent):
            return False
        self._under_way.add(due.run_id)
        self._tasks.create_task(self._look_within(due, is_urgent=is_urgent))
        return True

    async def take(self, page: Sequence[ListedOrder]) -> bool:
        """Move the parked runs whose orders are final; whether anything about any parked run has changed."""
        parked = await self._parked.of_orders([listed.order_id for listed in page])
        ours = [listed for listed in page if listed.order_id in parked]
        final = [(parked[listed.order_id], listed) for listed in ours if listed.is_final]
        for start in range(0, len(final), _RUNS_AT_ONCE):
            some = final[start : start + _RUNS_AT_ONCE]
            runs = {run.run_id: run for run in await self._stages.store.get_many([run_id for run_id, _ in some])}
            ready = [(runs[run_id], listed) for run_id, listed in some if run_id in runs]
            await abreast(lambda one: self._take_one(*one), ready, _MOVES_AT_ONCE)
        return bool(final) or any(listed.is_new for listed in ours)

    async def _take_one(self, run: Run, listed: ListedOrder) -> None:
        if run.order_id != listed.order_id:
            return  # the run has ordered again since
        try:
            await self._look_or_put_off(DueRun(run.run_id, 0), run, listed.order)
        except REDIS_AWAY as error:  # it is listed again
            log.debug("move of a parked run interrupted, Redis is away", run_id=run.run_id, error=str(error))

    async def _look_within(self, due: DueRun, *, is_urgent: bool) -> None:
        urgency_s.set(_URGENT_S if is_urgent else 0.0)
        try:
            async with self._places[is_urgent]:
                await self._look_or_put_off(due)
        except REDIS_AWAY as error:  # it stays due, and is looked at when Redis is back
            log.debug("look interrupted, Redis is away", run_id=due.run_id, error=str(error))
        finally:
            self._under_way.discard(due.run_id)

    async def _look_or_put_off(
        self, due: DueRun, run: Run | None = None, order: Mapping[str, Any] | None = None
    ) -> None:
        with structlog.contextvars.bound_contextvars(run_id=due.run_id, worker=self._stages.identity.name):
            try:
                run = run or await self._stages.store.get(due.run_id)
                await self._look(due, run, order)
            except REDIS_AWAY:
                raise
            except RunNotFound:
                await self._parked.forget(due.run_id)
            except UnreadableRun as error:
                log.error("run set aside, its record cannot be read", why=error.why)  # noqa: TRY400 — no bug of ours
                await keep_unreadable_run(self._stages.store.redis, error, worker=self._stages.identity.name)
                await self._parked.put_off({due: _UNREADABLE_S})
            except Exception:  # a watcher's edge: one run must not hold up the others
                log.exception("look at a parked run failed")
                await self._parked.put_off({due: _AFTER_AN_ERROR_S})

    async def _look(self, due: DueRun, run: Run, order: Mapping[str, Any] | None) -> None:
        if run.state is not State.WAITING or run.job_id:
            return  # it has moved on since it was due
        outcome = await self._judge(run, order)
        if outcome is None:
            await self._parked.put_off({due: self._check_in_s(run)})
            return
        move = plan_move(run, outcome, self._by)
        try:
            await self._stages.store.move(move)
        except Fenced as error:
            log.info("parked run was moved by another", why=error.why)
        else:
            self._stages.tally.spent(run.stage, outcome, (datetime.now(UTC) - run.updated_at).total_seconds())
            self._stages.tally.moved(move)
            if self._stages.traces:
                self._stages.traces.waited(run, outcome)
            log.info("parked run moved", order_id=run.order_id, reason=outcome.reason)

    async def _judge(self, run: Run, order: Mapping[str, Any] | None) -> Outcome | None:
        try:
            return await look(run, self._stages.context(run, self._by), order)
        except DestinationError as error:
            return after_failure(run, error, self._stages.policy)

    def _check_in_s(self, run: Run) -> float:
        now = datetime.now(UTC)
        check_in_s = self._next_check_s((now - run.updated_at).total_seconds())
        left_s = until_deadline_s(run, now)
        return min(check_in_s, left_s) if left_s > 0 else check_in_s
