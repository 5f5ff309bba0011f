"""The watcher: lists what has changed at Planet, moves parked runs whose orders are final, and sweeps.

One in the fleet does it. Every worker runs one; whoever holds the duty's lease works, the others ask for it now and
then. Two that both believe they hold it do no harm: a parked run is moved once. See
docs/decisions/0006-the-watcher-lists.md.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from http import HTTPStatus
from time import monotonic

import structlog

from jobs import keys
from jobs.moves import By
from jobs.parked import DueRun, ParkedRuns
from jobs.sweep import sweep
from planet_sdk.exceptions import APIError, PlanetError
from worker.changes import ListUnusable, OrderChanges
from worker.claims import REDIS_AWAY, script_source
from worker.doorbell import hear
from worker.fleet import WATCHER
from worker.looks import Looks
from worker.rhythm import Rhythm
from worker.stage_jobs import StageJobs

log = structlog.get_logger(__name__)

_ASK_AFTER = 1 / 6  # of a lease: a duty whose holder was killed is taken over within 15 s of a lease of 12
_EVERY_S = 1.25  # between two looks into the watch list
_SWEEP_EVERY_S = 60.0
_PAGE = 500

# Planet's list
_QUICK_S, _SLOW_S = 2.0, 30.0
_APART_S = 0.4  # between two lists that hints ask for: less than half of Planet's 3 a second are ours
_TRUSTED_S = 60.0  # without a list for so long, orders are looked at by id
_UNUSABLE_S = 600.0  # before the list is tried again
_BY_ID_EVERY_S = 1.0  # while the list works: a third of Planet's budget at most
_FEW, _SOON_S = 30, 15.0  # so few parked runs are looked at by id so soon: not every server's list tells the truth

# What a server answers that has no such list, or does not know what is asked of it; anything else may pass.
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}

_random = random.Random()  # noqa: S311 — spreading looks needs no secrecy


class Watcher:
    """Run it beside a worker; it shares the worker's Session and store.

    Args:
        stages: the worker's.
        lease_s: another watcher takes over so long after this one was killed, and a sixth of it.
        uses_list: False asks for each order by its id, as servers need whose lists know neither filters nor sorting.
    """

    def __init__(self, stages: StageJobs, *, lease_s: float = 12, uses_list: bool = True) -> None:
        self._stages, self.store, self._lease_s, self._uses_list = stages, stages.store, lease_s, uses_list
        self._parked = ParkedRuns(stages.store.redis)
        self._changes = OrderChanges(stages.orders, stages.store.redis, stages.policy.settle_s)
        redis = stages.store.redis
        self._hold = redis.register_script(script_source("hold_duty"))
        self._drop = redis.register_script(script_source("drop_duty"))
        self._lease_until = 0.0
        self._sweep_due = 0.0
        quick_s, slow_s = min(_QUICK_S, stages.policy.first_check_s), min(_SLOW_S, stages.policy.max_check_s)
        self._rhythm = Rhythm(quick_s, slow_s, min(_APART_S, quick_s))
        self._trusted_until = 0.0
        self._unusable_until = 0.0
        self._by_id_at = 0.0
        self._are_few = True
        self._hinted: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                if await self._is_on_duty():
                    await _guarded(self._watch())
                await asyncio.sleep(self._lease_s * _ASK_AFTER)
        finally:
            await asyncio.shield(self._drop_duty())

    async def _watch(self) -> None:
        """Watch until the duty is lost."""
        if self._uses_list and monotonic() >= self._unusable_until:
            self._trusted_until = monotonic() + _TRUSTED_S  # until it proves otherwise
        async with asyncio.TaskGroup() as tasks:
            looks = Looks(self._stages, self._parked, tasks, self._next_check_s)
            bell = keys.watch_bell(self.store.queue)
            beside = (
                hear(self.store.redis, bell, on_line=self._rhythm.ask, on_ring=self._take_hint),
                self._follow_changes(looks),
            )
            helpers = [tasks.create_task(coroutine) for coroutine in beside]
            while await self._is_on_duty():
                await _guarded(self._attend(looks))
                await asyncio.sleep(_EVERY_S)
            for helper in helpers:
                helper.cancel()

    async def _is_on_duty(self) -> bool:
        """Ask for the lease again when a third of it is left; whoever cannot ask has lost it."""
        if monotonic() < self._lease_until - self._lease_s / 3:
            return True
        asked_at, lease_ms = monotonic(), round(self._lease_s * 1000)
        try:
            held = await self._hold(keys=[keys.lease(WATCHER)], args=[self._stages.identity.owner, lease_ms])
        except REDIS_AWAY as error:
            log.debug("watch interrupted, Redis is away", error=str(error))
            held = False
        self._lease_until = asked_at + self._lease_s if held else 0.0
        return bool(held)

    async def _drop_duty(self) -> None:
        try:
            await self._drop(keys=[keys.lease(WATCHER)], args=[self._stages.identity.owner])
        except REDIS_AWAY:
            log.debug("duty left to its lease, Redis is away")

    # What has changed at Planet

    def _take_hint(self, run_id: bytes) -> None:
        self._hinted.add(run_id.decode(errors="replace"))
        self._rhythm.ask()

    async def _follow_changes(self, looks: Looks) -> None:
        """List whenever its turn comes; what was hinted at and is not shown as final is looked at by id."""
        while True:
            await self._rhythm.turn()
            hinted, self._hinted = self._hinted, set()
            await _guarded(self._list_changes(looks))
            await _guarded(self._look_at_hinted(looks, hinted))

    async def _list_changes(self, looks: Looks) -> None:
        self._rhythm.slow_down()
        if not self._uses_list or monotonic() < self._unusable_until or not await self._is_on_duty():
            return
        if not (parked := await self._parked.count()):
            await self._changes.rest()
            return
        try:
            has_changed = await self._move_changed(looks, parked)
        except (PlanetError, ListUnusable) as error:
            self._bear_with_list(error)
            return
        self._stages.tally.list_read()
        self._trusted_until = monotonic() + _TRUSTED_S
        if has_changed:
            self._rhythm.quicken()

    async def _move_changed(self, looks: Looks, parked: int) -> bool:
        has_changed = False
        async with aclosing(self._changes.pages(parked)) as pages:
            async for page in pages:
                has_changed |= await looks.take(page)
                if not await self._is_on_duty():
                    break
        return has_changed

    def _bear_with_list(self, error: PlanetError | ListUnusable) -> None:
        if isinstance(error, ListUnusable) or (isinstance(error, APIError) and error.status in _REFUSALS):
            self._trusted_until, self._unusable_until = 0.0, monotonic() + _UNUSABLE_S
        log.warning("list of orders not read", error=str(error), looks_by_id=not self._is_trusted())

    async def _look_at_hinted(self, looks: Looks, hinted: set[str]) -> None:
        for run_id in hinted:
            due = await self._parked.due_of(run_id)
            if due and not looks.start(due, is_urgent=True):
                self._hinted.add(run_id)

    def _is_trusted(self) -> bool:
        return monotonic() < self._trusted_until

    def _next_check_s(self, waited_s: float) -> float:
        """When to look by id again at a run that has been parked for so long."""
        policy = self._stages.policy
        if not self._is_trusted():
            return policy.next_check_s(waited_s)
        return (
            max(_SOON_S, policy.next_check_s(waited_s)) if self._are_few else policy.next_check_of_unlisted_s(waited_s)
        )

    # What is due in the watch list

    async def _attend(self, looks: Looks) -> None:
        """See to what is due: runs to be ended at once, orders that no list has shown, and the sweep."""
        if monotonic() >= self._sweep_due:
            self._sweep_due = monotonic() + _SWEEP_EVERY_S
            await self._sweep()
        while len(due := await self._parked.due(_PAGE)) and await self._see_to(looks, due) and len(due) == _PAGE:
            pass  # ten thousand that were parked at once

    async def _see_to(self, looks: Looks, due: Sequence[DueRun]) -> bool:
        """Start looks at those that need one, and put the others off; whether there were any of these."""
        due = [run for run in due if run.run_id not in self._hinted and not looks.is_under_way(run.run_id)]
        can_wait = []
        for run in due:
            if run.has_to_end or run.waited_s is None:
                looks.start(run, is_urgent=True)
            elif not self._is_trusted():
                looks.start(run)
            else:
                can_wait.append(run)
        await self._put_off(looks, can_wait)
        return bool(can_wait)

    async def _put_off(self, looks: Looks, due: Sequence[DueRun]) -> None:
        """Leave the runs to the list; those that it has not shown for long are looked at by id, one now and then."""
        later: dict[DueRun, float] = {}
        parked = await self._parked.count() if due else 0
        self._are_few = parked <= _FEW
        spread_s, patience_s = 2 * _BY_ID_EVERY_S * parked, self._stages.policy.max_check_s
        if self._are_few:
            patience_s = min(patience_s, _SOON_S)
        for run in due:
            if (left_s := patience_s - (run.waited_s or 0)) > 0:  # just parked, as a rule
                later[run] = left_s
                self._rhythm.quicken()
            elif monotonic() >= self._by_id_at and looks.start(run):
                self._by_id_at = monotonic() + _BY_ID_EVERY_S
            else:  # over twice the time that it takes to look at all of them
                later[run] = _random.uniform(0, spread_s)
        await self._parked.put_off(later)

    async def _sweep(self) -> None:
        swept = await sweep(self.store, By.person(self._stages.identity.name))
        if swept.recovered:
            log.error("runs without a job were found and put back", run_ids=swept.recovered)
        if swept.forgotten:
            log.info("old runs forgotten", count=swept.forgotten)


async def _guarded(step: Awaitable[None]) -> None:
    """The watcher's edge: nothing that lies in Redis, or comes from Planet, may end it for good."""
    try:
        await step
    except REDIS_AWAY as error:
        log.debug("watch interrupted, Redis is away", error=str(error))
    except Exception:
        log.exception("watch interrupted by an error")
