"""Pages of runs: newest first, and no run is lost between two pages, however many were submitted at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from jobs import keys
from jobs.run import Run, State
from jobs.store import RunStore

_CURSOR = re.compile(r"([0-9]{1,15})(?:-([0-9A-Za-z_.:-]{1,64}))?")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place behind one run in an index: its time in milliseconds, and the run that stands there."""

    at_ms: int
    run_id: str = ""

    def __str__(self) -> str:
        return f"{self.at_ms}-{self.run_id}" if self.run_id else str(self.at_ms)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote; a time alone means: before everything of that millisecond.

        Raises:
            ValueError: it is no cursor.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise ValueError("it is no cursor; take it from `next` of the page before")
        return cls(int(match[1]), match[2] or "")


async def read_page(
    store: RunStore, state: State | None, limit: int, before: Cursor | None
) -> tuple[list[Run], Cursor | None]:
    """The newest runs first: by creation, or, with a state, by their last move in it. Three round trips at most.

    Returns:
        Up to `limit` runs (fewer where some are no longer kept), and where the next page begins, if there is one.
    """
    index = keys.RUNS if state is None else keys.state(state)
    newest, tied = "+inf", 0
    if before is not None:
        newest = str(before.at_ms)
        tied = await store.redis.zcount(index, before.at_ms, before.at_ms)
    # Runs of one millisecond come in the order of their ids, the last id first, and all of them are read again.
    found = await store.redis.zrevrangebyscore(index, newest, "-inf", start=0, num=limit + 1 + tied, withscores=True)
    places = [Cursor(int(score), run_id.decode()) for run_id, score in found]
    if before is not None:
        places = [place for place in places if (place.at_ms, place.run_id) < (before.at_ms, before.run_id)]
    runs = await store.get_many([place.run_id for place in places[:limit]])
    return runs, places[limit - 1] if len(places) > limit else None
