"""Carry out a plan: a fleet at work on its orders while it is struck, until every run has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from redis.exceptions import RedisError

from jobs import OrderQueue, RunHandle, State, Submission
from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from jobs.store import RunStore
from planet_sdk.simulator import Simulator
from tests.chaos.fleet import ChaosFleet
from tests.chaos.plan import Plan, SeededStore, quick_settings
from tests.chaos.planet import wake_stuck_orders
from tests.processes import Processes, clean_environment

_LOOK_S = 0.2
_CHUNK = 100
_WORK_BEHIND = {State.WAITING: 1, State.DOWNLOADING: 2, State.VALIDATING: 3}
_ALL_WORK = 4
_STILL_FOR_S = 5.0  # much longer than an order takes at the simulator: what has not ended by then is stuck

Tell = Callable[[str], None]


@dataclass
class Storm:
    """Everything that a storm touches, and what was seen of it."""

    plan: Plan
    folder: Path
    simulator: Simulator
    queue: OrderQueue
    fleet: ChaosFleet
    run_ids: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Keys that were submitted a second time and did not find their run."""
    set_aside: int = 0
    """Runs that failed because their workers had been killed too often, and were retried, as failures.md says."""
    counts: dict[State, int] = field(default_factory=dict)
    seconds: float = 0
    _began_at: float = field(default_factory=monotonic)
    _moved_at: float = field(default_factory=monotonic)

    @property
    def destination(self) -> Path:
        """Where the files end up."""
        return self.folder / "orders"

    @property
    def left(self) -> int:
        """Runs that have not ended."""
        return self.plan.orders - sum(count for state, count in self.counts.items() if state.is_final)

    @property
    def share_done(self) -> float:
        """How much of all stages is behind the runs."""
        work = sum(
            count * (_ALL_WORK if state.is_final else _WORK_BEHIND.get(state, 0))
            for state, count in self.counts.items()
        )
        return work / (_ALL_WORK * self.plan.orders)

    async def rage(self, tell: Tell, patience_s: float) -> None:
        """Submit everything, strike as planned, and return when all runs have ended, or nothing moves for so long."""
        self.fleet.start(self.plan.workers)
        async with asyncio.TaskGroup() as work:
            work.create_task(self._submit())
            work.create_task(self._strike(work))
            work.create_task(self._restart())
            try:
                await self._watch(tell, patience_s)
            finally:  # also on Ctrl-C: nobody goes on looking for what will not come
                self.fleet.over.set()
        self.seconds = monotonic() - self._began_at
        await self.fleet.stop()

    async def _submit(self) -> None:
        """As a producer that is never sure to have been heard, and says everything twice."""
        store = SeededStore(self.queue.store.redis)
        store.plan = self.plan
        submissions = self.plan.submissions()
        for start in range(0, len(submissions), _CHUNK):
            chunk = submissions[start : start + _CHUNK]
            first = await self._insist(OrderQueue(store), chunk)
            again = await self._insist(self.queue, chunk)
            self.run_ids += [handle.run_id for handle in first]
            self.strangers += [
                f"{said.key} was {one.run_id}, and then {other.run_id}"
                for said, one, other in zip(chunk, first, again, strict=True)
                if one.run_id != other.run_id
            ]

    async def _insist(self, queue: OrderQueue, chunk: Sequence[Submission]) -> list[RunHandle]:
        while True:
            with suppress(RedisError, OSError):  # its server is being restarted: a key makes it safe to say it again
                return [handle for handle in await queue.submit_many(chunk) if isinstance(handle, RunHandle)]

    async def _strike(self, work: asyncio.TaskGroup) -> None:
        for strike in self.plan.strikes():
            if await self._is_over_by(strike.at_s):
                return
            work.create_task(self.fleet.strike(strike))

    async def _is_over_by(self, at_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._began_at + at_s):  # the loop's clock is the monotonic one
                await self.fleet.over.wait()
        return self.fleet.over.is_set()

    async def _restart(self) -> None:
        for share, how in self.plan.restart_moments():
            while self.share_done < share:
                if await self._is_over_by(monotonic() - self._began_at + _LOOK_S):
                    return
            await self.fleet.restart_server(how)

    async def _watch(self, tell: Tell, patience_s: float) -> None:
        while self.left and monotonic() - self._moved_at < patience_s:
            self.fleet.replace_the_dead()
            with suppress(RedisError, OSError):  # its server is being restarted
                await self._count()
                await self._retry_suspects()
            tell(self._progress())
            await asyncio.sleep(_LOOK_S)  # between two looks

    async def _count(self) -> None:
        counts = await self.queue.store.count()
        if counts != self.counts:
            self.counts, self._moved_at = counts, monotonic()
        elif self.counts[State.WAITING] == self.left and monotonic() - self._moved_at > _STILL_FOR_S:
            wake_stuck_orders(self.simulator)

    async def _retry_suspects(self) -> None:
        """Once no other run is left, say of those that were set aside that they are innocent: the storm killed them."""
        for run in [] if self.left else await self.queue.list(State.FAILED, limit=self.plan.orders):
            if run.error is not None and run.error.type == "WorkerEnded":
                await self.queue.retry(run.run_id)
                self.set_aside += 1
                self.counts[State.FAILED] -= 1

    def _progress(self) -> str:
        blows = sum(self.fleet.blows.values())
        restarts = sum(self.fleet.restarts.values())
        seconds = monotonic() - self._began_at
        return (
            f"{seconds:4.0f} s  {self.plan.orders - self.left:,} of {self.plan.orders:,} runs have ended,"
            f" {self.share_done:4.0%} of the work is done; {blows} blows, {restarts} restarts"
        )


@asynccontextmanager
async def brew(plan: Plan, folder: Path) -> AsyncIterator[Storm]:
    """All that the plan needs: a Planet, a private Valkey, and a fleet that has not started yet. Nothing is left."""
    with Simulator(plan.planet()) as simulator, ExitStack() as stack:
        environment = {
            **clean_environment(),
            **quick_settings(),
            "PL_API_URL": simulator.url,
            "PL_API_KEY": simulator.api_key,
            "ORDERS_DATA_DIR": str(folder / "data"),
            "ORDERS_DESTINATION": str(folder / "orders"),
        }
        valkey = stack.enter_context(EmbeddedValkey(folder / "data"))
        processes = Processes(folder, environment)
        stack.callback(processes.kill_all)
        redis = await connect(valkey.url)
        try:
            yield Storm(plan, folder, simulator, OrderQueue(RunStore(redis)), ChaosFleet(processes, redis))
        finally:
            await redis.aclose()
