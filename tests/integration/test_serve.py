"""What a worker looks after when it starts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr

from jobs.moves import By, plan_move
from jobs.outcomes import Finish
from jobs.run import Stage, State
from jobs.store import RunStore
from planet_sdk import Auth, OrdersClient, Session
from worker.errors import AnotherFleet
from worker.serve import assemble, check_queue, policy_of
from worker.settings import Settings
from worker.staging import clear_staging


async def test_a_database_belongs_to_one_queue(redis: ArqRedis) -> None:
    """Two fleets in one would take each other's runs for lost and run them twice."""
    await check_queue(redis, "arq:queue")
    await check_queue(redis, "arq:queue")
    with pytest.raises(AnotherFleet, match=r"belongs to a fleet with the queue 'arq:queue'.*another database"):
        await check_queue(redis, "other")


async def test_staged_files_go_when_their_run_has_ended(redis: ArqRedis, tmp_path: Path) -> None:
    store = RunStore(redis)
    for run_id in ("ended", "going"):
        await store.submit(run_id, {"run_id": run_id, "name": "n", "request": {}}, fingerprint="f", key=None)
    outcome = Finish(State.CANCELLED, "cancelled")
    await store.move(plan_move(await store.get("ended"), outcome, By.person()))
    for run_id in ("ended", "going", "forgotten"):
        (tmp_path / run_id / "order").mkdir(parents=True)

    assert await clear_staging(tmp_path, store) == ["ended", "forgotten"]
    assert [(tmp_path / name).exists() for name in ("going", "ended", "forgotten")] == [True, False, False]
    assert await clear_staging(tmp_path / "nothing", store) == []


async def test_a_worker_calls_back_only_whom_its_settings_name(redis: ArqRedis, redis_url: str) -> None:
    settings = Settings(callback_hosts="hooks.example.com", callback_secret=SecretStr("sixteen letters at least"))
    store = RunStore(redis)
    await store.submit(
        "ended",
        {"run_id": "ended", "name": "n", "request": {}, "callback_url": "https://evil.example.com/"},
        fingerprint="f",
        key=None,
    )
    await store.move(plan_move(await store.get("ended"), Finish(State.CANCELLED, "cancelled"), By.person()))
    async with Session(Auth.from_key("key")) as session:
        worker, _ = assemble(settings, redis_url, redis, OrdersClient(session))
    ctx = {"job_id": "j", "job_try": 1, "enqueue_time": datetime.now(UTC)}

    told = await worker.functions["callback"].coroutine(ctx, "run", "ended")

    assert told.startswith("not delivered: https://evil.example.com:443 is not among ORDERS_CALLBACK_HOSTS")


def test_a_stage_has_the_fleets_patience_or_its_own() -> None:
    policy = policy_of(Settings(stage_tries=7, download_tries=40, create_timeout_s=60))

    assert policy.max_faults == {Stage.CREATE: 7, Stage.WAIT: 7, Stage.DOWNLOAD: 40, Stage.VALIDATE: 7}
    assert policy.stage_timeout_s[Stage.CREATE] == 60
    assert policy.stage_timeout_s[Stage.DOWNLOAD] == 6 * 3600
