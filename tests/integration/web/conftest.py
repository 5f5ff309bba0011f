"""The web application on a real Valkey, and a fleet and runs for it to show."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.moves import By, plan_move
from jobs.outcomes import Outcome
from jobs.run import FileRecord, Run
from jobs.store import RunStore
from worker.settings import Settings
from worker.web import create_app

ME = By.owner_of_job("w1", "w1/boot-1")


@asynccontextmanager
async def browse(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which runs as long as the block."""
    app = create_app(Settings(), redis_url)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as web,
    ):
        yield web


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(redis_url) as client:
        yield client


@dataclass
class Fleet:
    """Puts runs and workers into Redis as producers and workers do."""

    redis: ArqRedis

    def __post_init__(self) -> None:
        self.store = RunStore(self.redis)

    async def submit(self, run_id: str, **facts: Any) -> Run:
        defaults = {"run_id": run_id, "name": f"name of {run_id}", "request": {"name": "field"}}
        await self.store.submit(run_id, {**defaults, **facts}, fingerprint="f", key=facts.get("key"))
        return await self.store.get(run_id)

    async def move(self, run_id: str, outcome: Outcome, files: list[FileRecord] | None = None) -> Run:
        """Claim the run's job, begin its stage and commit `outcome`."""
        run = await self.store.get(run_id)
        await self.redis.psetex(keys.in_progress(run.job_id or ""), 15_000, ME.owner)
        run = await self.store.begin(run_id, run.job_id or "", ME, "file:///data")
        if files:
            await self.store.note(run, ME, {}, {file.path: file for file in files})
        await self.store.move(plan_move(run, outcome, ME))
        return await self.store.get(run_id)

    async def report_worker(self, name: str = "w1", *, silent_s: float = 0, **said: Any) -> None:
        """What the pulse of a worker writes; `silent_s` ago."""
        seen_ms = round((datetime.now(UTC).timestamp() - silent_s) * 1000)
        report = {
            "name": name,
            "host": "atlas",
            "pid": 41,
            "version": "0.1",
            "queue": "arq:queue",
            "state": "running",
            "started_at": seen_ms - 60_000,
            "seen_at": seen_ms,
            "next_sign_s": 5,
            "slots": 16,
            "jobs": json.dumps(said.pop("jobs", [])),
            "complete": 7,
            "failed": 0,
            "retried": 0,
            "loop_lag_ms": 3,
            "last_redis_error": "",
            **said,
        }
        async with self.redis.pipeline() as pipe:
            pipe.hset(keys.worker(name), mapping={field: str(value) for field, value in report.items()})
            pipe.expire(keys.worker(name), 3600)
            pipe.zadd(keys.WORKERS, {name: seen_ms})
            if silent_s < 9:
                pipe.psetex(keys.health("arq:queue", name), 60_000, "a sign")
            await pipe.execute()


@pytest.fixture
def fleet(redis: ArqRedis) -> Fleet:
    return Fleet(redis)
