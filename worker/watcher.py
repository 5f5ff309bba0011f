"""The watcher: looks at parked runs' orders, moves those that are final, and sweeps. One in the fleet does it.

Every worker runs one; whoever holds the duty's lease works, the others ask for it now and then. Two that both believe
they hold it do no harm: a parked run is moved once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic

import structlog

from jobs import keys
from jobs.ending import until_deadline_s
from jobs.errors import DestinationError, Fenced, RunNotFound, UnreadableRun
from jobs.failures import after_failure
from jobs.moves import By, plan_move
from jobs.poison import keep_unreadable_run
from jobs.run import Run
from jobs.sweep import sweep
from jobs.watch import look
from worker.claims import REDIS_AWAY, script_source
from worker.stage_jobs import StageJobs

log = structlog.get_logger(__name__)

_DUTY = "watcher"
_EVERY_S = 1.0
_SWEEP_EVERY_S = 60.0
_AT_ONCE = 8  # the request budget, not this, is what holds looks back
_PAGE = 200
_AFTER_AN_ERROR_S = 30.0
_UNREADABLE_S = 600.0  # until a run whose record cannot be read is looked at again


class Watcher:
    """Run it beside a worker; it shares the worker's Session and store."""

    def __init__(self, stages: StageJobs, *, lease_s: float = 12) -> None:
        self._stages, self.store, self._lease_s = stages, stages.store, lease_s
        self._by = By.watcher(stages.identity.name)
        redis = stages.store.redis
        self._hold = redis.register_script(script_source("hold_duty"))
        self._drop = redis.register_script(script_source("drop_duty"))
        self._sweep_due = 0.0
        self._lease_until = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                try:
                    held = await self._hold_duty()
                    if held:
                        await self._watch_once()
                except REDIS_AWAY as error:
                    log.debug("watch interrupted, Redis is away", error=str(error))
                    held = False
                except Exception:  # the watcher's edge: nothing that lies in Redis may end it for good
                    log.exception("watch interrupted by an error")
                    held = False
                await asyncio.sleep(_EVERY_S if held else self._lease_s / 3)
        finally:
            await asyncio.shield(self._drop_duty())

    async def _hold_duty(self) -> bool:
        """Ask for the lease again when a third of it is left."""
        if monotonic() < self._lease_until - self._lease_s / 3:
            return True
        asked_at = monotonic()
        held = await self._hold(
            keys=[keys.lease(_DUTY)], args=[self._stages.identity.owner, round(self._lease_s * 1000)]
        )
        self._lease_until = asked_at + self._lease_s if held else 0.0
        return bool(held)

    async def _drop_duty(self) -> None:
        try:
            await self._drop(keys=[keys.lease(_DUTY)], args=[self._stages.identity.owner])
        except REDIS_AWAY:
            log.debug("duty left to its lease, Redis is away")

    async def _watch_once(self) -> None:
        if monotonic() >= self._sweep_due:
            self._sweep_due = monotonic() + _SWEEP_EVERY_S
            await self._sweep()
        slots = asyncio.Semaphore(_AT_ONCE)
        run_ids = await self.store.due_parked(_PAGE)
        async with asyncio.TaskGroup() as looks:
            for run_id in run_ids:
                looks.create_task(self._look_within(slots, run_id))

    async def _look_within(self, slots: asyncio.Semaphore, run_id: str) -> None:
        try:
            async with slots:
                if await self._hold_duty():
                    await self._look_or_put_off(run_id)
        except REDIS_AWAY as error:  # it stays due, and is looked at when Redis is back
            log.debug("look interrupted, Redis is away", run_id=run_id, error=str(error))

    async def _look_or_put_off(self, run_id: str) -> None:
        with structlog.contextvars.bound_contextvars(run_id=run_id, worker=self._stages.identity.name):
            try:
                await self._look(run_id)
            except REDIS_AWAY:
                raise
            except Exception:  # a watcher's edge: one run must not hold up the others
                log.exception("look at a parked run failed")
                await self.store.look_again(run_id, _AFTER_AN_ERROR_S)

    async def _look(self, run_id: str) -> None:
        try:
            run = await self.store.get(run_id)
        except RunNotFound:
            await self.store.redis.zrem(keys.WATCH, run_id)
            return
        except UnreadableRun as error:
            log.error("run set aside, its record cannot be read", why=error.why)  # noqa: TRY400 — no bug of ours
            await keep_unreadable_run(self.store.redis, error, worker=self._stages.identity.name)
            await self.store.look_again(run_id, _UNREADABLE_S)
            return
        try:
            outcome = await look(run, self._stages.context(run, self._by))
        except DestinationError as error:
            outcome = after_failure(run, error, self._stages.policy)
        if outcome is None:
            check_in_s = self._stages.policy.next_check_s(_waited_s(run))
            left_s = until_deadline_s(run, datetime.now(UTC))
            await self.store.look_again(run_id, min(check_in_s, left_s) if left_s > 0 else check_in_s)
            return
        try:
            await self.store.move(plan_move(run, outcome, self._by))
        except Fenced as error:
            log.info("parked run was moved by another", why=error.why)
        else:
            log.info("parked run moved", order_id=run.order_id, reason=outcome.reason)

    async def _sweep(self) -> None:
        swept = await sweep(self.store, By.person(self._stages.identity.name))
        if swept.recovered:
            log.error("runs without a job were found and put back", run_ids=swept.recovered)
        if swept.forgotten:
            log.info("old runs forgotten", count=swept.forgotten)


def _waited_s(run: Run) -> float:
    return (datetime.now(UTC) - run.updated_at).total_seconds()
