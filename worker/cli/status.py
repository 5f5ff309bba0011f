"""`status`: the story of one run, or how the fleet is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobs import keys
from jobs.line import Priority
from jobs.redaction import hide_password
from jobs.run import FileRecord, Run, State, Transition
from worker.board import open_console, state_text, states_line, workers_table
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import Exit
from worker.cli.output import print_json
from worker.fleet import read_fleet
from worker.wording import age, clock_time, duration, instant, one_line, plural, size

_PLANET_IS_DONE_WITH = {"failed", "cancelled"}
_DIGEST_SHOWN = 12
_SHOWN_OTHERWISE = {"event", "level", "timestamp", "logger", "run_id", "order_id"}  # of a log line


def show_run(text: str, *, as_json: bool) -> Exit:
    """Tell what became of a run so far: stages, times, tries, files, and what to do next."""

    async def work(desk: Desk) -> Exit:
        handle = desk.queue.run(await desk.find_run_id(text))
        run, history, files = await handle.status(), await handle.history(), await handle.files()
        log = await handle.log()
        if as_json:
            from worker.web.views import tell_run  # noqa: PLC0415 — slow to import, and people need none of it

            detail = tell_run(run, history, files, desk.redactor).model_dump(mode="json")
            print_json({**detail, "log": [desk.redactor.mapping(line) for line in log]})
        else:
            console = open_console()
            console.print(draw_story(run, history, files))
            for line in [*tell_log(run, log), *tell_ending(run)]:
                console.print(line, soft_wrap=True)  # a command that is folded cannot be copied
        return Exit.OK

    return at_desk(work)


def draw_story(
    run: Run, history: Sequence[Transition], files: Sequence[FileRecord], now: datetime | None = None
) -> RenderableType:
    """One run for a person to read."""
    parts: list[RenderableType] = [_draw_facts(run, now or datetime.now(UTC)), Text(), _draw_stages(history)]
    if files:
        parts += [Text(), _draw_files(files, run.order_id)]
    return Group(*parts)


def _draw_facts(run: Run, now: datetime) -> Table:
    table = _grid()
    state = state_text(run.state)
    if run.cancel_requested and not run.state.is_final:
        state.append("  to be cancelled")
    table.add_row("run", run.run_id)
    table.add_row("name", Text(one_line(run.name), style="bold"))
    table.add_row("state", state)
    if run.part_ids:
        table.add_row("parts", f"it is the first of {len(run.part_ids)}; all of them: {' '.join(run.part_ids[1:])}")
    if run.part_of:
        table.add_row("part of", run.part_of)
    order = f"{run.order_id}  {run.order_state or ''}" if run.order_id else "none yet"
    table.add_row("order", order.strip())
    if run.order_message:
        table.add_row("", Text(one_line(run.order_message), style="dim"))
    table.add_row("destination", hide_password(run.destination) or "the fleet's own")
    by = f" by {one_line(run.producer)}" if run.producer else ""
    table.add_row("submitted", f"{instant(run.created_at)}{by}, {age(run.created_at, now)}")
    if run.key:
        table.add_row("key", one_line(run.key))
    if run.priority is not Priority.NORMAL:
        table.add_row("priority", run.priority)
    if run.deadline_at and not run.state.is_final:
        table.add_row("deadline", instant(run.deadline_at))
    took = "took" if run.finished_at else "so far"
    table.add_row(took, duration(((run.finished_at or now) - run.created_at).total_seconds()))
    if run.files_total is not None:
        files, volume = plural(run.files_total, "file"), f"{size(run.bytes_done)} of {size(run.bytes_total)}"
        table.add_row("files", f"{run.files_done:,} of {files}, {volume}")
    return table


def _draw_stages(history: Sequence[Transition]) -> Table:
    """Each line of the history: when, what, and what it took to get there."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("time", "state", "after", "try", "worker"):
        table.add_column(name, no_wrap=True, justify="right" if name in {"after", "try"} else "left")
    table.add_column("what happened", overflow="fold")
    before = history[0].at if history else None
    for _, alike in groupby(history, key=lambda each: (each.state, each.reason, each.worker)):
        group = list(alike)
        last = group[-1]
        after = duration((last.at - (before or last.at)).total_seconds())
        times = f" ({len(group)} times)" if len(group) > 1 else ""
        tries = str(last.tries) if last.tries else ""
        reason = Text(one_line(last.reason) + times)
        table.add_row(clock_time(last.at), state_text(last.state), after, tries, Text(last.worker or ""), reason)
        before = last.at
    return table


