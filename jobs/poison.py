"""What could not be read or started: set aside with the evidence, for a person to look at, while the queue goes on.

An entry is about a job (its payload is garbage, of an unknown version, or for a function nobody has) or about a run
(its record is damaged). The run itself is never deleted: once its record can be read again, by hand or by a newer
version, the sweep gives it a new job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from jobs import keys
from jobs.redaction import Redactor

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from jobs.errors import UnreadableRun

__all__ = [
    "Poison",
    "discard_poison",
    "is_bad_data",
    "keep_poison",
    "keep_unreadable_run",
    "leave_for_newer",
    "list_poison",
]

_MOST = 1_000  # entries; the oldest go first
_LIFE = timedelta(days=30)
_MAX_EVIDENCE = 4_000  # characters
_MAX_PARSED = 1_000_000  # characters of a payload that is read, so that what stands under a secret's name is hidden
_MOST_LEFT = 60  # times a job is left for a newer version, before it is set aside
_LEFT_FOR = timedelta(hours=1)
# The last is a script's stumble over a field that is missing or no number.
_BAD_DATA = ("WRONGTYPE", "is not an integer", "is not a valid float", "attempt to ")
_REDACTOR = Redactor()


@dataclass(frozen=True, slots=True)
class Poison:
    """One thing that was set aside."""

    id: str  # of the job, or of the run
    run_id: str | None
    why: str
    evidence: str  # what could not be read: its start, without secrets
    worker: str
    first_at: datetime
    last_at: datetime
    times: int


def is_bad_data(error: BaseException) -> bool:
    """Whether Redis complains about what a key holds, and not about itself: waiting does not help."""
    return isinstance(error, ResponseError) and any(words in str(error) for words in _BAD_DATA)


async def keep_poison(
    redis: ArqRedis, poison_id: str, *, why: str, evidence: bytes | str, worker: str, run_id: str | None = None
) -> None:
    """Write an entry down, or count one more time of an entry that is there."""
    text = evidence.decode(errors="backslashreplace") if isinstance(evidence, bytes) else evidence
    now_ms = await _now_ms(redis)
    entry = {
        "why": _safe(why),
        "evidence": _safe(_without_named_secrets(text)),
        "worker": worker,
        "run_id": run_id or "",
        "last_at": now_ms,
    }
    key = keys.poison(poison_id)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping=entry)
        pipe.hsetnx(key, "first_at", str(now_ms))
        pipe.hincrby(key, "times", 1)
        pipe.expire(key, _LIFE)
        pipe.zadd(keys.POISON, {poison_id: now_ms})
        pipe.zremrangebyscore(keys.POISON, "-inf", now_ms - round(_LIFE.total_seconds() * 1000))
        pipe.zremrangebyrank(keys.POISON, 0, -_MOST - 1)
        await pipe.execute()


async def keep_unreadable_run(redis: ArqRedis, error: UnreadableRun, *, worker: str) -> None:
    """Write down what the record of a run holds that cannot be read; of its request, only that there is one."""
    try:
        fields = await redis.hgetall(keys.run(error.run_id))  # type: ignore[misc] # redis-py: "perhaps awaitable"
    except ResponseError as refused:
        evidence = str(refused)
    else:
        shown = {name.decode(errors="backslashreplace"): value for name, value in fields.items()}
        shown |= {"request": f"{len(shown['request'])} bytes"} if "request" in shown else {}
        evidence = json.dumps(_REDACTOR.mapping(shown))
    await keep_poison(redis, error.run_id, why=error.why, evidence=evidence, worker=worker, run_id=error.run_id)


async def list_poison(redis: ArqRedis, limit: int = 100) -> list[Poison]:
    """The entries, the newest first."""
    ids = [poison_id.decode() for poison_id in await redis.zrevrange(keys.POISON, 0, limit - 1)]
    async with redis.pipeline(transaction=False) as pipe:
        for poison_id in ids:
            pipe.hgetall(keys.poison(poison_id))
        found = await pipe.execute()
    return [_entry(poison_id, fields) for poison_id, fields in zip(ids, found, strict=True) if fields]


async def discard_poison(redis: ArqRedis, poison_id: str) -> bool:
    """Forget an entry; False where there is none. A run that it is about stays as it is."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.zrem(keys.POISON, poison_id)
        pipe.delete(keys.poison(poison_id))
        return any(await pipe.execute())


async def leave_for_newer(redis: ArqRedis, poison_id: str) -> bool:
    """Whether a job that a newer version wrote is to be left for its workers once more; False when that was enough.

    While a fleet is renewed, old and new workers share a queue. After that nobody reads the job: it is set aside.
    """
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr(keys.left(poison_id))
        pipe.expire(keys.left(poison_id), _LEFT_FOR)
        times, _ = await pipe.execute()
    return bool(times <= _MOST_LEFT)


def _without_named_secrets(text: str) -> str:
    try:
        return json.dumps(_REDACTOR.value(json.loads(text))) if len(text) <= _MAX_PARSED else text
    except (ValueError, RecursionError):
        return text


def _safe(text: str) -> str:
    """Without secrets, and not endless; cut first, so that a huge payload costs no time, and with room for a token."""
    return _REDACTOR.text(text[: 2 * _MAX_EVIDENCE].encode(errors="replace").decode())[:_MAX_EVIDENCE]


def _entry(poison_id: str, fields: Mapping[bytes, bytes]) -> Poison:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    first_at, last_at = (datetime.fromtimestamp(int(text[name]) / 1000, UTC) for name in ("first_at", "last_at"))
    return Poison(
        poison_id,
        text["run_id"] or None,
        text["why"],
        text["evidence"],
        text["worker"],
        first_at,
        last_at,
        int(text["times"]),
    )


async def _now_ms(redis: ArqRedis) -> int:
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000
