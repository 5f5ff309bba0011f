"""The screen of `watch`: the fleet on top, below it as many runs as the window has lines for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.text import Text

from jobs.run import Run, State
from worker.board import runs_table, states_line, workers_table
from worker.cli.follow import fit
from worker.fleet import WorkerView
from worker.web.overview import FleetView
from worker.web.verdict import Health, Verdict
from worker.wording import one_line, plural

_WORKERS_MAX = 8  # lines
_SPAN_S = 5.0  # over which a rate is taken
_OTHER_LINES = 4  # the heading of runs, counts, and what stands between them
_HEALTH_STYLES = {Health.WELL: "bold green", Health.DEGRADED: "bold yellow", Health.DOWN: "bold red"}


class Rates:
    """How fast downloads are, from what they had at the looks of the last seconds."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def note(self, runs: Iterable[Run], now_s: float) -> Mapping[str, float]:
        """Bytes per second of each run that is downloading, as soon as there are two looks to tell from."""
        bytes_done = {run.run_id: run.bytes_done for run in runs if run.state is State.DOWNLOADING}
        self._seen = {run_id: self._seen.get(run_id, deque()) for run_id in bytes_done}
        rates = {}
        for run_id, looks in self._seen.items():
            looks.append((now_s, bytes_done[run_id]))
            while len(looks) > 2 and now_s - looks[0][0] > _SPAN_S:  # noqa: PLR2004 — two make a rate
                looks.popleft()
            since_s, before = looks[0]
            if now_s > since_s:
                rates[run_id] = max(0.0, (bytes_done[run_id] - before) / (now_s - since_s))
        return rates


class Picture:
    """Draws one look after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rates = Rates()
        self._last: RenderableType = Text()

    @property
    def room(self) -> int:
        """How many runs there are lines for, at most."""
        return max(1, self._console.height - _OTHER_LINES)

    def draw(self, fleet: FleetView, runs: Sequence[Run]) -> RenderableType:
        """The fleet and these runs."""
        head = [*draw_verdict(fleet.verdict), *_draw_workers([worker for worker in fleet.workers if worker.is_alive])]
        lines = len(self._console.render_lines(Group(*head)))
        shown, more = fit(runs, max(1, self.room - lines))
        table = runs_table(shown, self._console.width, rates=self._rates.note(runs, monotonic()))
        self._last = Group(*head, Text(), states_line(fleet.runs), Text(), table, *more)
        return self._last

    def draw_trouble(self, text: str) -> RenderableType:
        """What was there last, below a word about why it does not change."""
        return Group(Text(text, style="bold red"), self._last)


def draw_verdict(verdict: Verdict) -> list[RenderableType]:
    """Whether the fleet is well; else why not, and what mends it."""
    lines: list[RenderableType] = [Text(verdict.headline, style=_HEALTH_STYLES[verdict.health])]
    for reason in verdict.reasons:
        remedy = f": {reason.remedy.replace('`', '')}" if reason.remedy else ""
        lines.append(Text(one_line(f"  {reason.gist}; {reason.detail}{remedy}"), no_wrap=True, overflow="ellipsis"))
    return lines


def _draw_workers(alive: Sequence[WorkerView]) -> list[RenderableType]:
    if not alive:
        return []
    hidden = len(alive) - _WORKERS_MAX
    more = [Text(f"and {plural(hidden, 'more worker')}", style="dim")] if hidden > 0 else []
    return [workers_table(alive[:_WORKERS_MAX]), *more]