def _draw_files(files: Sequence[FileRecord], order_id: str | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(f"file in {order_id}", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("sha256", no_wrap=True)
    table.add_column("", overflow="fold")
    for file in files:
        verdict = (
            Text("verified", style="green") if file.verified else Text(one_line(file.problem or "not yet verified"))
        )
        path = file.path.removeprefix(f"{order_id}/")
        table.add_row(Text(one_line(path)), size(file.size_bytes), (file.sha256 or "-")[:_DIGEST_SHOWN], verdict)
    return table


def _grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def tell_log(run: Run, log: Sequence[Mapping[str, Any]]) -> list[Text]:
    """The last log lines of a run that failed, or fails at the moment."""
    if run.error is None or run.state.has_files or not log:
        return []
    return [Text(), Text("last log lines", style="dim"), *map(_draw_log_line, log)]


def _draw_log_line(event: Mapping[str, Any]) -> Text:
    fields = {name: value for name, value in event.items() if name not in _SHOWN_OTHERWISE and value is not None}
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    style = "red" if event.get("level") in {"error", "critical"} else "dim"
    when, level = str(event.get("timestamp", ""))[11:19], event.get("level", "")
    return Text(one_line(f"{when} {level:<7} {event.get('event', '')}  {told}"), style=style)


def tell_ending(run: Run) -> list[Text]:
    """What is wrong with a run, and what comes next."""
    lines = []
    if run.error is not None and not run.state.has_files:
        where = f" in {run.error.stage}" if run.error.stage else ""
        lines += [Text(), Text(f"{run.error.type}{where}: {one_line(run.error.message)}", style="red")]
    if advice := advise(run):
        lines += [Text(), Text(advice)]
    return lines


def advise(run: Run) -> str:
    """The command that comes next, or nothing where none is needed."""
    if run.state in {State.DONE, State.PARTIAL}:
        return ""
    if not run.state.is_final:
        return f"Follow it with: planet-orders watch {run.run_id}"
    if run.order_state in _PLANET_IS_DONE_WITH:
        return f"Only a new order helps, which Planet bills anew: planet-orders retry {run.run_id} --rebuy"
    return f"When the cause is mended, let it go on from where it stopped: planet-orders retry {run.run_id}"


def show_fleet(*, as_json: bool) -> Exit:
    """Counts by state, workers, and the oldest run that nobody has started."""

    async def work(desk: Desk) -> Exit:
        if as_json:
            from worker.web.overview import look  # noqa: PLC0415 — as above

            print_json(await look(desk.store, desk.redactor))
            return Exit.OK
        counts, workers, oldest = (
            await desk.store.count(),
            await read_fleet(desk.redis),
            await _find_oldest_queued(desk),
        )
        parts: list[RenderableType] = [states_line(counts)]
        if oldest is not None:
            parts.append(Text(f"oldest queued: {oldest.run_id}, submitted {age(oldest.created_at)}"))
            parts += [Text(why) for why in await _why_they_wait(desk, counts)]
        if workers:
            parts += [Text(), workers_table(workers)]
        open_console().print(Group(*parts))
        if not any(worker.is_alive for worker in workers):
            say("No worker is alive; start one with: planet-orders worker")
        return Exit.OK

    return at_desk(work)


async def _find_oldest_queued(desk: Desk) -> Run | None:
    ids = await desk.redis.zrange(keys.state(State.QUEUED), 0, 0)
    return next(iter(await desk.store.get_many([run_id.decode() for run_id in ids])), None)


async def _why_they_wait(desk: Desk, counts: dict[State, int]) -> list[str]:
    """What keeps queued runs in line, if it is not that all are busy."""
    under_way = counts[State.CREATING] + counts[State.WAITING]
    if under_way >= desk.settings.running_orders:
        held_by = f"{plural(under_way, 'order')} under way, which is all that ORDERS_RUNNING_ORDERS allows"
        return [f"{held_by}: queued runs wait for one to end"]
    if await desk.redis.exists(keys.FULL):
        return ["Planet refused an order as one too many: queued runs wait for room, and one is tried now and then"]
    return []
