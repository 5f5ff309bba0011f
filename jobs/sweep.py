"""The sweep: bring back runs that lost their job, and forget those that are past their keeping.

It should never find a lost run, since every move of a run and its job is one script. What it guards against is a Redis
that came back without its last second of writes, and hands that delete keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from jobs import keys
from jobs.clock import now_ms
from jobs.errors import Fenced, RunNotFound, UnreadableRun
from jobs.index import PAGE, pages_of
from jobs.moves import By, Move
from jobs.run import FINAL_STATES, Run, State
from jobs.scripts import script
from jobs.store import RunStore, ms


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    recovered: tuple[str, ...]
    forgotten: int


async def sweep(store: RunStore, by: By) -> Swept:
    """Give every lost run a job of the stage it was in, and drop index entries of runs that are no longer kept."""
    recovered = [run_id async for run_id in _lost(store) if await _recover(store, run_id, by)]
    return Swept(tuple(recovered), await _forget(store))


async def _lost(store: RunStore) -> AsyncIterator[str]:
    find = script(store.redis, "lost")
    for state in State:
        if state.is_final:
            continue
        async for page in pages_of(store.redis, keys.state(state)):
            run_ids = [run_id for run_id, _ in page]
            for run_id in await find(keys=[keys.WATCH, store.queue], args=[keys.run(""), *run_ids]):
                yield run_id.decode()


async def _recover(store: RunStore, run_id: str, by: By) -> bool:
    with suppress(Fenced, RunNotFound, UnreadableRun):  # it has moved on by itself, or was set aside until it is mended
        run = await store.get(run_id)
        if not run.state.is_final:
            await store.move(_move_back(run, by))
            return True
    return False


def _move_back(run: Run, by: By) -> Move:
    reason = "found without a job; put back into the queue"
    return Move(run, by, run.state, run.stage, reason, facts={}, next_stage=run.stage)


async def _forget(store: RunStore) -> int:
    oldest_kept = now_ms() - ms(store.lifetimes.retention)
    async with store.redis.pipeline(transaction=False) as pipe:
        for state in FINAL_STATES:
            pipe.zremrangebyscore(keys.state(state), "-inf", f"({oldest_kept}")
        dropped: int = sum(await pipe.execute())
    await _forget_gone(store, keys.RUNS, keys.run, oldest_kept)
    await _forget_gone(store, keys.BATCHES, keys.batch, oldest_kept)
    return dropped


async def _forget_gone(store: RunStore, index: str, key: Callable[[str], str], oldest_kept: int) -> None:
    """Drop the entries of an index, by creation, whose records are gone, up to the first page that has one left."""
    while page := await store.redis.zrangebyscore(index, "-inf", f"({oldest_kept}", start=0, num=PAGE):
        async with store.redis.pipeline(transaction=False) as pipe:
            for entry in page:
                pipe.exists(key(entry.decode()))
            gone = [entry for entry, there in zip(page, await pipe.execute(), strict=True) if not there]
        if gone:
            await store.redis.zrem(index, *gone)
        if len(gone) < len(page):
            break
