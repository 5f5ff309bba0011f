"""The JSON API of batches: thousands of requests in one call, with an answer for each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError, WithJsonSchema

from jobs.batch import Batch
from jobs.batch_summary import BatchSummary
from jobs.errors import BadRequest, Problem
from jobs.intake import Answer
from jobs.redaction import Redactor
from jobs.run import State
from jobs.submission import Submission
from worker.web.answers import FieldError
from worker.web.asking import PAGE, PAGE_MAX, AtDesk, Before, caller_of, in_trace_of
from worker.web.problems import BAD_BODY, REFUSED, Answers, problem
from worker.web.submitting import Key, OrderRequest, SubmittedRun, chosen_key
from worker.web.tags import answer_tagged

MOST_REQUESTS = 10_000
_RETRIED_AT_ONCE = 500  # a second or two
MOST_BYTES = 32 * 1024 * 1024  # a request of a scene or two has one or two thousand

router = APIRouter(prefix="/v1", tags=["batches"], responses=REFUSED)

# Each is checked by itself: one that cannot be read must not hold the others up.
_Request = Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/OrderRequest"})]
_UNKNOWN: Answers = {404: problem("There is no such batch.")}


class BatchRequest(BaseModel):
    """Order requests that belong together."""

    requests: list[_Request] = Field(min_length=1, max_length=MOST_REQUESTS)
    key: Key | None = None
    name: str = Field(default="", max_length=200, description="For people to read.")
    producer: str | None = Field(
        default=None, min_length=1, max_length=200, description="Who asks, where a request does not say."
    )
    callback_url: str | None = Field(
        default=None, max_length=2000, description="Told of the batch's end, if the fleet's settings allow it to be."
    )


class BatchAnswer(BaseModel):
    """What became of one request: its run, or what is wrong with it."""

    run: SubmittedRun | None = None
    errors: list[FieldError] | None = None


class SubmittedBatch(BaseModel):
    """A batch that was taken, and an answer for each of its requests, in their order."""

    batch_id: str
    answers: list[BatchAnswer]


class BatchView(BaseModel):
    """A batch and how many of its runs are in each state."""

    batch_id: str
    name: str
    producer: str | None
    key: str | None
    created_at: datetime
    submitted_at: datetime | None = Field(description="Null while it is being submitted, or if that was broken off.")
    ended_at: datetime | None = Field(description="When all of it was submitted and the last of its runs ended.")
    requests: int | None
    refused: int = Field(description="Requests that have no run.")
    elsewhere: int = Field(description="Requests whose key had a run already that is not of this batch.")
    runs: dict[State, int]
    total: int
    ended: int
    callback_url: str | None
    callback_note: str | None

    @classmethod
    def of(cls, batch: Batch, redactor: Redactor) -> Self:
        """The batch without secrets."""
        free = ("name", "producer", "key", "callback_url", "callback_note")
        shown = batch.as_dict()
        shown |= redactor.mapping({name: shown[name] for name in free})
        return cls.model_validate({**shown, "total": batch.total, "ended": batch.ended})


class BatchList(BaseModel):
    """A page of batches, the newest first."""

    batches: list[BatchView]
    next: str | None = Field(description="`before` of the next page; null on the last one.")


class CancelledBatch(BaseModel):
    """What a cancel of a batch has done."""

    cancelled: int = Field(description="Runs that are cancelled now, or will be by whoever has them in hand.")


class RetriedBatch(BaseModel):
    """What one retry of a batch has done."""

    retried: int
    refused: int = Field(description="Failed runs for which it is not possible: they stay as they are.")
    left: int = Field(description="Failed runs that this call has not come to; call again.")


class SummaryView(BaseModel):
    """What has become of a batch so far."""

    batch: BatchView
    files: int
    bytes: int
    failures: list[dict[str, Any]] = Field(description="What failed or expired, by cause, the most frequent first.")

    @classmethod
    def of(cls, summary: BatchSummary, redactor: Redactor) -> Self:
        """The summary without secrets."""
        failures = [redactor.mapping(group.as_dict()) for group in summary.failures]
        batch = BatchView.of(summary.batch, redactor)
        return cls(batch=batch, files=summary.files, bytes=summary.bytes, failures=failures)


@router.post(
    "/batches",
    operation_id="submit_batch",
    status_code=201,
    responses={
        201: {"headers": {"Location": {"description": "The batch's address.", "schema": {"type": "string"}}}},
        **BAD_BODY,
    },
)
async def submit_batch(
    request: Request,
    response: Response,
    desk: AtDesk,
    batch: BatchRequest,
    idempotency_key: Annotated[Key | None, Header(description="As the field `key`.")] = None,
) -> SubmittedBatch:
    """Put up to 10,000 order requests into the queue, as one batch that counts its runs and ends with the last of them.

    A request that cannot be ordered has its errors in its answer, and does not hold the others up. With a key the call
    may be repeated until it is answered: what was taken is found, the rest is submitted, nothing is bought twice.
    """
    read = [_read(each) for each in batch.requests]
    submissions = [Submission({}) if isinstance(each, BadRequest) else each for each in read]  # which keeps its place
    key = chosen_key(batch.key, idempotency_key)
    with in_trace_of(request):
        batch_id, answers = await desk.submit_batch(
            submissions, name=batch.name, key=key, producer=batch.producer, callback_url=batch.callback_url
        )
    response.headers["Location"] = str(request.app.url_path_for("get_batch", batch_id=batch_id))
    told = [own if isinstance(own, BadRequest) else answer for own, answer in zip(read, answers, strict=True)]
    return SubmittedBatch(batch_id=batch_id, answers=[_tell(each) for each in told])


@router.get("/batches", operation_id="list_batches")
async def list_batches(
    desk: AtDesk, limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE, before: Before = None
) -> BatchList:
    """The newest batches first; go on with `before` set to the page's `next`, until that is null."""
    batches, following = await desk.list_batches(limit, before)
    shown = [BatchView.of(each, desk.redactor) for each in batches]
    return BatchList(batches=shown, next=str(following) if following else None)


