"""The fleet as it reports itself: one view of each worker, for the dashboard, the command line and the checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from arq.connections import ArqRedis

from jobs import keys
from worker.pulse import InHand

_LATE_BY = 3  # signs missed before a worker counts as vanished


class Presence(StrEnum):
    """Whether a worker is there: one that stops says so, one that vanishes is seen to have vanished."""

    ALIVE = "alive"
    STOPPING = "stopping"
    STOPPED = "stopped"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class WorkerView:
    """What a worker last said of itself, and whether it still says anything."""

    name: str
    presence: Presence
    state: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    slots: int
    jobs: tuple[InHand, ...]
    complete: int
    failed: int
    retried: int
    loop_lag_ms: int
    last_redis_error: str

    @property
    def is_alive(self) -> bool:
        """Whether the worker takes jobs, or at least ends those it has."""
        return self.presence in {Presence.ALIVE, Presence.STOPPING}


async def read_fleet(redis: ArqRedis) -> list[WorkerView]:
    """Every worker of the pool's queue seen in the last day, those that are alive first. Two round trips in all."""
    names = [name.decode() for name in await redis.zrange(keys.WORKERS, 0, -1)]
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.hgetall(keys.worker(name))
        (seconds, _), *reports = await pipe.execute()
    now = datetime.fromtimestamp(seconds, UTC)
    said = [{key.decode(): text.decode() for key, text in report.items()} for report in reports if report]
    workers = [_view(report, now) for report in said if report.get("queue") == redis.default_queue_name]
    return sorted(workers, key=lambda worker: (not worker.is_alive, worker.name))


def _view(said: Mapping[str, str], now: datetime) -> WorkerView:
    seen_at = _instant(said["seen_at"])
    return WorkerView(
        name=said["name"],
        presence=_presence(said["state"], (now - seen_at).total_seconds(), float(said["next_sign_s"])),
        state=said["state"],
        host=said["host"],
        pid=int(said["pid"]),
        version=said["version"],
        started_at=_instant(said["started_at"]),
        seen_at=seen_at,
        slots=int(said["slots"]),
        jobs=tuple(_in_hand(job) for job in json.loads(said["jobs"])),
        complete=int(said["complete"]),
        failed=int(said["failed"]),
        retried=int(said["retried"]),
        loop_lag_ms=int(said["loop_lag_ms"]),
        last_redis_error=said["last_redis_error"],
    )


def _in_hand(said: Mapping[str, Any]) -> InHand:
    """A worker of another version may say more than is known here."""
    return InHand(**{field.name: said[field.name] for field in fields(InHand) if field.name in said})


def _presence(state: str, silent_s: float, next_sign_s: float) -> Presence:
    if state.startswith("stopped"):
        return Presence.STOPPED
    if silent_s > max(_LATE_BY * next_sign_s, next_sign_s + 2):
        return Presence.VANISHED
    return Presence.STOPPING if state.startswith("stopping") else Presence.ALIVE


def _instant(ms: str) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
