"""Walking an index of runs that changes meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arq.connections import ArqRedis

PAGE = 500


async def pages_of(redis: ArqRedis, index: str, since_ms: int = 0) -> AsyncIterator[list[tuple[str, int]]]:
    """The runs of an index with their times, the longest there first, page by page; up to those of this moment.

    A run that leaves the index or moves within it meanwhile may be missed: it is alive. One that stays is not, but for
    those that came in the very same millisecond as another that leaves.
    """
    seconds, micros = await redis.time()
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    start, seen = since_ms, 0  # where the next page starts, and how many of exactly that time there were
    while page := await redis.zrangebyscore(index, start, now_ms, seen, PAGE, withscores=True):
        found = [(run_id.decode(errors="replace"), int(at)) for run_id, at in page]
        yield found
        last = found[-1][1]
        seen = (seen if last == start else 0) + sum(at == last for _, at in found)
        start = last
