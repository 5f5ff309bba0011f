"""The JSON API, for reading."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from worker.web.asking import PAGE, AtDesk, Before, Filters, Limit, Text
from worker.web.overview import FleetView
from worker.web.problems import REFUSED, UNKNOWN_RUN
from worker.web.tags import answer_tagged
from worker.web.views import FileList, History, LogLines, RunDetail, RunPage

router = APIRouter(prefix="/v1", tags=["runs"], responses=REFUSED)


@router.get("/fleet", operation_id="get_fleet")
async def get_fleet(desk: AtDesk) -> FleetView:
    """How the fleet is, as the first page shows it.

    The verdict, the workers, what waits in each stage, the request budget, and how many runs ended when.
    """
    return await desk.look()


@router.get("/runs", operation_id="list_runs")
async def list_runs(
    desk: AtDesk,
    wanted: Filters,
    search: Text = None,
    limit: Limit = PAGE,
    before: Before = None,
) -> RunPage:
    """The newest runs first: by creation, or, with a state, by their last move in it.

    Go on with `before` set to the page's `next`, until that is null. With a filter or a search, a page looks at up to
    2,500 runs: it may hold fewer than `limit`, even none, and still have a next one.
    """
    return await desk.search_runs(wanted, search, limit, before)


@router.get(
    "/runs/{run_id}",
    operation_id="get_run",
    response_model=RunDetail,
    responses={304: {"description": "It is as it was when it had the ETag of `If-None-Match`."}, **UNKNOWN_RUN},
)
async def get_run(request: Request, desk: AtDesk, run_id: str) -> Response:
    """One run with its history, its files and its request, from which secrets are taken out."""
    return answer_tagged(request, await desk.tell_run(run_id))


@router.get("/runs/{run_id}/files", operation_id="list_files", responses=UNKNOWN_RUN)
async def list_files(desk: AtDesk, run_id: str) -> FileList:
    """The files of a run's order, as far as they are known, by path."""
    return FileList(files=(await desk.tell_run(run_id)).files)


@router.get("/runs/{run_id}/history", operation_id="get_history", responses=UNKNOWN_RUN)
async def get_history(desk: AtDesk, run_id: str) -> History:
    """A run's transitions, oldest first."""
    return History(history=(await desk.tell_run(run_id)).history)


@router.get("/runs/{run_id}/log", operation_id="get_log", responses=UNKNOWN_RUN)
async def get_log(desk: AtDesk, run_id: str) -> LogLines:
    """The last log lines of the stages of a run that failed, oldest first; a run that goes well keeps none."""
    return await desk.read_log(run_id)
