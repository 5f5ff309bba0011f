"""The end of a run or a batch: what the scripts need to count it, and to have its producer told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs import keys
from jobs.callbacks import FUNCTION, Told, callback_payload
from jobs.clock import now_ms
from jobs.json_text import to_json
from jobs.moves import Move

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_MOST_LINES = 50  # of a run's log, as jobs/lua/move.lua has it


def told_of(move: Move, *, queue: str, job_ms: int) -> dict[str, Any]:
    """What jobs/lua/move.lua needs to count the move in the run's batch, and to tell its producer if the run ends."""
    run, is_final = move.run, move.state.is_final
    told: dict[str, Any] = {}
    if run.batch_id is not None:
        job = {"job": batch_job(run.batch_id, queue=queue, job_ms=job_ms)} if is_final else {}
        told["batch"] = {"key": keys.batch(run.batch_id), "runs": keys.batch_runs(run.batch_id), **job}
    if run.callback_url is not None and is_final:
        job_id = f"{FUNCTION}:{run.run_id}:{run.step + 1}"
        payload = callback_payload(Told.RUN, run.run_id, now_ms())
        told["callback"] = {"job_id": job_id, "key": keys.job(job_id), "payload": payload}
    return told


def batch_job(batch_id: str, *, queue: str, job_ms: int) -> dict[str, Any]:
    """The job that tells of a batch's end, as jobs/lua/batch.lua takes it."""
    payload = callback_payload(Told.BATCH, batch_id, now_ms())
    return {"queue": queue, "bell": keys.bell(queue), "prefix": keys.job(""), "ms": job_ms, "payload": payload}


async def log_undelivered(redis: ArqRedis, run_id: str, why: str, *, retention_ms: int) -> None:
    """Keep with the run's log lines that its producer was not told."""
    line = to_json({"event": "callback not delivered", "why": why})
    async with redis.pipeline(transaction=True) as pipe:
        pipe.rpush(keys.log(run_id), line)
        pipe.ltrim(keys.log(run_id), -_MOST_LINES, -1)
        pipe.pexpire(keys.log(run_id), retention_ms)
        await pipe.execute()
