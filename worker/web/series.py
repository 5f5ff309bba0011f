"""How many runs ended, by when they did: the last hour by minute, the last day by hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict

from jobs import keys
from jobs.run import State, from_ms

_ENDS: dict[str, tuple[State, ...]] = {
    "delivered": (State.DONE, State.PARTIAL),
    "failed": (State.FAILED, State.EXPIRED),
    "cancelled": (State.CANCELLED,),
}
_STATES = [state for states in _ENDS.values() for state in states]


class Series(BaseModel):
    """Runs that ended, by when: the last of the steps is the one that goes on now.

    A run counts when it ended last: one that is retried counts no more until it ends again.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime
    step_s: int
    delivered: list[int]
    failed: list[int]
    cancelled: list[int]


def edges_of(now_ms: int, step_s: int, steps: int) -> list[int]:
    """The borders of so many steps, at whole minutes or hours of UTC; `now_ms` lies in the last of them."""
    step_ms = step_s * 1000
    last = now_ms // step_ms * step_ms
    return [last + step_ms * place for place in range(1 - steps, 2)]


def ask_series(pipe: Any, edges: Sequence[int]) -> None:
    """Put into a pipeline what read_series() takes: one count for each state and step."""
    for state in _STATES:
        for start, end in pairwise(edges):
            pipe.zcount(keys.state(state), start, f"({end}")


def read_series(edges: Sequence[int], answers: Iterator[int]) -> Series:
    """The series, taken from the answers to what ask_series() asked."""
    counts = {state: list(islice(answers, len(edges) - 1)) for state in _STATES}
    sums = {
        name: [sum(each) for each in zip(*(counts[state] for state in states), strict=True)]
        for name, states in _ENDS.items()
    }
    return Series(since=from_ms(edges[0]), step_s=(edges[1] - edges[0]) // 1000, **sums)
