"""The pages of lists, whose filters stand in the address: runs, batches, and the runs of one batch."""

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
from worker.web.asking import PAGE, AtDesk, Before, Filters, InState, Text
from worker.web.batches import BatchView, SummaryView
from worker.web.templates import render, root_of

_TOLD_AT_ONCE = 500  # runs of a batch that are all read for its page: one round trip

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


@router.get("/batches")
async def show_batches(request: Request, desk: AtDesk, before: Before = None) -> str:
    """The newest batches first, each with how far it is."""
    batches, following = await desk.list_batches(PAGE, before)
    shown = [BatchView.of(each, desk.redactor) for each in batches]
    return render("batches.html", request, batches=shown, before=before, following=following)


@router.get("/batches/{batch_id}")
async def show_batch(
    request: Request, desk: AtDesk, batch_id: str, state: InState = None, before: Before = None, summary: bool = False
) -> str:
    """One batch: how far it is, what failed in it, its runs, and what can be done with it.

    What failed is told by reading each run: of a large batch only where that is asked for.
    """
    batch = BatchView.of(await desk.get_batch(batch_id), desk.redactor)
    is_told = summary or batch.total <= _TOLD_AT_ONCE
    return render(
        "batch.html",
        request,
        batch=batch,
        summary=SummaryView.of(await desk.summarize_batch(batch_id), desk.redactor) if is_told else None,
        page=await desk.list_runs(Wanted(state, batch_id=batch_id), PAGE, before),
        state=state,
        before=before,
        states=list(State),
        query=partial(_query, {"state": state, "summary": summary}),
    )


def _caption(wanted: Wanted, before: Cursor | None) -> str:
    what = f"Runs that are {wanted.state}, the latest first" if wanted.state else "The newest runs first"
    return what + (", older than an earlier page" if before else "")


def _query(known: Mapping[str, Any], **changed: Any) -> str:
    """The query of an address: what is asked for now, with changes."""
    asked = {name: value for name, value in {**known, **changed}.items() if value}
    return f"?{urlencode(asked)}" if asked else ""
