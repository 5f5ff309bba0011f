"""Runs moved by hand, as a worker's stages would move them."""

from __future__ import annotations

from typing import Any

from jobs import OrderQueue, RunHandle, State, keys
from jobs.moves import By, plan_move
from jobs.outcomes import Finish, Outcome
from jobs.run import Failure, FailureKind, Run
from tests.stage_rig import request

ME = By.owner_of_job("w1", "w1/boot-1")
DONE = Finish(State.DONE, "verified", facts={"files_done": 3, "bytes_done": 100})
NO_QUOTA = Failure(kind=FailureKind.PRODUCER, type="OverQuota", message="no quota for item 17")
FAILED = Finish(State.FAILED, "no quota", NO_QUOTA)


def requests(count: int) -> list[dict[str, Any]]:
    return [request(name=f"field {number}") for number in range(count)]


async def step(queue: OrderQueue, answer: object, outcome: Outcome) -> Run:
    """Begin the job of an answer's run, and commit this outcome."""
    assert isinstance(answer, RunHandle)
    run = await answer.status()
    job_id = run.job_id or ""
    await queue.store.redis.psetex(keys.in_progress(job_id), 15_000, ME.owner)
    run = await queue.store.begin(run.run_id, job_id, ME, "file:///data")
    await queue.store.move(plan_move(run, outcome, ME))
    return await answer.status()
