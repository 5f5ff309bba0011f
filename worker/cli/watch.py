"""`watch`: a live table on a terminal, one line for each move elsewhere."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from jobs.store import Event
from worker.board import add_progress, open_console, runs_table, states_line, workers_table
from worker.cli.desk import Desk, at_desk
from worker.cli.exits import Exit
from worker.cli.follow import follow_to_end
from worker.fleet import read_fleet
from worker.wording import clock_time, one_line

_LOOK_S = 0.5
_OTHER_LINES = 6  # of the screen: headings and counts


def watch(texts: list[str], *, as_json: bool) -> Exit:
    """Watch these runs until they have ended, or everything until Ctrl-C."""

    async def work(desk: Desk) -> Exit:
        run_ids = await desk.find_run_ids(texts)
        for run_id in run_ids:
            await desk.queue.get(run_id)  # an unknown id is an error, not an endless wait
        console = open_console()
        if as_json or not console.is_terminal:
            return await _print_events(desk, set(run_ids), as_json=as_json)
        if not run_ids:
            await _watch_fleet(desk, console)
        runs = await follow_to_end(desk, run_ids)
        return Exit.OK if all(run.state.has_files for run in runs.values()) else Exit.FAILED

    return at_desk(work)


async def _print_events(desk: Desk, run_ids: set[str], *, as_json: bool) -> Exit:
    """Print moves as they happen; with run ids, begin with where these stand, and end with the last of them."""
    after = await desk.store.last_event_id()
    runs = await desk.store.get_many(sorted(run_ids))
    pending = {run.run_id for run in runs if not run.state.is_final}
    well = all(run.state.has_files for run in runs if run.state.is_final)
    for run in runs:
        _print_event(Event("", run.run_id, run.state, run.stage, run.reason or "", run.updated_at), as_json=as_json)
    if run_ids and not pending:
        return Exit.OK if well else Exit.FAILED
    async for event in desk.queue.events(after):
        if run_ids and event.run_id not in run_ids:
            continue
        _print_event(event, as_json=as_json)
        if event.state.is_final:
            well = well and event.state.has_files
            pending.discard(event.run_id)
            if run_ids and not pending:
                break
    return Exit.OK if well else Exit.FAILED


def _print_event(event: Event, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(event), default=datetime.isoformat))
    else:
        typer.echo(f"{clock_time(event.at)}  {event.run_id}  {event.state:<11}  {one_line(event.reason)}".rstrip())


async def _watch_fleet(desk: Desk, console: Console) -> None:
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            live.update(await _draw_fleet(desk, console), refresh=True)
            await asyncio.sleep(_LOOK_S)


async def _draw_fleet(desk: Desk, console: Console) -> RenderableType:
    """Workers, counts, and as many of the newest runs as the window has room for."""
    workers = [worker for worker in await read_fleet(desk.redis) if worker.is_alive]
    counts = await desk.store.count()
    room = max(1, console.height - _OTHER_LINES - max(1, len(workers)))
    runs = add_progress(await desk.queue.list(limit=room), workers)
    nobody = Text("no worker is alive; start one with: planet-orders worker", style="red")
    fleet = workers_table(workers) if workers else nobody
    return Group(fleet, Text(), states_line(counts), Text(), runs_table(runs, console.width))
