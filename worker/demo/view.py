"""What the demo shows: bars while orders travel, a table when they have arrived; plain lines off a terminal."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.run import Run, State
from worker.board import bar_of, share_of, state_text, states_line
from worker.demo.proof import Delivery
from worker.fleet import WorkerView
from worker.wording import duration, plural, size

_PLAIN_EVERY_S = 2.0
_RATE_OVER_S = 3.0
_OTHER_LINES = 9  # of the screen, beside the runs
_STAGES = (State.QUEUED, State.CREATING, State.WAITING, State.DOWNLOADING, State.VALIDATING, State.DONE)


class View:
    """The live part; a context manager while orders travel."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = monotonic()
        self._bytes: deque[tuple[float, int]] = deque()
        self._live = Live(console=console, auto_refresh=False)
        self._told: tuple[float, object] = (0.0, None)

    def say(self, text: str = "") -> None:
        """A line before or after the live part."""
        self._console.print(text)

    def __enter__(self) -> Self:
        self._began = monotonic()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._console.print()

    def update(self, runs: Sequence[Run], workers: Sequence[WorkerView]) -> None:
        """Show how things are now."""
        rate = self._rate(sum(run.bytes_done for run in runs))
        if self._console.is_terminal:
            self._live.update(self._draw(runs, workers, rate), refresh=True)
        else:
            self._tell(runs)

    def _rate(self, bytes_done: int) -> float:
        """Bytes a second, over the last seconds."""
        now = monotonic()
        self._bytes.append((now, bytes_done))
        while now - self._bytes[0][0] > _RATE_OVER_S:
            self._bytes.popleft()
        since, before = self._bytes[0]
        return max(0, bytes_done - before) / (now - since) if now > since else 0.0

    def _draw(self, runs: Sequence[Run], workers: Sequence[WorkerView], rate: float) -> RenderableType:
        room = max(4, self._console.height - _OTHER_LINES - len(workers))
        return Group(
            _draw_stages(runs),
            Text(),
            _draw_runs(runs, room),
            Text(),
            _draw_workers(workers),
            Text(),
            _draw_total(runs, rate, monotonic() - self._began),
        )

    def _tell(self, runs: Sequence[Run]) -> None:
        """A plain line now and then, when there is something new to say."""
        counts = _count(runs)
        now, is_over = monotonic(), all(run.state.is_final for run in runs)
        if counts == self._told[1] or (now - self._told[0] < _PLAIN_EVERY_S and not is_over):
            return
        self._told = (now, counts)
        line = Text(f"{duration(now - self._began):>10}   ").append_text(states_line(counts))
        self._console.print(line.append(f"   {size(sum(run.bytes_done for run in runs))}"))


def _count(runs: Sequence[Run]) -> dict[State, int]:
    return {state: sum(run.state is state for run in runs) for state in State}


def _draw_stages(runs: Sequence[Run]) -> Table:
    """How many runs are where, in the order they travel."""
    counts = _count(runs)
    table = Table(box=None, pad_edge=False, expand=False, padding=(0, 3, 0, 0), header_style="dim")
    ended_badly = [state for state in counts if state.is_final and state is not State.DONE and counts[state]]
    states = (*_STAGES, *ended_badly)
    for state in states:
        table.add_column(state.value, justify="right", min_width=len(state.value))
    table.add_row(*(Text(f"{counts[state]}", style="bold" if counts[state] else "dim") for state in states))
    return table


def _draw_runs(runs: Sequence[Run], room: int) -> Table:
    """As many runs as there is room for: those in hand before those that wait, and those before the ended."""
    shown = sorted(runs, key=lambda run: (run.state.is_final, -share_of(run)))[:room]
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, width=20, overflow="ellipsis")
    table.add_column(no_wrap=True, width=11)
    table.add_column(no_wrap=True, width=20)
    table.add_column(no_wrap=True, justify="right", width=18)
    for run in shown:
        volume = f"{size(run.bytes_done)} of {size(run.bytes_total)}" if run.bytes_total else ""
        table.add_row(run.name, state_text(run.state), bar_of(run), Text(volume, style="dim"))
    return table


def _draw_workers(workers: Sequence[WorkerView]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, width=33, overflow="ellipsis")
    table.add_column(no_wrap=True, width=20)
    table.add_column(no_wrap=True, justify="right")
    for worker in workers:
        busy = len(worker.jobs)
        bar = ProgressBar(total=worker.slots, completed=busy, width=20, complete_style="blue", finished_style="blue")
        table.add_row(f"worker {worker.name}", bar, Text(f"{busy} of {worker.slots} slots", style="dim"))
    return table


def _draw_total(runs: Sequence[Run], rate: float, seconds: float) -> Text:
    done = sum(run.state.is_final for run in runs)
    volume = size(sum(run.bytes_done for run in runs))
    return Text(f"{done} of {plural(len(runs), 'order')}   {volume}   {size(round(rate))}/s   {duration(seconds)}")


def draw_deliveries(deliveries: Sequence[Delivery], took_s: float, workers: int, *, wide: bool) -> RenderableType:
    """One line an order, and the totals; what it says of files was read from the disk."""
    table = Table(box=None, pad_edge=False, header_style="dim", footer_style="bold", padding=(0, 2, 0, 0))
    files, volume = sum(each.files for each in deliveries), sum(each.size_bytes for each in deliveries)
    whole = sum(each.is_whole for each in deliveries)
    table.add_column("order", footer=plural(len(deliveries), "order"), no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("files", footer=str(files), justify="right", no_wrap=True)
    table.add_column("bytes", footer=size(volume), justify="right", no_wrap=True)
    table.add_column("sha256", footer=f"{whole} ok", no_wrap=True)
    table.add_column("time", footer=duration(took_s), justify="right", no_wrap=True)
    for each in deliveries:
        run = each.run
        order_id = run.order_id or "-"
        time = duration(((run.finished_at or run.updated_at) - run.created_at).total_seconds())
        verdict = Text("ok", style="green") if each.is_whole else Text("WRONG", style="bold red")
        shown = order_id if wide else order_id[:13]
        table.add_row(shown, run.name, str(each.files), size(each.size_bytes), verdict, time)
    table.show_footer = True
    rate = f"{size(round(volume / took_s))}/s on average" if took_s else ""
    return Group(table, Text(), Text(f"  {plural(workers, 'worker')}, {rate}", style="dim"))


def draw_next_steps(destination: Path, data: Path, deliveries: Sequence[Delivery]) -> RenderableType:
    """Where everything lies, and what to try next."""
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("files", _shortest(destination))
    grid.add_row("look again", f"export ORDERS_DATA_DIR={_shortest(data)}")
    grid.add_row("", "planet-orders list")
    if deliveries:
        grid.add_row("", f"planet-orders status {deliveries[0].run.run_id}")
    grid.add_row("for real", "export PL_API_KEY=...")
    grid.add_row("", "planet-orders worker &")
    grid.add_row("", "planet-orders submit order.json --wait")
    return grid


def _shortest(path: Path) -> str:
    return min(str(path), os.path.relpath(path), key=len)
