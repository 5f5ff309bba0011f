"""`list`: the newest runs."""

from __future__ import annotations

from jobs.listing import Cursor, Wanted, find_page
from jobs.run import Run, State
from worker.board import open_console, runs_table
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.output import print_json


def list_runs(state: str | None, limit: int, batch: str | None, before: str | None, *, as_json: bool) -> Exit:
    """Print the newest runs, by creation, or, with a state, by when they came into it; or a batch's, in order."""
    cursor = _read_cursor(before) if before else None

    async def work(desk: Desk) -> Exit:
        if batch:
            runs, following = await _runs_of(desk, batch, state, limit), None
        else:
            run_ids, following = await find_page(desk.redis, Wanted(State(state) if state else None), limit, cursor)
            runs = await desk.store.get_many(run_ids)
        if as_json:
            _print_page(desk, runs, following)
        elif runs:
            console = open_console()
            console.print(runs_table(runs, console.width))
        else:
            say(f"No runs are {state}." if state else "There are no runs yet; submit one with: planet-orders submit")
        return Exit.OK

    return at_desk(work)


def _read_cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except ValueError as error:
        raise CommandError(
            f"--before: {text!r} is no place in the list; --json has that of the next page as `next`"
        ) from error


async def _runs_of(desk: Desk, batch: str, state: str | None, limit: int) -> list[Run]:
    """The first runs of a batch, or the first that are in this state."""
    handle = desk.queue.batch(await desk.find_batch_id(batch))
    await handle.status()  # an unknown id is an error, not an empty list
    runs: list[Run] = []
    async for run in handle.runs():
        runs += [run] if state in {None, run.state.value} else []
        if len(runs) == limit:
            break
    return runs


def _print_page(desk: Desk, runs: list[Run], following: Cursor | None) -> None:
    from worker.web.views import RunPage, RunSummary  # noqa: PLC0415 — slow to import, and a table needs none of it

    shown = [RunSummary.of(run, desk.redactor) for run in runs]
    print_json(RunPage(runs=shown, next=str(following) if following else None))
