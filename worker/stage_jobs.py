"""The four stages as arq functions: begin the run's job, let the stage decide, commit what it decided."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from arq.jobs import serialize_result
from arq.utils import timestamp_ms
from arq.worker import Function, Retry, RetryJob, func

from jobs import codec
from jobs.caps import Caps
from jobs.context import Progress, StageContext, show_nobody, trust_lease
from jobs.destination import Destination, open_destination
from jobs.errors import DestinationError, Fenced, NoPlace, UnreadableRun
from jobs.failures import after_failure
from jobs.line import Priority
from jobs.moves import By, Move, plan_move, stage_of
from jobs.outcomes import Again, Finish, Outcome
from jobs.poison import keep_unreadable_run, leave_for_newer
from jobs.policy import Policy
from jobs.room import Room
from jobs.run import Facts, FileRecord, Run, Stage
from jobs.runner import run_stage
from jobs.stages import STAGES, StageFunction
from jobs.store import RunStore
from planet_sdk import OrdersClient
from worker.budget import urgency_s
from worker.claims import REDIS_AWAY, with_patience
from worker.hosts import Disks
from worker.identity import Identity
from worker.log_tail import Tail, as_lines, collect_lines
from worker.moment import Moment
from worker.pulse import Pulse
from worker.set_aside import LEFT_FOR_NEWER_S
from worker.tally import Tally

if TYPE_CHECKING:
    from worker.traces import Traces

log = structlog.get_logger(__name__)

_NO_LIMIT = 10**9  # arq's own count of tries: a stage's patience is the policy's
_URGENCY_S = {Priority.HIGH: 60, Priority.NORMAL: 0, Priority.LOW: -60}  # of waiting for the request budget
_ON_DISK = frozenset({Stage.DOWNLOAD, Stage.VALIDATE})

Commit = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Notebook:
    """What a stage writes down goes through the fence of its job."""

    store: RunStore
    run: Run
    by: By
    tally: Tally

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        await self.store.note(self.run, self.by, facts, files)
        if files and self.run.stage is Stage.DOWNLOAD:
            self.tally.kept(files)

    async def files(self) -> list[FileRecord]:
        return await self.store.files(self.run.run_id)


class Successor(Protocol):
    """Who goes on with a run whose next stage has its turn at once: the worker itself, without another claim."""

    @property
    def take_s(self) -> float:
        """For how many seconds it would lease the next job; 0 while it takes nothing on."""

    async def take_on(self, run: Run, leased: Moment) -> None:
        """Run the next job, which has begun; `leased` is the moment before its lease was asked for."""


@dataclass(slots=True)
class StageJobs:
    """Runs stages for one worker; shared by all of its jobs, as is the Session behind `orders`."""

    store: RunStore
    orders: OrdersClient
    identity: Identity
    destination: str
    staging: Path
    policy: Policy = field(default_factory=Policy)
    stages: Mapping[Stage, StageFunction] = field(default_factory=lambda: STAGES)
    webhook_url: str | None = None
    disks: Disks | None = None
    caps: Caps | None = None
    room: Room = field(default_factory=Room)
    pulse: Pulse | None = None
    successor: Successor | None = None
    tally: Tally = field(default_factory=Tally)
    traces: Traces | None = None
    _open: Callable[[str], Destination] = field(default_factory=lambda: lru_cache(maxsize=64)(open_destination))
    _moves: dict[str, Move] = field(default_factory=dict)
    _unwanted: set[str] = field(default_factory=set)

    @property
    def by(self) -> By:
        """This worker, as the owner of jobs."""
        return By.owner_of_job(self.identity.name, self.identity.owner)

    def functions(self) -> list[Function]:
        """The stages, for arq's Worker."""
        return [func(self.run_job, name=stage.value, max_tries=_NO_LIMIT) for stage in Stage]

    def cancel_run(self, job_id: str) -> bool:
        """Mark a job so that its cancellation, or its start, cancels the run; False where that has been done."""
        if job_id in self._unwanted:
            return False
        self._unwanted.add(job_id)
        return True

    def commit_of(self, job_id: str) -> Commit | None:
        """How a job ends whose stage has decided; None where it has not, or the run was not this worker's to move."""
        move = self._moves.pop(job_id, None)
        return partial(self._commit, move) if move else None

    def context(
        self, run: Run, by: By, progress: Progress = show_nobody, check_lease: Callable[[], None] = trust_lease
    ) -> StageContext:
        """What a stage of this run has at hand."""
        return StageContext(
            orders=self.orders,
            destination=self._open(run.destination or self.destination),
            notebook=_Notebook(self.store, run, by, self.tally),
            staging=self.staging,
            policy=self.policy,
            webhook_url=self.webhook_url,
            progress=progress,
            caps=self.caps,
            room=self.room,
            check_lease=check_lease,
        )

    async def run_job(self, ctx: Mapping[Any, Any], run_id: str) -> dict[str, str]:
        """Begin the run's job `ctx["job_id"]`, unless it has begun, and let its stage decide; the commit comes later.

        Raises:
            RunNotFound: there is no such run.
            RetryJob: Redis is away, or the run must wait in line; the job is to be handed back.
            Retry: a newer version wrote the run; its workers are to have it.
            CancelledError: the worker takes the job back.
        """
        job_id: str = ctx["job_id"]
        bound = structlog.contextvars.bound_contextvars(
            run_id=run_id, worker=self.identity.name, stage=stage_of(job_id), order_id=None
        )
        with collect_lines() as tail, bound:
            try:
                run = ctx.get("begun") or await self.store.begin(
                    run_id, job_id, self.by, self.destination, running_orders=self.policy.running_orders
                )
                structlog.contextvars.bind_contextvars(order_id=run.order_id)
                return await self._decide(run, job_id, tail)
            except Fenced as error:
                log.warning("job dropped, it is not this worker's any more", job_id=job_id, why=str(error))
                if error.why == "fenced":
                    # It may be the run's job still, and this worker's once more, if a pulse came late: never end it.
                    raise RetryJob from error
                return {"outcome": "dropped", "reason": str(error)}
            except NoPlace as error:
                raise RetryJob from error
            except UnreadableRun as error:
                return await self._set_aside(job_id, error)
            except REDIS_AWAY as error:  # the job is handed back; were it arq's to end, the run would lose it
                raise RetryJob from error
            finally:
                self._unwanted.discard(job_id)

    async def _set_aside(self, job_id: str, error: UnreadableRun) -> dict[str, str]:
        """End the job and keep the evidence; the run stays, and the sweep looks whether it can be read again."""
        if error.is_newer and await leave_for_newer(self.store.redis, job_id):
            log.info("run left for a newer worker", job_id=job_id, why=error.why)
            raise Retry(defer=LEFT_FOR_NEWER_S) from error
        log.error("run set aside, its record cannot be read", job_id=job_id, why=error.why)
        await keep_unreadable_run(self.store.redis, error, worker=self.identity.name)
        return {"outcome": "set aside", "reason": str(error)}

    async def _decide(self, run: Run, job_id: str, tail: Tail) -> dict[str, str]:
        started = monotonic()
        urgency_s.set(_URGENCY_S[run.priority])
        if self.pulse and (in_hand := self.pulse.in_hand(job_id)):
            in_hand.stage = run.stage.value
        deciding = self._run_or_cancel(run, job_id)
        outcome = await (self.traces.follow(run, deciding) if self.traces else deciding)
        move = plan_move(run, outcome, self.by)
        seconds = monotonic() - started
        log.info(
            "stage ended",
            outcome=type(outcome).__name__.lower(),
            state=move.state.value,
            reason=outcome.reason,
            tries=run.tries,
            seconds=round(seconds, 3),
            **{name: move.facts[name] for name in ("order_id", "bytes_done") if name in move.facts},
        )
        failure = outcome.failure if isinstance(outcome, Again | Finish) else None
        self.tally.stage_ended(run, outcome, failure, seconds)
        self._moves[job_id] = replace(move, log=as_lines(tail)) if failure else move
        return {"outcome": type(outcome).__name__.lower(), "state": move.state.value, "reason": outcome.reason}

    async def _run_or_cancel(self, run: Run, job_id: str) -> Outcome:
        """Run the stage; where somebody cancels the run meanwhile, run what cancels it."""
        try:
            check_lease = partial(self.pulse.check_lease, job_id) if self.pulse else trust_lease
            context = self.context(run, self.by, partial(self._show_progress, job_id, {}), check_lease)
        except DestinationError as error:
            return after_failure(run, error, self.policy)
        if run.cancel_requested or job_id in self._unwanted:
            self._unwanted.add(job_id)  # what cancels it is not to be interrupted for it
            return await run_stage(run.model_copy(update={"cancel_requested": True}), context, self.stages)
        try:
            if self.disks and run.stage in _ON_DISK:
                await self.disks.check(context.destination)
        except DestinationError as error:
            return after_failure(run, error, self.policy)
        try:
            return await run_stage(run, context, self.stages)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if job_id not in self._unwanted or task is None:
                raise
            task.uncancel()
            # What the stage wrote down until now (an order id, say) decides how the run is cancelled.
            now = await self.store.get(run.run_id)
            return await run_stage(now.model_copy(update={"cancel_requested": True}), context, self.stages)

    def _show_progress(
        self, job_id: str, files: dict[str, tuple[int, int]], path: str, done: int, total: int | None
    ) -> None:
        files[path] = done, total or done
        if self.pulse and (in_hand := self.pulse.in_hand(job_id)):
            in_hand.bytes_done = sum(done for done, _ in files.values())
            in_hand.bytes_total = sum(size for _, size in files.values())

    async def _commit(self, move: Move, result: bytes) -> None:
        """Make the move, with patience while Redis is away: it is made once however often it is asked for.

        Where the next stage has its turn at once, this worker goes on with it.
        """
        move = replace(move, result=result, take_s=self.successor.take_s if self.successor else 0)
        asked = Moment()
        try:
            run = await with_patience(partial(self.store.move, move), move.run.job_id or "")
        except Fenced as error:
            log.warning("commit refused, another worker has the job", job_id=move.run.job_id, why=error.why)
            self.tally.add("commits_refused")
            return
        self.tally.moved(move)
        if run and self.successor:
            await self.successor.take_on(run, asked)


def result_for_arq(
    job_id: str, run_id: str, result: Mapping[str, str], *, queue: str, due_ms: int, started_ms: int
) -> bytes | None:
    """What arq's clients read of a stage's job that has ended: as arq writes it."""
    return serialize_result(
        function=stage_of(job_id),
        args=(run_id,),
        kwargs={},
        job_try=1,
        enqueue_time_ms=due_ms,
        success=True,
        result=result,
        start_ms=started_ms,
        finished_ms=timestamp_ms(),
        ref=job_id,
        queue_name=queue,
        job_id=job_id,
        serializer=codec.dumps_quickly,
    )
