"""Keys that would stay in Redis for ever."""

from __future__ import annotations

from arq.connections import ArqRedis

from jobs import keys
from jobs.run import State


async def find_homeless(redis: ArqRedis) -> list[str]:
    """The keys that have no lifetime, and that jobs.keys does not list as permanent."""
    return [
        key.decode()
        async for key in redis.scan_iter()
        if await redis.ttl(key) == -1 and not await _may_stay(redis, key)
    ]


async def _may_stay(redis: ArqRedis, key: bytes) -> bool:
    """Queues, indexes and marks stay; what belongs to a run stays as long as the run has not ended."""
    name = key.decode()
    states = {keys.state(state) for state in State}
    if name in keys.PERMANENT | states or name == "arq:queue" or name.startswith(keys.disk("")[:12]):
        return True
    unfinished = {
        run_id.decode()
        for state in State
        if not state.is_final
        for run_id in await redis.zrange(keys.state(state), 0, -1)
    }
    if name.startswith((keys.producer_key("")[:11], keys.order(""))):
        return (await redis.get(key) or b"").decode() in unfinished
    return name.rpartition(":")[2] in unfinished
