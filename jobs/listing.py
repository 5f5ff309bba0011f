"""Pages of runs: newest first, and no run is lost between two pages, however many were submitted at once."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from jobs import keys
from jobs.run import Run, State, to_ms
from jobs.scripts import script

if TYPE_CHECKING:
    from arq.connections import ArqRedis

CURSOR_PATTERN = r"([0-9]{1,15})(?:-([0-9A-Za-z_.:-]{1,64}))?"
_AT_ONCE = 500  # runs whose records one call of a script looks at: it holds the server up for a millisecond or two
LOOKED_AT = 2_500  # for one page: whoever filters goes on from its cursor, and nobody waits


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place behind one run in an index: its time in milliseconds, or its number, and the run that stands there."""

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
        match = re.fullmatch(CURSOR_PATTERN, text)
        if match is None:
            raise ValueError("it is no cursor; take it from `next` of the page before")
        return cls(int(match[1]), match[2] or "")

    @classmethod
    def behind(cls, run: Run, state: State | None) -> Self:
        """The place behind a run that was listed: among all runs, or among those in a state."""
        return cls(to_ms(run.created_at if state is None else run.updated_at), run.run_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list.

    Attributes:
        state: only those in this state, by when they came into it; without one all, by creation.
        producer: only those of this producer.
        batch_id: only those of this batch, the last of its requests first.
        text: only those whose name holds it, or whose id begins or ends with it, whatever the case of plain letters.
    """

    state: State | None = None
    producer: str | None = None
    batch_id: str | None = None
    text: str | None = None

    @property
    def index(self) -> str:
        """Where they stand in order."""
        if self.batch_id is not None:
            return keys.batch_runs(self.batch_id)
        return keys.RUNS if self.state is None else keys.state(self.state)

    @property
    def fields(self) -> dict[str, str]:
        """What their records must hold."""
        asked = {"producer": self.producer, "state": self.state if self.batch_id is not None else None}
        return {name: text for name, text in asked.items() if text is not None}

    @property
    def needs_records(self) -> bool:
        """Whether the index alone does not tell which they are."""
        return bool(self.fields or self.text)


async def find_page(
    redis: ArqRedis, wanted: Wanted, limit: int, before: Cursor | None = None
) -> tuple[list[str], Cursor | None]:
    """The ids of the newest runs first, behind a cursor.

    Nothing is scanned: without a producer, a text, or a state of a batch, this is two round trips. With one, up to
    2,500 runs are looked at, so that a page may hold fewer than `limit` runs, even none, and still have a next one.

    Returns:
        Up to `limit` ids, and where the next page begins, if there may be one.
    """
    found: list[Cursor] = []
    looked_at = 0
    async for places in _places(redis, wanted.index, _AT_ONCE if wanted.needs_records else limit + 1, before):
        for place, matches in zip(places, await _match(redis, places, wanted), strict=True):
            if matches and len(found) == limit:
                return [each.run_id for each in found], found[-1]
            found += [place] if matches else []
        looked_at += len(places)
        if looked_at >= LOOKED_AT:
            return [each.run_id for each in found], places[-1]
    return [each.run_id for each in found], None


async def _places(redis: ArqRedis, index: str, size: int, before: Cursor | None) -> AsyncIterator[list[Cursor]]:
    """The places of an index, newest first, some at a time."""
    while places := await read_places(redis, index, size, before):
        yield places
        if len(places) < size:
            return
        before = places[-1]


async def read_places(redis: ArqRedis, index: str, size: int, before: Cursor | None) -> list[Cursor]:
    """The next places of an index behind a cursor, newest first: at least `size` of them, unless it has no more."""
    newest, tied = "+inf", 0
    if before is not None:
        newest = str(before.at_ms)
        tied = await redis.zcount(index, before.at_ms, before.at_ms)
    # Runs of one millisecond come in the order of their ids, the last id first, and all of them are read again.
    found = await redis.zrevrangebyscore(index, newest, "-inf", start=0, num=size + tied, withscores=True)
    places = [Cursor(int(score), run_id.decode()) for run_id, score in found]
    if before is None:
        return places
    return [place for place in places if (place.at_ms, place.run_id) < (before.at_ms, before.run_id)]


async def _match(redis: ArqRedis, places: Sequence[Cursor], wanted: Wanted) -> list[bool]:
    """Which of these runs are wanted; one that is gone or damaged is not, where its record has a say."""
    if not wanted.needs_records:
        return [True] * len(places)
    match = script(redis, "match")
    asked = [keys.run(""), json.dumps(wanted.fields), wanted.text or ""]
    found = set(await match(args=[*asked, *(place.run_id for place in places)]))
    return [number in found for number in range(1, len(places) + 1)]
