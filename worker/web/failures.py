"""The JSON API of failures: what failed, by cause, and a retry for all runs of one cause."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from jobs.causes import CauseGroup
from jobs.newest_failures import FailureLook
from jobs.redaction import Redactor
from jobs.run import State
from worker.web.asking import AtDesk, Before, caller_of
from worker.web.problems import REFUSED

router = APIRouter(prefix="/v1", tags=["failures"], responses=REFUSED)

_AT_ONCE = 100  # runs that one call retries: a fraction of a second

_CauseId = Annotated[str, Path(pattern="^[0-9a-f]{8}$", description="A cause's id, as the list of failures has it.")]


class CauseView(BaseModel):
    """The runs that failed or expired for one cause."""

    cause: str = Field(description="Eight letters that name it, today as tomorrow.")
    state: State
    kind: str = Field(description="Whose turn it is: temporary, producer, planet or bug.")
    type: str
    stage: str
    message: str = Field(description="What went wrong, without what differs from run to run.")
    advice: str
    runs: int
    first_at: datetime
    last_at: datetime
    example_message: str = Field(description="Of the newest run, as it was.")
    run_ids: list[str] = Field(description="The newest of them, at most 20.")

    @classmethod
    def of(cls, group: CauseGroup, run_ids: list[str], redactor: Redactor) -> Self:
        """The group without secrets."""
        return cls.model_validate({**redactor.mapping(group.as_dict()), "run_ids": run_ids})


class Failures(BaseModel):
    """What failed or expired, the most frequent cause first."""

    causes: list[CauseView]
    looked_at: int = Field(description="How many runs were grouped: the newest 2,000 at most.")
    failed: int = Field(description="How many runs there are that failed or expired.")

    @classmethod
    def of(cls, look: FailureLook, redactor: Redactor) -> Self:
        """The look without secrets."""
        causes = [CauseView.of(group, look.run_ids[group.cause.id], redactor) for group in look.groups]
        return cls(causes=causes, looked_at=look.looked_at, failed=look.failed)


class RefusedRetry(BaseModel):
    """A run that cannot be retried."""

    run_id: str
    detail: str


class RetriedRuns(BaseModel):
    """What one call has retried, and what is left to do."""

    retried: list[str]
    refused: list[RefusedRetry] = Field(description="Those for which it is not possible: they stay as they are.")
    left: int = Field(description="Runs of this cause that were seen behind these; go on with `next`.")
    next: str | None = Field(description="`before` of the next call; null when nothing is left.")


@router.get("/failures", operation_id="list_failures")
async def list_failures(desk: AtDesk) -> Failures:
    """The newest runs that failed or expired, grouped by cause: for each how many, since when, and what to do."""
    return Failures.of(await desk.look_at_failures(), desk.redactor)


@router.post("/failures/{cause}/retry", operation_id="retry_failures")
async def retry_failures(
    request: Request,
    desk: AtDesk,
    cause: _CauseId,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=_AT_ONCE, description="Runs that this call retries.")] = _AT_ONCE,
) -> RetriedRuns:
    """Let the runs of one cause go on from the stages they ended in, the newest first.

    No order is bought twice. Repeat the call with `before` set to `next` until that is null: a run that fails again
    meanwhile is not retried again. Where no failed run has the cause, as after a call whose answer was lost, nothing
    is retried.
    """
    found = await desk.find_failures(cause, limit, before)
    refused = await desk.retry_each([run.run_id for run in found.runs], by=caller_of(request))
    return RetriedRuns(
        retried=[run.run_id for run in found.runs if run.run_id not in refused],
        refused=[RefusedRetry(run_id=run_id, detail=desk.redactor.text(why)) for run_id, why in refused.items()],
        left=found.left,
        next=str(found.next) if found.next else None,
    )
