"""The pages that people see."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from jobs.causes import cause_of_run
from jobs.line import Priority
from jobs.listing import Cursor, Wanted
from jobs.run import to_ms
from worker.web.acts import acts_of, console_link, folder_of
from worker.web.asking import AtDesk
from worker.web.chart import draw_charts
from worker.web.example import EXAMPLE
from worker.web.failures import Failures
from worker.web.maps import find_places
from worker.web.quicklooks import Quicklooks, subjects_of, why_none
from worker.web.story import tell_stages, tell_steps
from worker.web.templates import render
from worker.web.timeline import draw_timeline
from worker.web.views import tell_run

_NEWEST = 10  # runs on the first page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def show_fleet(request: Request, desk: AtDesk) -> str:
    """The first page: is the fleet well, what does it do, and what is to be done."""
    view = await desk.look()
    newest = await desk.list_runs(Wanted(), _NEWEST, None)
    return render("fleet.html", request, view=view, newest=newest.runs, charts=draw_charts(view), now=view.now)


@router.get("/failures")
async def show_failures(request: Request, desk: AtDesk) -> str:
    """What failed, by cause, with a button that retries all of one."""
    view = Failures.of(await desk.look_at_failures(), desk.redactor)
    # What fails again while a group is retried is newer than what was shown, and stays.
    befores = {cause.cause: Cursor(to_ms(cause.last_at) + 1) for cause in view.causes}
    return render("failures.html", request, view=view, befores=befores)


@router.get("/submit")
async def show_form(request: Request) -> str:
    """A form for one order request."""
    always_again = request.app.state.always_again
    return render("submit.html", request, example=EXAMPLE, priorities=list(Priority), always_again=always_again)


@router.get("/docs")
async def show_api(request: Request) -> str:
    """The HTTP API as people read it, made from the OpenAPI document; it loads nothing from elsewhere."""
    return render("docs.html", request, api=request.app.openapi())


@router.get("/runs/{run_id}")
async def show_run(request: Request, desk: AtDesk, run_id: str) -> str:
    """One run's story, and what can be done with it."""
    records = await desk.read_records(run_id)
    run = tell_run(records.run, records.history, records.files, desk.redactor)
    folder = folder_of(run)
    subjects = subjects_of(records)
    quicklooks: Quicklooks = request.app.state.quicklooks
    places = await find_places(records, request.app.state.footprints, desk)
    return render(
        "run.html",
        request,
        run=run,
        stages=tell_stages(run),
        steps=tell_steps(run.history),
        cause=cause_of_run(records.run),
        acts=acts_of([part.run for part in records.parts]),
        folder=folder,
        console=console_link(folder) if folder else None,
        timeline=draw_timeline([part.history for part in records.parts], datetime.now(UTC)),
        map=places.draw(),
        map_note=places.footprints.note,
        subject=subjects[0] if subjects else None,
        pictures=[subject.file.path for subject in subjects],
        why_no_picture=desk.redactor.text(quicklooks.failure(subjects[0]) or "") if subjects else why_none(run.files),
        log=[desk.redactor.mapping(line) for line in records.log],
    )
