"""A run's history as people read it: where it stands among the stages, and how long each step took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobs.run import Stage, State, Transition
from worker.web.views import RunDetail


class Mark(StrEnum):
    """How far a stage has come."""

    DONE = "done"
    NOW = "now"
    STOPPED = "stopped"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class StageMark:
    """One of the four stages of a run."""

    stage: Stage
    mark: Mark


@dataclass(frozen=True, slots=True)
class Step:
    """One transition, and how long it was until the next one."""

    at: datetime
    state: State
    stage: Stage
    reason: str
    worker: str | None
    tries: int
    lasted_s: float | None


def tell_stages(run: RunDetail) -> list[StageMark]:
    """The four stages in their order, each with how far it has come."""
    reached = list(Stage).index(run.stage)
    return [StageMark(stage, _mark(run, place, reached)) for place, stage in enumerate(Stage)]


def _mark(run: RunDetail, place: int, reached: int) -> Mark:
    if place < reached or run.state.has_files:
        return Mark.DONE
    if place > reached:
        return Mark.AHEAD
    return Mark.STOPPED if run.state.is_final else Mark.NOW


def tell_steps(history: Sequence[Transition]) -> list[Step]:
    """The transitions, oldest first; the last one has no end yet."""
    ends: list[datetime | None] = [line.at for line in history[1:]]
    return [
        Step(
            line.at,
            line.state,
            line.stage,
            line.reason,
            line.worker,
            line.tries,
            lasted_s=(end - line.at).total_seconds() if end else None,
        )
        for line, end in zip(history, [*ends, None], strict=False)
    ]
