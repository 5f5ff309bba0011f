"""What a route is given: the desk, and the query, checked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BeforeValidator

from jobs.listing import CURSOR_PATTERN, Cursor
from jobs.run import State
from worker.web.desk import Desk

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


AtDesk = Annotated[Desk, Depends(_desk)]
InState = Annotated[
    State | None, BeforeValidator(lambda text: text or None), Query(description="Only runs in this state.")
]
Before = Annotated[Cursor | None, Depends(_cursor)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Runs on a page.")]
