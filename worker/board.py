"""Runs and workers as tables with bars, for a terminal of 80 columns or more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console, JustifyMethod
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.run import Run, Stage, State
from worker.fleet import Presence, WorkerView
from worker.wording import age, duration, one_line, plural, size

_PIPE_WIDTH = 200  # a pipe has no edge to fold at; a table must not be cut for one
_NARROW = 110  # columns, below which a table of runs is shortened
_WIDE = 140  # columns, from which on a table with all details has room for whole ids
_NUMBERS = {"files", "rate", "tries", "bytes", "time"}  # columns
_BAR, _NARROW_BAR = 20, 12  # columns
_ID_END = 8  # letters of a run's id that tell it from others

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


def runs_table(
    runs: Iterable[Run], width: int, now: datetime | None = None, rates: Mapping[str, float] | None = None
) -> Table:
    """One line a run: id, name, state, a bar, bytes, and how long it took or has been under way.

    Args:
        runs: in the order they are shown.
        width: of the screen; on a narrow one only the end of an id is shown, which commands take as well.
        now: default: this moment.
        rates: of downloads, in bytes per second: where they are given, and there is room, a line tells stage, files,
            rate and tries, too.
    """
    now, is_narrow = now or datetime.now(UTC), width < _NARROW
    is_detailed = rates is not None and not is_narrow
    shortens = is_narrow or (is_detailed and width < _WIDE)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    details = ["stage", "files", "rate", "tries"] if is_detailed else []
    for name in ("run", "name", "state", "", *details, "bytes", "time"):
        justify: JustifyMethod = "right" if name in _NUMBERS else "left"
        table.add_column(name, no_wrap=True, justify=justify, overflow="ellipsis" if name == "name" else "fold")
    for run in runs:
        run_id = run.run_id[-_ID_END:] if shortens else run.run_id
        bar = bar_of(run, _NARROW_BAR if shortens else _BAR)
        more = _details(run, rates or {}) if is_detailed else []
        time = duration(((run.finished_at or now) - run.created_at).total_seconds())
        amount = size(run.bytes_done or None)
        table.add_row(run_id, Text(one_line(run.name)), state_text(run.state), bar, *more, amount, time)
    return table


def _details(run: Run, rates: Mapping[str, float]) -> list[str]:
    """Stage, files, rate and tries of a run that is under way; of one that has ended its files."""
    files = f"{run.files_done:,}/{run.files_total:,}" if run.files_total else ""
    rate = f"{size(round(rates[run.run_id]))}/s" if run.run_id in rates else ""
    stage, tries = ("", "") if run.state.is_final else (run.stage.value, str(run.tries or ""))
    return [stage, files, rate, tries]


def add_progress(runs: Iterable[Run], workers: Iterable[WorkerView]) -> list[Run]:
    """The runs with what workers say of downloads in hand: a record knows only of whole files."""
    in_hand = {job.run_id: job.bytes_done for worker in workers if worker.is_alive for job in worker.jobs}
    return [
        run.model_copy(update={"bytes_done": max(run.bytes_done, in_hand[run.run_id])})
        if run.state is State.DOWNLOADING and run.run_id in in_hand
        else run
        for run in runs
    ]


def bar_of(run: Run, width: int = _BAR) -> ProgressBar:
    """How far a run has come, as a bar."""
    style = _STYLES[run.state] if run.state.is_final else "blue"
    return ProgressBar(
        total=100, completed=share_of(run) * 100, width=width, complete_style=style, finished_style="green"
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
