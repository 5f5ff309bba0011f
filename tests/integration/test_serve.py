"""What a worker looks after when it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs.moves import By, plan_move
from jobs.outcomes import Finish
from jobs.run import Stage, State
from jobs.store import RunStore
from worker.errors import AnotherFleet
from worker.serve import check_queue, policy_of
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


def test_a_stage_has_the_fleets_patience_or_its_own() -> None:
    policy = policy_of(Settings(stage_tries=7, download_tries=40, create_timeout_s=60))

    assert policy.max_faults == {Stage.CREATE: 7, Stage.WAIT: 7, Stage.DOWNLOAD: 40, Stage.VALIDATE: 7}
    assert policy.stage_timeout_s[Stage.CREATE] == 60
    assert policy.stage_timeout_s[Stage.DOWNLOAD] == 6 * 3600
