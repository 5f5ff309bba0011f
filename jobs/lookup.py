"""What people have in hand when they look for a run: an id, an order's id, or a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs import keys

if TYPE_CHECKING:
    from arq.connections import ArqRedis


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names: a run, or a batch."""

    run_id: str | None = None
    batch_id: str | None = None


async def look_up(redis: ArqRedis, text: str) -> Named | None:
    """What has exactly this id, order's id or key: by index, in one round trip; None where nothing has."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.exists(keys.run(text))
        pipe.get(keys.order(text))
        pipe.get(keys.producer_key(text))
        pipe.exists(keys.batch(text))
        pipe.get(keys.batch_key(text))
        is_run, of_order, of_key, is_batch, of_batch_key = await pipe.execute()
    if is_run:
        return Named(run_id=text)
    if run_id := of_order or of_key:
        return Named(run_id=run_id.decode())
    if is_batch:
        return Named(batch_id=text)
    return Named(batch_id=of_batch_key.decode()) if of_batch_key else None
