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
from worker.cli.outage import Outage
from worker.fleet import WorkerView, read_fleet
from worker.wording import one_line, plural, size

_LOOK_S = 0.5
_AT_ONCE = 200  # runs read in one round trip
_COUNTED_FROM = 200  # things that take long enough for a bar
_SHOWN_MIN = 5  # lines of runs, even in a very low window


class Followed:
    """Runs that are looked at until they have ended: named ones with all their parts, or those of a batch."""

    def __init__(self, desk: Desk, run_ids: Sequence[str] = (), batch_id: str | None = None) -> None:
        self.runs: dict[str, Run] = {}
        self._desk, self._run_ids = desk, list(run_ids)
        self._batch = desk.queue.batch(batch_id) if batch_id else None
        self._is_open = batch_id is not None
        self._is_whole = True

    async def look(self) -> None:
        """Read again those that have not ended; those that are no longer kept are left out."""
        if self._batch:
            batch = await self._batch.status()
            self._is_open, self._is_whole = not batch.has_ended, not batch.refused
            if batch.total != len(self._run_ids):  # more of it was submitted
                pages = self._desk.queue.batches.pages(batch.batch_id)
                self._run_ids = [run_id async for page in pages for run_id in page]
        await self._read()
        parts = [part for run in self.runs.values() for part in run.part_ids if part not in self.runs]
        if parts:  # of requests that were split
            self._run_ids += parts
            await self._read()

    async def _read(self) -> None:
        pending = [each for each in self._run_ids if each not in self.runs or not self.runs[each].state.is_final]
        for start in range(0, len(pending), _AT_ONCE):
            for run in await self._desk.store.get_many(pending[start : start + _AT_ONCE]):
                self.runs[run.run_id] = run

    @property
    def pending(self) -> list[Run]:
        """Those that have not ended."""
        return [run for run in self.runs.values() if not run.state.is_final]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return not self._is_open and not self.pending

    @property
    def is_well(self) -> bool:
        """Whether all that have ended delivered their files, and no request of the batch was refused."""
        return self._is_whole and all(run.state.has_files for run in self.runs.values() if run.state.is_final)

    @property
    def pause_s(self) -> float:
        """How long until the next look: ten thousand runs are looked at every five seconds."""
        return max(_LOOK_S, len(self.pending) / 2000)


async def follow_to_end(desk: Desk, run_ids: Sequence[str], patience_s: float | None = None) -> dict[str, Run]:
    """Show how these runs go until all have ended, or patience has; returns them as they are then.

    Runs that are no longer kept are left out. Nothing about the runs is changed; cancelling it leaves them running.
    """
    console = open_console(stderr=True)
    deadline = inf if patience_s is None else monotonic() + patience_s
    followed, told, outage = Followed(desk, run_ids), set[str](), Outage()

    async def look() -> list[WorkerView]:
        await followed.look()
        return await read_fleet(desk.redis) if console.is_terminal else []

    with Live(console=console, auto_refresh=False) as live:
        while True:
            workers = await outage.ask(look)
            if console.is_terminal:
                live.update(draw_runs(add_progress(followed.runs.values(), workers), console), refresh=True)
            else:
                _tell_ended(console, followed.runs, told)
            if followed.has_ended or monotonic() > deadline:
                break
            await asyncio.sleep(followed.pause_s)
    if followed.pending:
        console.print(f"The time is up. Still under way, and going on: {plural(len(followed.pending), 'run')}.")
    tell_failures(console, list(followed.runs.values()))
    return followed.runs


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
    """Counts by state, and as many runs as the window has room for."""
    shown, more = fit(runs, max(_SHOWN_MIN, console.height - 5))
    counts = {state: sum(run.state is state for run in runs) for state in State}
    return Group(runs_table(shown, console.width), *more, Text(), states_line(counts))


def fit(runs: Sequence[Run], room: int) -> tuple[list[Run], list[Text]]:
    """As many runs as there are lines for, those in hand first, and a line that says how many are left out."""
    if len(runs) <= room:
        return list(runs), []
    shown = sorted(runs, key=lambda run: run.state.is_final)[: max(1, room - 1)]
    return shown, [Text(f"and {plural(len(runs) - len(shown), 'more run')}", style="dim")]


def _tell_ended(console: Console, runs: dict[str, Run], told: set[str]) -> None:
    for run in runs.values():
        if run.state.is_final and run.run_id not in told:
            told.add(run.run_id)
            console.print(f"{run.run_id}  {run.state:<9}  {one_line(run.name)}  {size(run.bytes_done or None)}")


def tell_failures(console: Console, runs: Sequence[Run]) -> None:
    """A line for each run that ended without its files."""
    for run in runs:
        if run.state.is_final and not run.state.has_files:
            why = run.error.message if run.error else run.reason or "no reason was recorded"
            line = f"{run.run_id} {run.state}: {one_line(why)} (planet-orders status {run.run_id})"
            console.print(line, style="red", soft_wrap=True)
