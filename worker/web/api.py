"""The JSON API, for reading."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from worker.web.answers import ProblemDocument
from worker.web.asking import PAGE, AtDesk, Before, InState, Limit
from worker.web.views import RunDetail, RunPage


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}}
    return {"description": description, "content": content}


router = APIRouter(
    prefix="/v1",
    tags=["runs"],
    responses={422: _problem("A parameter is wrong; the problem names it."), 503: _problem("Redis is away.")},
)


@router.get("/runs", operation_id="list_runs")
async def list_runs(desk: AtDesk, state: InState = None, limit: Limit = PAGE, before: Before = None) -> RunPage:
    """The newest runs first: by creation, or, with a state, by their last move in it."""
    return await desk.list_runs(state, limit, before)


@router.get("/runs/{run_id}", operation_id="get_run", responses={404: _problem("There is no such run.")})
async def get_run(desk: AtDesk, run_id: str) -> RunDetail:
    """One run with its history, its files and its request, from which secrets are taken out."""
    return await desk.tell_run(run_id)
