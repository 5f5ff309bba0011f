"""Keys that would stay in Redis for ever."""

from __future__ import annotations

from arq.connections import ArqRedis

from jobs import keys
from jobs.run import State


async def find_homeless(redis: ArqRedis) -> list[str]:
    """The keys that have no lifetime, and that jobs.keys does not list as permanent."""
    lasting = [key.decode() async for key in redis.scan_iter() if await redis.ttl(key) == -1]
    unfinished = await _unfinished(redis)
    return [key for key in lasting if not await _may_stay(redis, key, unfinished)]


async def _unfinished(redis: ArqRedis) -> set[str]:
    """The ids of runs that have not ended, and of their batches."""
    states = [keys.state(state) for state in State if not state.is_final]
    run_ids = [run_id.decode() for state in states for run_id in await redis.zrange(state, 0, -1)]
    async with redis.pipeline(transaction=False) as pipe:
        for run_id in run_ids:
            pipe.hget(keys.run(run_id), "batch_id")
        batch_ids = await pipe.execute(raise_on_error=False)  # a test may have damaged a record
    return {*run_ids, *(batch_id.decode() for batch_id in batch_ids if isinstance(batch_id, bytes))}


async def _may_stay(redis: ArqRedis, name: str, unfinished: set[str]) -> bool:
    """Queues, indexes and marks stay; what belongs to a run or a batch stays as long as it has not ended."""
    states = {keys.state(state) for state in State}
    if name in keys.PERMANENT | states or name == "arq:queue" or name.startswith(keys.disk("")[:12]):
        return True
    if name.startswith((keys.producer_key("")[:11], keys.batch_key("")[:17], keys.order(""))):
        return (await redis.get(name) or b"").decode() in unfinished
    return name.rpartition(":")[2] in unfinished
