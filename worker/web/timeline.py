"""A run's time as a picture: in which stage it was when, at work, in line, at Planet, or trying again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from jobs.run import Stage, State, Transition
from worker.wording import duration

_NARROWEST = 0.4  # percent of the width: a second within hours is still seen
_MOST_SPANS = 300  # of a lane; a run that was tried a thousand times is drawn in coarser strokes
_STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800)
_MOST_TICKS = 6


class Kind(StrEnum):
    """What a run did in a span of time; the values are the words of the legend."""

    LINE = "in line"
    WORK = "at work"
    PLANET = "at Planet"
    AGAIN = "trying again"

    @property
    def css(self) -> str:
        """Its class in the style sheet."""
        return self.name.lower()


@dataclass(slots=True)
class Span:
    """A part of the bar, in percent of the width."""

    kind: Kind
    row: int  # of the parts of a request that was split
    start: float
    width: float
    seconds: float

    @property
    def told(self) -> str:
        """What it is, for whoever points at it."""
        return f"{self.kind.value} {duration(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Lane:
    """One stage."""

    stage: Stage
    spans: Sequence[Span]
    told: str  # how long it took, in words

    @property
    def is_empty(self) -> bool:
        """Whether the run has not been in this stage."""
        return not self.spans


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis of time."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture, and what its axis says."""

    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    kinds: Sequence[Kind]  # that are seen in it
    rows: int
    start: datetime
    total_s: float


def draw_timeline(histories: Sequence[Sequence[Transition]], now: datetime) -> Timeline | None:
    """The timeline of a run, or of the parts of one that was split; None where nothing is known of it."""
    known = [history for history in histories if history]
    if not known:
        return None
    times = [line.at for history in known for line in history]
    start = min(times)
    end = max(times if all(history[-1].state.is_final for history in known) else [*times, now])
    total_s = max((end - start).total_seconds(), 0.001)
    spans: dict[Stage, list[Span]] = {stage: [] for stage in Stage}
    for row, history in enumerate(known):
        for stage, kind, begin, seconds in _stretches(history, end):
            place = (begin - start).total_seconds() / total_s * 100
            _add(spans[stage], Span(kind, row, place, seconds / total_s * 100, seconds))
    lanes = [Lane(stage, [_widened(span) for span in found], _tell(found)) for stage, found in spans.items()]
    seen = {span.kind for lane in lanes for span in lane.spans}
    return Timeline(lanes, _ticks(total_s), [kind for kind in Kind if kind in seen], len(known), start, total_s)


def _stretches(history: Sequence[Transition], end: datetime) -> Iterator[tuple[Stage, Kind, datetime, float]]:
    """What a run did from each of its transitions to the next one; at its end it does nothing."""
    last = history[-1].model_copy(update={"at": max(end, history[-1].at)})
    before: Transition | None = None
    for line, following in pairwise([*history, last]):
        seconds = (following.at - line.at).total_seconds()
        if not line.state.is_final and seconds >= 0:
            yield line.stage, _kind_of(line, before), line.at, seconds
        before = line


def _kind_of(line: Transition, before: Transition | None) -> Kind:
    if line.state is State.QUEUED:
        return Kind.LINE
    if line.state is State.WAITING:
        return Kind.PLANET
    return Kind.AGAIN if before is not None and before.state is line.state else Kind.WORK


def _add(spans: list[Span], span: Span) -> None:
    """Add it, or make the last one longer where they would be seen as one."""
    last = spans[-1] if spans else None
    is_fine = span.width < 100 / _MOST_SPANS or len(spans) >= _MOST_SPANS
    if last and last.row == span.row and last.kind is span.kind and is_fine:
        last.width = span.start + span.width - last.start
        last.seconds += span.seconds
    else:
        spans.append(span)


def _widened(span: Span) -> Span:
    width = max(span.width, _NARROWEST)
    return Span(span.kind, span.row, round(min(span.start, 100 - width), 3), round(width, 3), span.seconds)


def _tell(spans: Sequence[Span]) -> str:
    if not spans:
        return "not yet"
    sums = {kind: sum(span.seconds for span in spans if span.kind is kind) for kind in Kind}
    there = {span.kind for span in spans}
    return ", ".join(f"{kind.value} {duration(sums[kind])}" for kind in Kind if kind in there)


def _ticks(total_s: float) -> list[Tick]:
    """Marks at round times since the start, few enough to be read."""
    step_s = next((step for step in _STEPS_S if total_s / step <= _MOST_TICKS), None)
    if step_s is None:
        step_s = _STEPS_S[-1] * (1 + int(total_s / _STEPS_S[-1] / _MOST_TICKS))
    return [Tick(round(at / total_s * 100, 3), _label(at)) for at in range(step_s, int(total_s) + 1, step_s)]


def _label(seconds: int) -> str:
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % (unit_s // 2 if unit_s > 60 else unit_s) == 0:  # noqa: PLR2004 — half hours
            return f"+{seconds / unit_s:g} {unit}"
    return f"+{seconds} s"
