"""How an ended run goes on."""

from __future__ import annotations

from jobs.errors import NotPossible
from jobs.moves import By, Move
from jobs.run import Facts, Run, Stage, State

_AFRESH = ("error", "cancel_requested", "deadline_at", "refetches")  # what a new attempt does not inherit


def plan_retry(run: Run, by: By, *, rebuy: bool) -> Move:
    """The move that lets a run go on from the stage it ended in; `rebuy` starts over, with a new order.

    Raises:
        NotPossible: the run has not ended, is done, or could only go on with a new order.
    """
    stage, learnt = _resume_at(run, rebuy=rebuy)
    reason = "ordered again on request" if rebuy else "retried on request"
    state = State.QUEUED if stage is Stage.CREATE else stage.state
    facts = {**dict.fromkeys(_AFRESH), **learnt}
    return Move(run, by, state, stage, reason, facts, enters_stage=True, next_stage=stage)


def plan_revalidation(run: Run, by: By) -> Move:
    """The move that lets the files of a run be validated once more.

    Raises:
        NotPossible: the run has delivered no files to this fleet.
    """
    if not run.state.has_files or run.order_id is None or not run.files_total:
        raise NotPossible(run.run_id, f"it is {run.state}, and has delivered no files to validate")
    stage, reason = Stage.VALIDATE, "validated again on request"
    return Move(run, by, stage.state, stage, reason, dict.fromkeys(_AFRESH), enters_stage=True, next_stage=stage)


def _resume_at(run: Run, *, rebuy: bool) -> tuple[Stage, Facts]:
    """Where an ended run goes on, and what of it starts afresh."""
    if not run.state.is_final:
        raise NotPossible(run.run_id, f"it has not ended, it is {run.state}; cancel it first")
    if run.state is State.DONE:
        raise NotPossible(run.run_id, "it is done; submit the request anew to order it again")
    if rebuy:
        fresh = ("order_id", "order_state", "order_message", "error_hints", "intent_at", "files_total", "bytes_total")
        none_yet = ("files_done", "bytes_done")
        return Stage.CREATE, {"rebuys": run.rebuys + 1, **dict.fromkeys((*fresh, *none_yet))}
    if run.order_state in {"failed", "cancelled"}:
        raise NotPossible(
            run.run_id,
            f"order {run.order_id} is {run.order_state} at Planet; only a new order helps: retry with rebuy (--rebuy)",
        )
    if run.order_id is None:
        return Stage.CREATE, {}
    return (run.stage if run.stage in {Stage.DOWNLOAD, Stage.VALIDATE} else Stage.WAIT), {}
