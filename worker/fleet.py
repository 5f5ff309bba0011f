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

WATCHER = "watcher"
"""The duty of watching parked runs, which one worker of the fleet has at a time."""


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
        for name in names:
            pipe.hgetall(keys.worker(name))
            pipe.exists(keys.health(redis.default_queue_name, name))
        answers = await pipe.execute()
    said = [{key.decode(): text.decode() for key, text in report.items()} for report in answers[::2]]
    workers = [
        _view(report, has_sign=bool(has_sign))
        for report, has_sign in zip(said, answers[1::2], strict=True)
        if report.get("queue") == redis.default_queue_name
    ]
    return sorted(workers, key=lambda worker: (not worker.is_alive, worker.name))


def _view(said: Mapping[str, str], *, has_sign: bool) -> WorkerView:
    return WorkerView(
        name=said["name"],
        presence=_presence(said["state"], has_sign=has_sign),
        state=said["state"],
        host=said["host"],
        pid=int(said["pid"]),
        version=said["version"],
        started_at=_instant(said["started_at"]),
        seen_at=_instant(said["seen_at"]),
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


def _presence(state: str, *, has_sign: bool) -> Presence:
    """By arq's health check of this worker, which ends with the time on the server: as `arq --check` sees it."""
    if state.startswith("stopped"):
        return Presence.STOPPED
    if not has_sign:
        return Presence.VANISHED
    return Presence.STOPPING if state.startswith("stopping") else Presence.ALIVE


def _instant(ms: str) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