@router.get(
    "/batches/{batch_id}",
    operation_id="get_batch",
    response_model=BatchView,
    responses={304: {"description": "It is as it was when it had the ETag of `If-None-Match`."}, **_UNKNOWN},
)
async def get_batch(request: Request, desk: AtDesk, batch_id: str) -> Response:
    """One batch, with how many of its runs are in each state; its runs are listed by `GET /v1/runs?batch_id=`."""
    return answer_tagged(request, BatchView.of(await desk.get_batch(batch_id), desk.redactor))


@router.get("/batches/{batch_id}/summary", operation_id="get_batch_summary", responses=_UNKNOWN)
async def get_batch_summary(desk: AtDesk, batch_id: str) -> SummaryView:
    """What has become of a batch so far: counts, files, bytes, failures by cause. Each of its runs is read for it."""
    return SummaryView.of(await desk.summarize_batch(batch_id), desk.redactor)


@router.post("/batches/{batch_id}/cancel", operation_id="cancel_batch", responses=_UNKNOWN)
async def cancel_batch(request: Request, desk: AtDesk, batch_id: str) -> CancelledBatch:
    """Cancel every run of a batch that has not ended, and its order at Planet where Planet still allows it.

    It may be repeated. A thousand runs take a second or two.
    """
    return CancelledBatch(cancelled=await desk.cancel_batch(batch_id, by=caller_of(request)))


@router.post("/batches/{batch_id}/retry", operation_id="retry_batch", responses=_UNKNOWN)
async def retry_batch(request: Request, desk: AtDesk, batch_id: str) -> RetriedBatch:
    """Let the runs of a batch that failed or expired go on from the stages they ended in; nothing is bought again.

    One call retries 500 runs at most: repeat it as long as some are left.
    """
    run_ids, failed = await desk.list_failed(batch_id, _RETRIED_AT_ONCE)
    refused = await desk.retry_each(run_ids, by=caller_of(request))
    left = max(0, failed - len(run_ids))
    return RetriedBatch(retried=len(run_ids) - len(refused), refused=len(refused), left=left)


def _read(said: object) -> Submission | BadRequest:
    """One request of a batch, or what keeps it from being read."""
    try:
        return OrderRequest.model_validate(said).as_submission()
    except ValidationError as error:
        flaws = error.errors(include_url=False, include_input=False, include_context=False)
        return BadRequest([Problem(".".join(map(str, each["loc"])), each["msg"]) for each in flaws])


def _tell(answer: Answer) -> BatchAnswer:
    if isinstance(answer, BadRequest):
        return BatchAnswer(errors=[FieldError(field=each.field, message=each.message) for each in answer.problems])
    if isinstance(answer, Exception):
        return BatchAnswer(errors=[FieldError(field="key", message=str(answer))])
    return BatchAnswer(run=SubmittedRun.of(answer))
