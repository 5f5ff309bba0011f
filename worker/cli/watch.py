"""`watch`: a live table on a terminal, one line for each move elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.live import Live

from jobs.run import Run, State
from jobs.store import Event
from worker.board import add_progress, open_console
from worker.cli.desk import Desk, at_desk
from worker.cli.events import Choice, print_event, read_moves
from worker.cli.exits import Exit
from worker.cli.follow import Followed, draw_runs, tell_failures
from worker.cli.outage import Outage
from worker.cli.picture import Picture
from worker.web.overview import FleetView
from worker.web.overview import look as look_at_fleet

_LOOK_S = 0.5
_UNDER_WAY = (State.DOWNLOADING, State.VALIDATING, State.CREATING, State.WAITING, State.QUEUED)


def watch(texts: list[str], batch: str | None, *, as_json: bool) -> Exit:
    """Watch these runs, or a batch's, until they have ended, or everything until Ctrl-C."""

    async def work(desk: Desk) -> Exit:
        run_ids, batch_id = await desk.find_run_ids(texts), await desk.find_batch_id(batch) if batch else None
        for run_id in run_ids:
            await desk.queue.get(run_id)  # an unknown id is an error, not an endless wait
        followed = Followed(desk, run_ids, batch_id) if run_ids or batch_id else None
        console = open_console()
        if as_json or not console.is_terminal:
            return await _print_moves(desk, followed, batch_id, as_json=as_json)
        return await _show(desk, followed, console)

    return at_desk(work)


async def _print_moves(desk: Desk, followed: Followed | None, batch_id: str | None, *, as_json: bool) -> Exit:
    """Print moves as they happen; of named runs begin with where they stand, and end with the last of them."""
    after = await desk.store.last_event_id()
    outage, pending = Outage(), set[str]()
    if followed:
        await followed.look()
        for run in followed.runs.values():
            stands = Event(after, run.run_id, run.state, run.stage, run.reason or "", run.updated_at)
            print_event(stands, as_json=as_json)
        pending = {run.run_id for run in followed.pending}
    choice = Choice(desk, set() if batch_id or not followed else set(followed.runs), batch_id)
    moves = read_moves(desk, after, follow=True)
    while not (followed and followed.has_ended):
        event = await anext(moves)
        is_wanted = event is not None and await outage.ask(partial(choice.fits, event))
        if event and is_wanted:
            print_event(event, as_json=as_json)
            pending -= {event.run_id} if event.state.is_final else set()
        if followed and (event is None or not pending):  # all have ended, or the stream did not hold them any more
            await outage.ask(followed.look)
            pending = {run.run_id for run in followed.pending}
    return _verdict(followed)


async def _show(desk: Desk, followed: Followed | None, console: Console) -> Exit:
    """A screen of its own, as `top` has; what became of named runs stays below the command."""
    picture = Picture(console)

    async def look() -> tuple[FleetView, list[Run]]:
        if followed:
            await followed.look()
        fleet = await look_at_fleet(desk.store, desk.redactor)
        runs = list(followed.runs.values()) if followed else await _under_way(desk, picture.room)
        return fleet, add_progress(runs, fleet.workers)

    with Live(console=console, auto_refresh=False, screen=True) as live:
        outage = Outage(lambda text: live.update(picture.draw_trouble(text), refresh=True))
        while True:
            live.update(picture.draw(*await outage.ask(look)), refresh=True)
            if followed and followed.has_ended:
                break
            await asyncio.sleep(followed.pause_s if followed else _LOOK_S)
    runs = list(followed.runs.values())
    console.print(draw_runs(runs, console))
    tell_failures(console, runs)
    return _verdict(followed)


async def _under_way(desk: Desk, room: int) -> Sequence[Run]:
    """What is under way, what is in hand first; and where there is room left, what has ended lately."""
    runs: list[Run] = []
    for state in _UNDER_WAY:
        runs += await desk.queue.list(state, room - len(runs)) if len(runs) < room else []
    known = {run.run_id for run in runs}
    newest = await desk.queue.list(limit=room) if len(runs) < room else []
    return [*runs, *(run for run in newest if run.run_id not in known)][:room]


def _verdict(followed: Followed) -> Exit:
    return Exit.OK if followed.is_well else Exit.FAILED
