"""`batch`: how far a batch is, and what has become of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from math import inf
from time import monotonic

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.batch import Batch
from jobs.batch_handle import BatchHandle
from jobs.batch_summary import BatchSummary
from worker.board import open_console, states_line
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import Exit
from worker.cli.failed import tell_causes
from worker.cli.outage import Outage
from worker.cli.output import print_json
from worker.cli.terms import read_span
from worker.wording import age, duration, instant, one_line, plural, size

_LOOK_S = 0.5
_LISTED = 20
_BAR = 30  # columns


def show_batch(text: str, *, wait: bool, timeout: str | None, as_json: bool) -> Exit:
    """Print a batch's counts, totals and failures, once or when it has ended."""
    patience_s = read_span(timeout, "--timeout").total_seconds() if timeout else None

    async def work(desk: Desk) -> Exit:
        handle = desk.queue.batch(await desk.find_batch_id(text))
        if wait:
            await _follow(handle, patience_s)
        summary = await handle.summary()
        if as_json:
            from worker.web.batches import SummaryView  # noqa: PLC0415 — slow to import, and people need none of it

            print_json(SummaryView.of(summary, desk.redactor))
        else:
            console = open_console()
            for line in _tell(summary):
                console.print(line, soft_wrap=True)
        return Exit.FAILED if wait and not summary.batch.has_all_files else Exit.OK

    return at_desk(work)


def list_batches(*, as_json: bool) -> Exit:
    """Print the newest batches, one a line."""

    async def work(desk: Desk) -> Exit:
        batches, following = await desk.queue.batches.page(_LISTED)
        if as_json:
            from worker.web.batches import BatchList, BatchView  # noqa: PLC0415 — as above

            shown = [BatchView.of(batch, desk.redactor) for batch in batches]
            print_json(BatchList(batches=shown, next=str(following) if following else None))
        elif batches:
            open_console().print(_table(batches))
        else:
            say("There are no batches yet; several requests are one: planet-orders submit orders.ndjson")
        return Exit.OK

    return at_desk(work)


async def _follow(handle: BatchHandle, patience_s: float | None) -> None:
    """Show how far the batch is until it has ended, or patience has: a bar on a terminal, nothing elsewhere."""
    console = open_console(stderr=True)
    deadline = inf if patience_s is None else monotonic() + patience_s
    outage = Outage()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not (batch := await outage.ask(handle.status)).has_ended and monotonic() < deadline:
            if console.is_terminal:
                live.update(_bar(batch), refresh=True)
            await asyncio.sleep(_LOOK_S)
    if not batch.has_ended:
        say(f"The time is up. Still under way, and going on: {plural(batch.total - batch.ended, 'run')}.")


def _bar(batch: Batch) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    done = Text(f"{batch.ended:,} of {plural(batch.total, 'run')}")
    grid.add_row(ProgressBar(total=max(batch.total, 1), completed=batch.ended, width=_BAR), done)
    grid.add_row(states_line(batch.runs))
    return grid


def _tell(summary: BatchSummary) -> Iterator[Text]:
    batch = summary.batch
    yield Text.assemble("Batch ", (batch.batch_id, "bold"), f"  {one_line(batch.name)}")
    yield Text(f"  {_stands(batch)}", style="dim")
    yield Text.assemble("  ", states_line(batch.runs))
    yield Text(f"  {plural(summary.files, 'file')}, {size(summary.bytes)}")
    if batch.refused:
        yield Text(f"  {plural(batch.refused, 'request')} refused, and without a run", style="red")
    if batch.elsewhere:
        yield Text(f"  {plural(batch.elsewhere, 'request')} had a run already, which is not counted here", style="dim")
    if batch.callback_url:
        yield Text(f"  callback {one_line(batch.callback_note or 'when it has ended')}", style="dim")
    if summary.failures:
        yield Text()
        yield from tell_causes(summary.failures)


def _stands(batch: Batch) -> str:
    submitted = f"submitted {instant(batch.created_at)}, {age(batch.created_at)}"
    if batch.ended_at is not None:
        return f"{submitted}; ended after {duration((batch.ended_at - batch.created_at).total_seconds())}"
    if batch.submitted_at is None:
        return f"{submitted}, but not to its end: if nobody is at it, submit it again with its key"
    return f"{submitted}; {batch.ended:,} of {plural(batch.total, 'run')} ended"


def _table(batches: Sequence[Batch]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("batch", "name", "ended", "failed", "submitted"):
        table.add_column(name, no_wrap=True, overflow="ellipsis" if name == "name" else "fold")
    for batch in batches:
        failed = sum(count for state, count in batch.runs.items() if state.is_final and not state.has_files)
        ended = Text(f"{batch.ended:,} of {batch.total:,}")
        table.add_row(
            batch.batch_id,
            Text(one_line(batch.name)),
            ended,
            Text(f"{failed:,}" if failed else "", style="red"),
            Text(age(batch.created_at)),
        )
    return table
