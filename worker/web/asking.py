"""What a route is given: the desk, and the query, checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from jobs.listing import CURSOR_PATTERN, Cursor, Wanted
from jobs.run import State
from jobs.trace_context import in_trace
from worker.web.desk import Desk

if TYPE_CHECKING:
    from worker.traces import Traces

PAGE = 50
PAGE_MAX = 500

_CURSOR_OR_NOTHING: dict[str, Any] = {"pattern": f"^({CURSOR_PATTERN})?$"}


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _checked(cursor: str | None) -> str | None:
    if cursor is not None:
        Cursor.parse(cursor)
    return cursor


def _cursor(
    before: Annotated[
        str | None,
        BeforeValidator(lambda text: text or None),
        AfterValidator(_checked),
        Query(description="Where to go on: `next` of the page before.", json_schema_extra=_CURSOR_OR_NOTHING),
    ] = None,
) -> Cursor | None:
    return Cursor.parse(before) if before else None


def caller_of(request: Request) -> str:
    """Whom the history of a run names for what is done here: whose token it is."""
    name: str = request.scope.get("caller") or "the HTTP API"
    return name


@contextmanager
def in_trace_of(request: Request) -> Iterator[None]:
    """Have what is submitted in this block belong to the caller's trace, which a `traceparent` header names."""
    traces: Traces | None = request.app.state.traces
    with in_trace(request.headers.get("traceparent")), traces.submitting() if traces else nullcontext():
        yield


AtDesk = Annotated[Desk, Depends(_desk)]
InState = Annotated[
    State | None, BeforeValidator(lambda text: text or None), Query(description="Only runs in this state.")
]
Before = Annotated[Cursor | None, Depends(_cursor)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Runs on a page.")]
_Short = Annotated[str, StringConstraints(max_length=200)]
_EmptyIsNone = BeforeValidator(lambda text: (text or "").strip() or None)  # a form sends what was left empty, too
Text = Annotated[
    _Short | None,
    _EmptyIsNone,
    Query(
        description="The run whose id, order's id or key it is, or the batch; where there is none, the runs whose name "
        "holds it, or whose id begins or ends with it."
    ),
]
_Filter = Annotated[_Short | None, _EmptyIsNone, Query()]


def _wanted(state: InState = None, producer: _Filter = None, batch_id: _Filter = None) -> Wanted:
    return Wanted(state, producer, batch_id)


Filters = Annotated[Wanted, Depends(_wanted)]
