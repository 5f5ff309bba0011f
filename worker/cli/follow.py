"""Following runs to their end: bars on a terminal, one line for each end elsewhere; all of it on stderr."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from jobs.run import Run, State
from worker.board import add_progress, open_console, runs_table, states_line
from worker.cli.desk import Desk
from worker.fleet import read_fleet
from worker.wording import one_line, plural, size

_LOOK_S = 0.5
_AT_ONCE = 200  # runs read in one round trip
_COUNTED_FROM = 200  # things that take long enough for a bar
_SHOWN_MIN = 5  # lines of runs, even in a very low window


async def follow_to_end(desk: Desk, run_ids: Sequence[str], patience_s: float | None = None) -> dict[str, Run]:
    """Show how these runs go until all have ended, or patience has; returns them as they are then.

    Runs that are no longer kept are left out. Nothing about the runs is changed; cancelling it leaves them running.
    """
    console = open_console(stderr=True)
    deadline = inf if patience_s is None else monotonic() + patience_s
    runs: dict[str, Run] = {}
    told: set[str] = set()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            await _refresh(desk, run_ids, runs)
            parts = [part for run in runs.values() for part in run.part_ids if part not in runs]
            if parts:  # of requests that were split
                run_ids = [*run_ids, *parts]
                await _refresh(desk, parts, runs)
            if console.is_terminal:
                shown = add_progress(runs.values(), await read_fleet(desk.redis))
                live.update(draw_runs(shown, console), refresh=True)
            else:
                _tell_ended(console, runs, told)
            pending = [run for run in runs.values() if not run.state.is_final]
            if not pending or monotonic() > deadline:
                break
            await asyncio.sleep(_pause_s(len(pending)))
    if pending:
        console.print(f"The time is up. Still under way, and going on: {plural(len(pending), 'run')}.")
    _tell_failures(console, list(runs.values()))
    return runs


def _pause_s(runs: int) -> float:
    return max(_LOOK_S, runs / 2000)  # ten thousand runs are looked at every five seconds


async def _refresh(desk: Desk, run_ids: Sequence[str], runs: dict[str, Run]) -> None:
    """Read again those that have not ended."""
    pending = [run_id for run_id in run_ids if run_id not in runs or not runs[run_id].state.is_final]
    for start in range(0, len(pending), _AT_ONCE):
        for run in await desk.store.get_many(pending[start : start + _AT_ONCE]):
            runs[run.run_id] = run


@contextmanager
def show_count(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar that grows by one each time it is told to, where nothing else on the terminal shows how far it is."""
    console = open_console(stderr=True)
    if total < _COUNTED_FROM or not console.is_terminal or sys.stdout.isatty():
        yield lambda: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def draw_runs(runs: Sequence[Run], console: Console) -> RenderableType:
    """Counts by state, and as many runs as the window has room for: those in hand first."""
    room = max(_SHOWN_MIN, console.height - 5)
    shown = list(runs) if len(runs) <= room else sorted(runs, key=lambda run: run.state.is_final)[: room - 1]
    hidden = len(runs) - len(shown)
    more = [Text(f"and {plural(hidden, 'more run')}", style="dim")] if hidden else []
    counts = {state: sum(run.state is state for run in runs) for state in State}
    return Group(runs_table(shown, console.width), *more, Text(), states_line(counts))


def _tell_ended(console: Console, runs: dict[str, Run], told: set[str]) -> None:
    for run in runs.values():
        if run.state.is_final and run.run_id not in told:
            told.add(run.run_id)
            console.print(f"{run.run_id}  {run.state:<9}  {one_line(run.name)}  {size(run.bytes_done or None)}")


def _tell_failures(console: Console, runs: Sequence[Run]) -> None:
    for run in runs:
        if run.state.is_final and not run.state.has_files:
            why = run.error.message if run.error else run.reason or "no reason was recorded"
            line = f"{run.run_id} {run.state}: {one_line(why)} (planet-orders status {run.run_id})"
            console.print(line, style="red", soft_wrap=True)
