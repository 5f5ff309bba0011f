"""Charts of the first page: bars above a line for runs that were delivered, below it for those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from worker.web.overview import FleetView
from worker.web.series import Series
from worker.wording import plural

_LEAST = 0.03  # of the height: a single failure among thousands is seen
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a chart, on a canvas that is one wide for each step and 1 high.

    Attributes:
        up: how high what was delivered stands above the line.
        down: how far what failed hangs below it.
        time: when it began.
        said: that, and the three numbers.
    """

    place: int
    up: float
    down: float
    time: str
    said: str
    delivered: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is ready to be drawn.

    Attributes:
        top: the number at its upper edge.
        bottom: the number at its lower edge.
        line: where the line lies, from the top.
        ticks: what stands below it: at its start, its middle, its end.
    """

    name: str
    title: str
    unit: str
    summary: str
    bars: Sequence[Bar]
    top: int
    bottom: int
    line: float
    ticks: Sequence[str]


def draw_charts(view: FleetView) -> list[Chart]:
    """The last hour and the last day."""
    hour = draw_chart(view.last_hour, "hour", "Last hour", "minute", ("60 min ago", "30 min", "now"))
    day = draw_chart(view.last_day, "day", "Last day", "hour", ("24 h ago", "12 h", "now"))
    return [hour, day]


def draw_chart(series: Series, name: str, title: str, unit: str, ticks: Sequence[str]) -> Chart:
    """One series, with what has to be said of it; `unit` is what one of its steps is called."""
    top, bottom = _round_up(max(series.delivered)), _round_up(max(series.failed))
    top = top or (0 if bottom else 1)
    return Chart(
        name,
        title,
        unit,
        _summarize(series, title, unit),
        [_bar(series, place, top + bottom) for place in range(len(series.delivered))],
        top,
        bottom,
        line=min(max(top / (top + bottom), _LEAST if top else 0.0), 1 - _LEAST if bottom else 1.0),
        ticks=ticks,
    )


def _bar(series: Series, place: int, whole: int) -> Bar:
    delivered, failed, cancelled = (each[place] for each in (series.delivered, series.failed, series.cancelled))
    at = series.since + timedelta(seconds=place * series.step_s)
    time = f"{at:%H:%M} UTC"
    return Bar(
        place,
        max(delivered / whole, _LEAST if delivered else 0.0),
        max(failed / whole, _LEAST if failed else 0.0),
        time,
        f"{time}: {_told(delivered, failed, cancelled)}",
        delivered,
        failed,
        cancelled,
    )


def _summarize(series: Series, title: str, unit: str) -> str:
    sums = _told(sum(series.delivered), sum(series.failed), sum(series.cancelled))
    most = max(series.delivered)
    return f"{title} by {unit}: {sums}" + (f"; at most {most:,} delivered in one {unit}" if most else "")


def _told(delivered: int, failed: int, cancelled: int) -> str:
    told = f"{plural(delivered, 'run')} delivered, {failed:,} failed"
    return f"{told}, {cancelled:,} cancelled" if cancelled else told


def _round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ...; 0 of 0."""
    if number <= 0:
        return 0
    size = 1
    while size * _STEPS[-1] < number:
        size *= 10
    return next(step * size for step in _STEPS if step * size >= number)
