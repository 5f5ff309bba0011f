"""Runs and workers as tables with bars, for a terminal of 80 columns or more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.run import Run, Stage, State
from worker.fleet import Presence, WorkerView
from worker.wording import age, duration, one_line, plural, size

_PIPE_WIDTH = 200  # a pipe has no edge to fold at; a table must not be cut for one
_BAR_WIDTH = 20

_STYLES: Mapping[State, str] = {
    State.QUEUED: "dim",
    State.CREATING: "cyan",
    State.WAITING: "yellow",
    State.DOWNLOADING: "blue",
    State.VALIDATING: "magenta",
    State.DONE: "green",
    State.PARTIAL: "green",
    State.FAILED: "bold red",
    State.CANCELLED: "dim",
    State.EXPIRED: "red",
}
_PRESENCE_STYLES = {Presence.ALIVE: "green", Presence.STOPPING: "yellow", Presence.VANISHED: "bold red"}

# How far along a run is when it enters a stage, of 100; downloads fill the room up to validate.
_REACHED = {Stage.CREATE: 2, Stage.WAIT: 8, Stage.DOWNLOAD: 25, Stage.VALIDATE: 95}


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: nothing in a name or a message is taken for markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def state_text(state: State) -> Text:
    """A state in its colour."""
    return Text(state.value, style=_STYLES[state])


def runs_table(runs: Iterable[Run], now: datetime | None = None) -> Table:
    """One line a run: id, name, state, a bar, bytes, and how long it took or has been under way."""
    now = now or datetime.now(UTC)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("state", no_wrap=True)
    table.add_column("", width=_BAR_WIDTH, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for run in runs:
        ended = run.finished_at or now
        time = duration((ended - run.created_at).total_seconds())
        name = Text(one_line(run.name))
        table.add_row(run.run_id, name, state_text(run.state), bar_of(run), size(run.bytes_done or None), time)
    return table


def bar_of(run: Run) -> ProgressBar:
    """How far a run has come, as a bar."""
    style = _STYLES[run.state] if run.state.is_final else "blue"
    return ProgressBar(
        total=100, completed=share_of(run) * 100, width=_BAR_WIDTH, complete_style=style, finished_style="green"
    )


def share_of(run: Run) -> float:
    """How far a run has come, 0 to 1: by its stage, and within a download by its bytes."""
    if run.state.has_files:
        return 1.0
    if run.state is State.QUEUED:
        return 0.0
    reached = float(_REACHED[run.stage])
    if run.stage is Stage.DOWNLOAD and run.bytes_total:
        reached += (_REACHED[Stage.VALIDATE] - reached) * min(1.0, run.bytes_done / run.bytes_total)
    return reached / 100


def workers_table(workers: Iterable[WorkerView], now: datetime | None = None) -> Table:
    """One line a worker: whether it is there, its slots, what it has done, its last sign."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("worker", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("busy", justify="right", no_wrap=True)
    table.add_column("jobs done", justify="right", no_wrap=True)
    table.add_column("last sign", justify="right", no_wrap=True)
    table.add_column("", overflow="ellipsis", ratio=1)
    for worker in workers:
        presence = Text(worker.presence.value, style=_PRESENCE_STYLES.get(worker.presence, "dim"))
        busy = f"{len(worker.jobs)}/{worker.slots}"
        trouble = Text(one_line(worker.last_redis_error), style="red")
        table.add_row(Text(worker.name), presence, busy, str(worker.complete), age(worker.seen_at, now), trouble)
    return table


def states_line(counts: Mapping[State, int]) -> Text:
    """How many runs are in each state: `3 waiting   1 downloading   20 done`."""
    parts = [Text(f"{count:,} {state.value}", style=_STYLES[state]) for state, count in counts.items() if count]
    return Text("   ").join(parts) if parts else Text(plural(0, "run"), style="dim")
