"""Jobs that cannot be started: what becomes of them, and what is kept of them."""

from __future__ import annotations

import asyncio

import structlog
from arq.connections import ArqRedis
from redis.exceptions import ResponseError

from jobs import codec, keys
from jobs.moves import run_id_of
from jobs.poison import keep_poison, leave_for_newer

__all__ = ["LEFT_FOR_NEWER_S", "keep_evidence"]

log = structlog.get_logger(__name__)

LEFT_FOR_NEWER_S = 10.0  # until a job that a newer version wrote is looked at again


async def keep_evidence(redis: ArqRedis, job_id: str, result: bytes | None, *, worker: str) -> float:
    """Keep what is known of a job that could not be started.

    A job that somebody aborted, or that expired, is no riddle: nothing is kept of it.

    Args:
        redis: the fleet's.
        job_id: whose payload still lies where arq keeps it.
        result: the result that arq made for it; None where it made none.
        worker: who could not start it.

    Returns:
        Seconds after which a newer worker should have taken it, or 0 where it is to be ended.
    """
    try:
        payload = await redis.get(keys.job(job_id))
        why = _why_not_started(payload, result)
    except ResponseError as error:  # another kind of key stands in the payload's place
        payload, why = b"", str(error)
    except codec.NewerPayload as error:
        if await leave_for_newer(redis, job_id):
            log.info("job left for a newer worker", job_id=job_id, why=str(error))
            return LEFT_FOR_NEWER_S
        why = str(error)
    if not why:
        log.warning("job ended before its start, it was aborted or has expired", job_id=job_id)
        return 0
    log.error("job set aside, it could not be started", job_id=job_id, why=why)
    await keep_poison(redis, job_id, why=why, evidence=payload or b"", worker=worker, run_id=run_id_of(job_id))
    return 0


def _why_not_started(payload: bytes | None, result: bytes | None) -> str:
    """Empty for a job that was aborted or has expired."""
    if payload is None:
        return ""
    try:
        codec.loads(payload)
    except codec.NewerPayload:
        raise
    except codec.PayloadError as error:
        return str(error)
    said = codec.loads(result).get("r") if result else "it could not be started"
    return "" if isinstance(said, asyncio.CancelledError) else str(said)
