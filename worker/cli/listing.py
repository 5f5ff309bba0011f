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


def list_runs(state: str | None, limit: int, *, as_json: bool) -> Exit:
    """Print the newest runs, by creation, or, with a state, by when they came into it."""

    async def work(desk: Desk) -> Exit:
        runs = await desk.queue.list(state, limit)
        if as_json:
            typer.echo(json.dumps([run_as_json(run) for run in runs], indent=2))
        elif runs:
            console = open_console()
            console.print(runs_table(runs, console.width))
        else:
            say(f"No runs are {state}." if state else "There are no runs yet; submit one with: planet-orders submit")
        return Exit.OK

    return at_desk(work)


def run_as_json(run: Run) -> dict[str, Any]:
    """A run's record for programs; credentials in its request are hidden."""
    shown = {"callback_url": hide_password(run.callback_url)} if run.callback_url else {}
    return {**run.model_dump(mode="json"), "request": redact_request(run.request), **shown}
