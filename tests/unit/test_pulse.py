"""The pulse and the loop it beats for: what the thread is about while a job is handed back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

from redis import Redis

from tests.waiting import until
from worker.identity import Identity
from worker.pulse import Counters, Pulse


class SlowRedis:
    """Renews as slowly as it is told to, and answers nothing else."""

    def __init__(self) -> None:
        self.renewing, self.answer = threading.Event(), threading.Event()

    def register_script(self, _source: str) -> Any:
        return self

    def __call__(self, **_: Any) -> list[bytes]:
        self.renewing.set()
        self.answer.wait(30)
        return []

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(f"no {name} here")

    def close(self) -> None:
        """Nothing to close."""


class Watched:
    """A worker that is told nothing."""

    def counters(self) -> Counters:
        return Counters()

    def on_lost(self, job_ids: list[str]) -> None:
        raise AssertionError(f"{job_ids} were not lost")


async def test_a_job_is_let_go_only_when_no_renewal_of_it_is_on_its_way() -> None:
    """A renewal that reached Redis behind the hand-back would take the job back, for a whole lease."""
    redis = SlowRedis()
    connect = cast("Any", lambda: cast("Redis", redis))
    pulse = Pulse(Identity("w1"), Watched(), connect=connect, queue="q", slots=1, lease_s=0.1, health_interval_s=0.1)
    pulse.hold("job")
    pulse.start()
    await until("the lease is being renewed", redis.renewing.is_set)

    letting_go = asyncio.create_task(pulse.let_go("job"))
    await until("the job is renewed no more", lambda: pulse.in_hand("job") is None)
    assert not letting_go.done()
    redis.answer.set()
    await letting_go
    await pulse.stop("end of test")
