"""`list`: the newest runs."""

from __future__ import annotations

import json
from typing import Any

import typer

from jobs.redaction import hide_password
from jobs.request import redact_request
from jobs.run import Run
from worker.board import open_console, runs_table
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import Exit


def list_runs(state: str | None, limit: int, batch: str | None, *, as_json: bool) -> Exit:
    """Print the newest runs, by creation, or, with a state, by when they came into it; or a batch's, in order."""

    async def work(desk: Desk) -> Exit:
        runs = await _runs_of(desk, batch, state, limit) if batch else await desk.queue.list(state, limit)
        if as_json:
            typer.echo(json.dumps([run_as_json(run) for run in runs], indent=2))
        elif runs:
            console = open_console()
            console.print(runs_table(runs, console.width))
        else:
            say(f"No runs are {state}." if state else "There are no runs yet; submit one with: planet-orders submit")
        return Exit.OK

    return at_desk(work)


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


def run_as_json(run: Run) -> dict[str, Any]:
    """A run's record for programs; credentials in its request are hidden."""
    shown = {"callback_url": hide_password(run.callback_url)} if run.callback_url else {}
    return {**run.model_dump(mode="json"), "request": redact_request(run.request), **shown}
