"""The newest failed runs, by cause: no more of them than can be looked at while somebody waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from jobs import keys
from jobs.causes import CAUSE_FIELDS, FAILED_STATES, Cause, CauseGroup, Groups, cause_of
from jobs.listing import Cursor, read_places
from jobs.run import State

if TYPE_CHECKING:
    from arq.connections import ArqRedis

__all__ = ["FailedRun", "FailureLook", "find_failures", "group_newest_failures"]

MOST_LOOKED_AT = 2_000  # runs in one call: a tenth of a second, and two round trips for each 500
_PAGE = 500
_SHOWN = 20  # runs that are named for each cause


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that ended without its files, and why."""

    place: Cursor
    cause: Cause
    message: str  # as it was

    @property
    def run_id(self) -> str:
        """Which run it is."""
        return self.place.run_id


@dataclass(frozen=True, slots=True)
class FailureLook:
    """The newest failures by cause.

    Attributes:
        groups: the most frequent cause first.
        run_ids: the newest runs of each cause, by the cause's id; not all of them.
        looked_at: how many runs were grouped.
        failed: how many failed runs there are.
    """

    groups: Sequence[CauseGroup]
    run_ids: dict[str, list[str]]
    looked_at: int
    failed: int


@dataclass(slots=True)
class Found:
    """The runs of one cause that a look has found.

    Attributes:
        runs: the newest first.
        left: how many more the look has seen behind them.
        next: where to go on; None where nothing is behind.
    """

    runs: list[FailedRun] = field(default_factory=list)
    left: int = 0
    next: Cursor | None = None


async def group_newest_failures(redis: ArqRedis, most: int = MOST_LOOKED_AT) -> FailureLook:
    """Group the runs that failed or expired by cause, the newest `most` of them."""
    groups, run_ids, looked_at = Groups(), dict[str, list[str]](), 0
    async for page in _pages(redis, None, most):
        for run in page:
            at = datetime.fromtimestamp(run.place.at_ms / 1000, UTC)
            cause = groups.add(run.run_id, at, run.cause, run.message)
            named = run_ids.setdefault(cause.id, [])
            named += [run.run_id] if len(named) < _SHOWN else []
        looked_at += len(page)
    failed = sum([await redis.zcard(keys.state(state)) for state in FAILED_STATES])
    return FailureLook(groups.most_frequent_first(), run_ids, looked_at, max(failed, looked_at))


async def find_failures(
    redis: ArqRedis, cause_id: str, limit: int, before: Cursor | None = None, most: int = MOST_LOOKED_AT
) -> Found:
    """Find up to `limit` runs of one cause among the newest `most` failures behind a cursor."""
    found, looked_at, last = Found(), 0, before
    async for page in _pages(redis, before, most):
        for run in page:
            if run.cause.id == cause_id and len(found.runs) < limit:
                found.runs.append(run)
            elif run.cause.id == cause_id:
                found.left += 1
        looked_at, last = looked_at + len(page), page[-1].place
    if found.left:
        found.next = found.runs[-1].place if found.runs else before
    elif looked_at >= most:
        found.next = last
    return found


async def _pages(redis: ArqRedis, before: Cursor | None, most: int) -> AsyncIterator[list[FailedRun]]:
    """The newest failures behind a cursor, whichever of the states they are in, page by page."""
    while most > 0:
        places: list[tuple[Cursor, State]] = []
        for state in FAILED_STATES:
            places += [(place, state) for place in await read_places(redis, keys.state(state), _PAGE, before)]
        newest = sorted(places, key=lambda each: (each[0].at_ms, each[0].run_id), reverse=True)
        page = list(islice(newest, min(_PAGE, most)))
        if not page:
            return
        yield await _read(redis, page)
        before, most = page[-1][0], most - len(page)


async def _read(redis: ArqRedis, places: Sequence[tuple[Cursor, State]]) -> list[FailedRun]:
    """Why these runs failed; one that cannot be read is a cause of its own."""
    async with redis.pipeline(transaction=False) as pipe:
        for place, _ in places:
            pipe.hmget(keys.run(place.run_id), list(CAUSE_FIELDS))
        records = await pipe.execute(raise_on_error=False)
    return [FailedRun(place, *cause_of(state, record)) for (place, state), record in zip(places, records, strict=True)]
