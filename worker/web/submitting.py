"""The JSON API, for submitting runs and for acting on them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from jobs.errors import BadRequest, Problem
from jobs.handles import RunHandle
from jobs.line import Priority
from jobs.preview import Preview
from jobs.submission import Submission
from worker.web.asking import AtDesk, caller_of, in_trace_of
from worker.web.problems import BAD_BODY, NOT_POSSIBLE, REFUSED, UNKNOWN_RUN, problem
from worker.web.views import RunSummary

router = APIRouter(prefix="/v1", tags=["runs"], responses=REFUSED)

Key = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="Makes the call idempotent: the same key is the same run, for as long as runs are kept.",
    ),
]


_SCENES = {
    "item_ids": {"type": "array", "items": {"type": "string"}},
    "item_type": {"type": "string"},
    "product_bundle": {"type": "string"},
}
# Read as any object, so that all that is wrong with a request is told at once, by jobs.request.
_Product = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "title": "Product", "properties": _SCENES})]
_EXAMPLE: dict[str, Any] = {
    "name": "field 7",
    "products": [
        {"item_ids": ["20220605_124027_64_242b"], "item_type": "PSScene", "product_bundle": "analytic_udm2"},
    ],
}


class OrderRequest(BaseModel):
    """An order request as Planet takes it, and with it what is for this fleet.

    Further fields of Planet's (`tools`, `delivery`, `notifications`, `order_type`, `source_type`, ...) stand beside
    `name` and `products`; they are checked as a whole before anything is written.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(description="By which people recognise the order.", min_length=1, max_length=200)
    products: list[_Product] = Field(
        description="What is ordered: objects with `item_ids`, `item_type` and `product_bundle`.", min_length=1
    )
    key: Key | None = None
    destination: str | None = Field(
        default=None, max_length=2000, description="Where the files end up, as a URL; without one, the fleet's own."
    )
    producer: str | None = Field(
        default=None, min_length=1, max_length=200, description="Who asks; producers take turns in placing orders."
    )
    priority: Priority = Field(default=Priority.NORMAL, description="Which orders are placed first.")
    deadline: AwareDatetime | None = Field(
        default=None, description="When the run expires if it has not ended by then, with its time zone."
    )
    allow_unknown: bool = Field(
        default=False, description="Let item types, bundles and tools pass that this version does not know."
    )

    callback_url: str | None = Field(
        default=None, max_length=2000, description="Told of the run's end, if the fleet's settings allow it to be."
    )
    again: bool = Field(
        default=False, description="Order it even if the very same request was ordered within the last days."
    )

    def as_submission(self, key: str | None = None) -> Submission:
        """What the queue takes; `key` is given where it came in another way."""
        return Submission(
            {"name": self.name, "products": self.products, **(self.model_extra or {})},
            key=key or self.key,
            destination=self.destination,
            producer=self.producer,
            priority=self.priority,
            deadline=self.deadline,
            allow_unknown=self.allow_unknown,
            callback_url=self.callback_url,
            again=self.again,
        )


Would = Literal["order", "known", "ordered before"]


class SubmittedRun(BaseModel):
    """The run of a request."""

    run_id: str
    created: bool = Field(description="False where the key, or the very same request, had this run already.")
    ordered_before: bool = Field(description="True where it was the request that had it: nothing was ordered again.")

    @classmethod
    def of(cls, run: RunHandle) -> Self:
        """What the queue has answered."""
        return cls(run_id=run.run_id, created=run.created, ordered_before=run.ordered_before)


@router.post(
    "/runs",
    operation_id="submit_run",
    status_code=201,
    responses={
        200: {"description": "The key, or the very same request, has this run already.", "model": SubmittedRun},
        201: {"headers": {"Location": {"description": "The run's address.", "schema": {"type": "string"}}}},
        409: problem("The key belongs to a run with another request."),
        **BAD_BODY,
    },
)
async def submit_run(
    request: Request,
    response: Response,
    desk: AtDesk,
    order: OrderRequest,
    idempotency_key: Annotated[Key | None, Header(description="As the field `key`.")] = None,
) -> SubmittedRun:
    """Put one order request into the queue.

    With a key the call may be repeated until it is answered: nothing is bought twice; another key is another
    order. Without one, the very same request is not ordered a second time within some days, unless `again` asks for it.
    """
    with in_trace_of(request):
        run = await desk.submit(order.as_submission(chosen_key(order.key, idempotency_key)))
    response.status_code = 201 if run.created else 200
    response.headers["Location"] = str(request.app.url_path_for("get_run", run_id=run.run_id))
    return SubmittedRun.of(run)


class RunPreview(BaseModel):
    """What would become of a request if it were submitted now."""

    would: Would = Field(description="`order` it; or it is `known` by its key, or was `ordered before`.")
    run_id: str | None = Field(description="The run that has it already, where there is one.")
    orders: int = Field(description="Orders at Planet: several, where one does not hold all items.")
    items: int | None = Field(description="Null where only Planet can count them.")
    hectares: float | None = Field(description="The area of interest times the items; null where it cannot be told.")

    @classmethod
    def of(cls, answer: Preview) -> Self:
        """What the queue foresees."""
        would: Would = "order" if answer.is_new else "ordered before" if answer.ordered_before else "known"
        size = answer.size
        return cls(
            would=would, run_id=answer.run_id, orders=len(answer.orders), items=size.items, hectares=size.hectares
        )


@router.post(
    "/preview",
    operation_id="preview_run",
    responses={409: problem("The key belongs to a run with another request."), **BAD_BODY},
)
async def preview_run(desk: AtDesk, order: OrderRequest) -> RunPreview:
    """Tell what would become of an order request if it were submitted now; nothing is written, nothing is ordered.

    The same checks and look-ups are made. Whether a daily cap leaves room, and what Planet says, only workers know.
    """
    return RunPreview.of(await desk.preview(order.as_submission()))


@router.post("/runs/{run_id}/cancel", operation_id="cancel_run", responses={**UNKNOWN_RUN, **NOT_POSSIBLE})
async def cancel_run(request: Request, desk: AtDesk, run_id: str) -> RunSummary:
    """Cancel a run, and its order at Planet where Planet still allows it; may be repeated.

    A run that a worker has in hand is cancelled within seconds: until then `cancel_requested` is true.
    """
    return await desk.cancel(run_id, by=caller_of(request))


@router.post("/runs/{run_id}/retry", operation_id="retry_run", responses={**UNKNOWN_RUN, **NOT_POSSIBLE})
async def retry_run(
    request: Request,
    desk: AtDesk,
    run_id: str,
    rebuy: Annotated[bool, Query(description="Place a new order, which Planet bills anew.")] = False,
) -> RunSummary:
    """Let an ended run go on from the stage it ended in; nothing is bought again unless `rebuy` asks for it."""
    return await desk.retry(run_id, rebuy=rebuy, by=caller_of(request))


def chosen_key(field: str | None, header: str | None) -> str | None:
    """The key of a call, which may be given in two places; raises BadRequest where they differ."""
    if field and header and field != header:
        raise BadRequest([Problem("key", "it is not that of the Idempotency-Key header; leave one of them out")])
    return field or header
