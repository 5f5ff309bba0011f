"""The worker: arq's, with another way to claim, renew, finish and wait.

It keeps arq's keys, payloads and `enqueue_job` contract, so arq's own clients go on working, and it runs any arq
function. What it replaces, and why, is told in docs/decisions/0002-the-worker.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.utils import timestamp_ms
from arq.worker import Function, Retry, RetryJob, Worker
from redis import Redis

from jobs import codec, keys
from jobs.errors import RunNotFound
from jobs.moves import run_id_of
from jobs.poison import is_bad_data
from jobs.policy import Policy
from jobs.run import Run, Stage
from worker import doorbell
from worker.aborts import Aborts
from worker.claims import MOST_AT_ONCE, REDIS_AWAY, Claims, with_patience
from worker.containment import contained, harmless
from worker.identity import Identity
from worker.moment import Moment
from worker.outage import Outage
from worker.plain_jobs import run_once, tried_again
from worker.pulse import Counters, Pulse
from worker.set_aside import keep_evidence
from worker.stage_jobs import StageJobs, result_for_arq

log = structlog.get_logger(__name__)

_HAND_BACK_S = 5  # for cancelled jobs to be handed back at the end
_ARQ_TIMEOUT_S = 7 * 24 * 3600  # a stage has a timeout of its own; this bounds plain functions that set none


@dataclass(slots=True)
class _Claimed:
    """A job this worker has."""

    due_ms: int
    is_taken_away: bool = False  # by a worker that stops, or one that lost it


class OrderWorker(Worker):
    """Runs jobs until it is told to stop, whatever becomes of Redis meanwhile.

    A job is this worker's for the length of a lease, which a thread renews; a commit that comes when another worker
    has the job is refused. Neither an error in a job or a hook nor a lost Redis ends the process.
    """

    def __init__(
        self,
        functions: Sequence[Function | Callable[..., Any]] = (),
        *,
        redis_pool: ArqRedis,
        connect_pulse: Callable[[], Redis],
        identity: Identity,
        stage_jobs: StageJobs | None = None,
        policy: Policy | None = None,
        lease_s: float = 12,
        health_interval_s: float = 5,
        stop_wait_s: float = 3,
        **arq_options: Any,
    ) -> None:
        queue = arq_options.setdefault("queue_name", redis_pool.default_queue_name)
        arq_options.setdefault("job_timeout", _ARQ_TIMEOUT_S)
        super().__init__(
            [*(stage_jobs.functions() if stage_jobs else ()), *functions],
            redis_pool=redis_pool,
            handle_signals=False,
            health_check_key=keys.health(queue, identity.name),
            job_serializer=codec.dumps,
            job_deserializer=codec.loads,
            **arq_options,
        )
        self.identity = identity
        self.stop_wait_s = stop_wait_s
        self.stages = stage_jobs
        policy = policy or (stage_jobs.policy if stage_jobs else Policy())
        self._contain_everything(policy)
        self.claims = Claims(redis_pool, queue=queue, owner=identity.owner, lease_s=lease_s, policy=policy)
        self.aborts = Aborts(redis_pool)
        self.pulse = Pulse(
            identity,
            self,
            connect=connect_pulse,
            queue=queue,
            slots=self.max_jobs,
            lease_s=lease_s,
            health_interval_s=health_interval_s,
        )
        if stage_jobs:
            stage_jobs.pulse, stage_jobs.successor, self.pulse.tally = self.pulse, self, stage_jobs.tally
        self._lease_s = lease_s
        self._going_on: set[asyncio.Task[Any] | None] = set()
        self._wake = asyncio.Event()
        self._claimed: dict[str, _Claimed] = {}
        self._stop_reason: str | None = None
        self.outage = Outage()

    def _contain_everything(self, policy: Policy) -> None:
        stages = {stage.value for stage in Stage} if self.stages else set()
        settings: dict[str, Any] = {
            "timeout_s": self.job_timeout_s,
            "max_tries": self.max_tries,
            "is_allowed": lambda: self.retry_jobs,
        }
        for name, function in self.functions.items():
            held: Function | CronJob = replace(function, coroutine=contained(function.coroutine))
            if name not in stages:
                held = run_once(tried_again(held, policy, **settings))
            self.functions[name] = held
        for hook in ("on_job_start", "on_job_end", "after_job_end", "on_shutdown"):
            if (coroutine := getattr(self, hook)) is not None:
                setattr(self, hook, harmless(coroutine))

    # The life of the process

    async def main(self) -> None:
        """Claim and run jobs until stop() is called (or, with arq's burst, until none are left)."""
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        self.pulse.start()
        listeners = [
            asyncio.create_task(
                doorbell.listen(self.pool, self.queue_name, on_work=self._wake.set, on_cancel=self._give_up)
            ),
            asyncio.create_task(self.aborts.watch(self.job_tasks.keys(), self._give_up)),
        ]
        log.info("worker started", worker=self.identity.name, slots=self.max_jobs, queue=self.queue_name)
        try:
            await self._work()
            await self._drain()
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)

    def stop(self, reason: str) -> None:
        """Claim nothing more; running jobs get `stop_wait_s` seconds. Called again: they are handed back at once."""
        if self._stop_reason:
            self.stop_wait_s = 0
            self._hand_back_all()
        else:
            log.info("worker stopping", reason=reason, jobs=len(self.tasks), wait_s=self.stop_wait_s)
        self._stop_reason = reason
        self.allow_pick_jobs = False
        self.pulse.say(f"stopping: {reason}")
        self._wake.set()

    async def close(self) -> None:
        """Report the end, and close what main() opened. What jobs are still in hand is left to its lease."""
        if self._pool is None:
            return
        await self.pulse.stop(self._stop_reason or "closed")
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self.pool.aclose()
        self._pool = None
        log.info("worker stopped", worker=self.identity.name, complete=self.jobs_complete, failed=self.jobs_failed)

    # The loop

    async def _work(self) -> None:
        is_poll = False
        while not self._stop_reason:
            self._wake.clear()
            try:
                await self._claim_jobs(look_first=is_poll)
                await self.heart_beat()
                if self.burst and not self.tasks and await self._is_burst_over():
                    return
            except REDIS_AWAY as error:
                await self.outage.bear(error, self._wake)
                is_poll = False
            else:
                self.outage.end()
                is_poll = await self._rest()

    async def _is_burst_over(self) -> bool:
        return 0 <= self.max_burst_jobs <= self._jobs_started() or not await self.pool.zcard(self.queue_name)

    async def _rest(self) -> bool:
        """Until the bell rings, a job ends, or it is time to poll: then it returns True."""
        try:
            async with asyncio.timeout(self.poll_delay_s):
                await self._wake.wait()
        except TimeoutError:
            return True
        return False

    async def _claim_jobs(self, *, look_first: bool) -> None:
        free = self.max_jobs - self.job_counter
        if self.burst and self.max_burst_jobs >= 0:
            free = min(free, self.max_burst_jobs - self._jobs_started())
        if free <= 0 or not self.allow_pick_jobs:
            return
        if look_first and not await self.claims.any_due():
            return
        asked = Moment()
        claimed, any_aborts = await self.claims.claim(free, self.max_jobs, self._claimed)
        unwanted = await self.aborts.unwanted() if any_aborts else frozenset()
        for job_id, due_ms in claimed:
            if job_id in self._claimed:  # its lease had lapsed, and nobody else was quicker: the job just goes on
                log.warning("lapsed lease taken up again", job_id=job_id)
            else:
                self._start_job(job_id, due_ms, asked, is_unwanted=job_id in unwanted)
        if len(claimed) == MOST_AT_ONCE:
            self._wake.set()  # there may be more

    @property
    def take_s(self) -> float:
        """The lease of a stage that is gone on with at once; 0 where a claim is to decide on it."""
        return 0 if self.burst or not self.allow_pick_jobs else self._lease_s

    async def take_on(self, run: Run, leased: Moment) -> None:
        """Run the next stage in the slot of the one that ends; a worker that stops meanwhile hands it back."""
        job_id = run.job_id or ""
        if self._stop_reason:
            await self.claims.hand_back(job_id)
        else:
            self._start_job(job_id, timestamp_ms(), leased, is_unwanted=False, begun=run)
            self._going_on.add(asyncio.current_task())

    def _start_job(
        self, job_id: str, due_ms: int, leased: Moment, *, is_unwanted: bool, begun: Run | None = None
    ) -> None:
        self.job_counter += 1
        self.pulse.hold(job_id, leased)
        self._claimed[job_id] = _Claimed(due_ms)
        running = self._run_claimed(job_id, due_ms, is_unwanted=is_unwanted, begun=begun)
        task = self.tasks[job_id] = self.loop.create_task(running, name=job_id)
        task.add_done_callback(partial(self._job_ended, job_id))

    def _job_ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        self.job_counter -= 1
        if task in self._going_on:
            self._going_on.remove(task)
        elif not self.claims.ends_under_way or 2 * self.job_counter <= self.max_jobs:
            self._wake.set()  # a slot is free, and no other is about to be: one claim fills them all
        if self.tasks.get(job_id) is task:  # not if the job was claimed again while a hook told of its end
            del self.tasks[job_id]
            self._claimed.pop(job_id, None)
            self.aborting_tasks.discard(job_id)
            self.pulse.release(job_id)

    async def _run_claimed(self, job_id: str, due_ms: int, *, is_unwanted: bool, begun: Run | None) -> None:
        """A job's edge: nothing that goes wrong inside ends the worker. What is not finished is left to its lease."""
        if is_unwanted and self.stages and run_id_of(job_id):  # a stage is started, so that it cancels its run
            self.stages.cancel_run(job_id)
            is_unwanted = False
        try:
            if not await self._run_stage(job_id, due_ms, begun):
                # run_job reads it before it first waits, and ends the job unstarted
                self.allow_abort_jobs = is_unwanted
                await self.run_job(job_id, due_ms)
        except REDIS_AWAY as error:
            log.warning("job left to its lease, Redis is away", job_id=job_id, error=str(error))
            if is_bad_data(error):  # which no waiting mends
                with suppress(*REDIS_AWAY):
                    await self.finish_failed_job(job_id, None)
        except asyncio.CancelledError:
            log.info("job left to its lease", job_id=job_id)
        except Exception:
            log.exception("job left to its lease after an error outside its function", job_id=job_id)

    async def _run_stage(self, job_id: str, due_ms: int, begun: Run | None) -> bool:
        """Run the job of a run without arq's round trip for payload and tries: the run has both.

        Returns:
            False for any other job, also one whose id only looks like that of a stage: it is arq's to run.
        """
        run_id = run_id_of(job_id)
        if self.stages is None or run_id is None:
            return False
        started_ms = timestamp_ms()
        running = self.stages.run_job({"job_id": job_id, "begun": begun}, run_id)
        task = self.job_tasks[job_id] = self.loop.create_task(running)
        result, delay_ms = None, 0
        try:
            result = await task
        except RunNotFound:
            return False
        except (asyncio.CancelledError, RetryJob, Retry) as wish:
            delay_ms = (wish.defer_score or 0) if isinstance(wish, Retry) else 0
        finally:
            del self.job_tasks[job_id]
        if result is None:
            self.jobs_retried += 1
            await self._start_again(job_id, delay_ms, costs_try=False)  # a stage's tries are its policy's
        else:
            self.jobs_complete += 1
            ended = result_for_arq(job_id, run_id, result, queue=self.queue_name, due_ms=due_ms, started_ms=started_ms)
            await self.finish_job(job_id, True, ended, self.keep_result_s, False, None, None)
        return True

    # Giving jobs up

    def counters(self) -> Counters:
        """What the pulse reports."""
        return Counters(self.jobs_complete, self.jobs_failed, self.jobs_retried)

    def on_lost(self, job_ids: list[str]) -> None:
        """Another worker has these jobs: stop working on them."""
        self.pulse.tally.add("leases_lost", by=len(job_ids))
        for job_id in job_ids:
            log.warning("lease lost, job given up", job_id=job_id)
            self.pulse.release(job_id)
            self._take_away(job_id)

    def _give_up(self, job_id: str) -> None:
        """Somebody wants this job given up: a run's stage cancels its run, a plain job is aborted as arq does it."""
        task = self.job_tasks.get(job_id)
        if task is None or task.done():
            return
        if self.stages and run_id_of(job_id):
            if self.stages.cancel_run(job_id):
                task.cancel()
        elif job_id not in self.aborting_tasks:
            self.aborting_tasks.add(job_id)
            task.cancel()

    async def _drain(self) -> None:
        if self.tasks and self.stop_wait_s:
            await asyncio.wait(self.tasks.values(), timeout=self.stop_wait_s)
        self._hand_back_all()
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=_HAND_BACK_S)

    def _hand_back_all(self) -> None:
        for job_id in list(self.job_tasks):
            self._take_away(job_id)

    def _take_away(self, job_id: str) -> None:
        """End a job's work without its doing: that costs it no try."""
        if task := self.job_tasks.get(job_id):
            self._claimed[job_id].is_taken_away = True
            task.cancel()

    # How jobs end

    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """Commit what a stage decided, or end a plain job as arq does; for the owner of the job only."""
        if self.stages and (commit := self.stages.commit_of(job_id)):
            await commit(result_data or b"")
        elif finish:
            result_s = None if keep_result_forever else result_timeout_s or 0
            kept: dict[str, Any] = {"result": result_data, "result_s": result_s, "keep_mark_s": keep_in_progress}
            end = partial(self.claims.finish, **kept, forget_abort=self.aborts.were_any)
            await with_patience(partial(end, job_id), job_id)
        else:
            claimed = self._claimed[job_id]
            # arq's score counts from when the job was due; what the job asked for counts from now.
            delay_ms = max(0, claimed.due_ms + incr_score - timestamp_ms()) if incr_score else 0
            await self._start_again(job_id, delay_ms, costs_try=not claimed.is_taken_away)
        self._claimed.pop(job_id, None)

    async def _start_again(self, job_id: str, delay_ms: int, *, costs_try: bool) -> None:
        """Hand a job back. From then on it may be claimed, here too, while a hook is still told of its end."""
        await self.pulse.let_go(job_id)
        hand_back = partial(self.claims.hand_back, delay_s=delay_ms / 1000, costs_try=costs_try)
        await with_patience(partial(hand_back, job_id), job_id)
        self._claimed.pop(job_id, None)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """End a job that could not be started, with the evidence kept, or leave it for workers of a newer version.

        A run that loses its job so gets a new one from the sweep.
        """
        pause_s = await keep_evidence(self.pool, job_id, result_data, worker=self.identity.name)
        if pause_s:
            await self._start_again(job_id, round(pause_s * 1000), costs_try=False)
            return
        keep = result_data if self.keep_result_s > 0 or self.keep_result_forever else None
        result_s = None if self.keep_result_forever else self.keep_result_s
        await with_patience(partial(self.claims.finish, job_id, result=keep, result_s=result_s), job_id)

    async def record_health(self) -> None:
        """Nothing: the pulse reports health from its thread, also while the loop is held up."""
