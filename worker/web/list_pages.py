"""The pages of lists: all runs, with filters and a search that stand in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from jobs.listing import LOOKED_AT, Cursor, Wanted
from jobs.run import State
from worker.web.asking import PAGE, AtDesk, Before, Filters, Text
from worker.web.templates import render, root_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/runs")
async def show_runs(
    request: Request, desk: AtDesk, wanted: Filters, search: Text = None, before: Before = None
) -> Response:
    """Runs by state, producer, batch and search; all of it stands in the address."""
    found = await desk.find(search) if search and not before else None
    if found:
        where = f"runs/{quote(found.run_id)}" if found.run_id else f"batches/{quote(found.batch_id or '')}"
        return RedirectResponse(f"{root_of(request)}/{where}", 303)
    page = await desk.list_runs(replace(wanted, text=search), PAGE, before)
    is_filtered = bool(search or wanted.producer or wanted.batch_id)
    return HTMLResponse(
        render(
            "runs.html",
            request,
            wanted=wanted,
            search=search,
            before=before,
            page=page,
            counts=None if is_filtered else await desk.count_runs(),
            is_filtered=is_filtered,
            needs_look=replace(wanted, text=search).needs_records,
            looked_at=LOOKED_AT,
            caption=_caption(wanted, before),
            states=list(State),
            query=partial(_query, asdict(wanted) | {"search": search}),
        )
    )


def _caption(wanted: Wanted, before: Cursor | None) -> str:
    what = f"Runs that are {wanted.state}, the latest first" if wanted.state else "The newest runs first"
    return what + (", older than an earlier page" if before else "")


def _query(known: Mapping[str, Any], **changed: Any) -> str:
    """The query of an address: what is asked for now, with changes."""
    asked = {name: value for name, value in {**known, **changed}.items() if value}
    return f"?{urlencode(asked)}" if asked else ""
