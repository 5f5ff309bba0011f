"""A job's edge: runs the stage a run is in, and turns whatever happens into an outcome with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from jobs.context import StageContext
from jobs.ending import end_early, reason_to_end, until_deadline_s
from jobs.errors import Fenced
from jobs.failures import after_failure
from jobs.outcomes import Again, Finish, Outcome, Park
from jobs.run import Failure, FailureKind, Run, Stage, State
from jobs.stages import STAGES, StageFunction

# Whoever ends a worker takes all jobs in its hands along. Those that have seen several such ends wait for a while, each
# for another: so the innocent among them get on before the one that is at fault starts again.
_SUSPECT_AFTER = 2
_LAG_S = 0.1  # after a deadline, so that it is past on every clock that looks


async def run_stage(run: Run, context: StageContext, stages: Mapping[Stage, StageFunction] = STAGES) -> Outcome:
    """Run the stage that the run is in, and return what should follow; an error is an outcome too.

    Args:
        run: as RunStore.begin() returned it.
        context: what the stage may touch; its notebook writes through the fence of this job.
        stages: what the stages do; other than the real ones only where something else is looked at, as in a benchmark.

    Raises:
        Fenced: this worker no longer owns the job: there is nothing to commit.
        CancelledError: the worker takes the job back: the run stays where it is.
    """
    try:
        outcome = await _decide(run, context, stages)
    except Fenced:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 — the edge: it becomes a state with a reason
        outcome = after_failure(run, error, context.policy)
    return _not_past_deadline(outcome, until_deadline_s(run, context.now()))


def _not_past_deadline(outcome: Outcome, left_s: float) -> Outcome:
    """The outcome, but what waits is looked at when the run's deadline comes; what ends it then has its own pauses."""
    look_in_s = left_s + _LAG_S
    match outcome:
        case Again() if left_s > 0 and look_in_s < outcome.delay_s:
            return replace(outcome, delay_s=look_in_s)
        case Park() if left_s > 0 and look_in_s < outcome.check_in_s:
            return replace(outcome, check_in_s=look_in_s)
        case _:
            return outcome


async def _decide(run: Run, context: StageContext, stages: Mapping[Stage, StageFunction]) -> Outcome:
    limit_s, left_s = context.policy.stage_timeout_s[run.stage], until_deadline_s(run, context.now())
    comes_due = 0 < left_s < limit_s
    try:
        async with asyncio.timeout(left_s if comes_due else limit_s) as limit:
            why = reason_to_end(run, context.now())
            if why is not None:
                return await end_early(run, context, *why)
            if run.vain_starts > context.policy.max_vain_starts:
                return _set_aside(run)
            if run.vain_starts > _SUSPECT_AFTER:
                await context.sleep(context.policy.backoff_s(run.vain_starts - _SUSPECT_AFTER))
            return await stages[run.stage](run, context)
    except TimeoutError as error:
        if limit.expired() and comes_due:
            return Again(_LAG_S, f"stopped in {run.stage}, its deadline has come", charge=False)
        if limit.expired():
            raise TimeoutError(f"{run.stage} had not ended after {limit_s:g} s, and was stopped") from error
        raise


def _set_aside(run: Run) -> Finish:
    """A job that ends its worker each time would end the fleet, one process after another."""
    text = (
        f"set aside: its worker ended {run.vain_starts - 1} times in {run.stage} without getting anywhere "
        f"(last on {run.worker or 'an unknown worker'}); look for a crash or a lack of memory, then retry"
    )
    failure = Failure(kind=FailureKind.BUG, type="WorkerEnded", message=text, stage=run.stage)
    return Finish(State.FAILED, text, failure)
