"""Nothing that a function, a hook or a stage raises ends the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs.context import StageContext
from jobs.outcomes import Again, Outcome
from jobs.run import FailureKind, Run, Stage
from jobs.runner import run_stage
from tests.stage_rig import open_rig
from tests.worker_rig import MakeWorker, arq_function, enqueue

FATAL = [SystemExit(3), KeyboardInterrupt(), MemoryError(), RecursionError()]


@pytest.mark.parametrize("error", FATAL, ids=repr)
async def test_a_function_cannot_end_the_worker(redis: ArqRedis, make_worker: MakeWorker, error: BaseException) -> None:
    async def fail(_: Any) -> None:
        raise error

    async def work(_: Any) -> str:
        return "ok"

    async with make_worker(arq_function("fail", fail, max_tries=1), arq_function("work", work)):
        failed, worked = await enqueue(redis, "fail"), await enqueue(redis, "work")
        with pytest.raises(Exception, match=type(error).__name__):
            await failed.result(timeout=20, poll_delay=0.02)
        assert await worked.result(timeout=20, poll_delay=0.02) == "ok"


@pytest.mark.parametrize("hook", ["on_job_start", "on_job_end", "after_job_end"])
async def test_a_hook_cannot_end_the_worker(redis: ArqRedis, make_worker: MakeWorker, hook: str) -> None:
    """What its job comes to is another matter; the next ones are run."""
    calls = []

    async def end_once(_: Any) -> None:
        calls.append(hook)
        if len(calls) == 1:
            raise SystemExit(1)

    async def work(_: Any) -> str:
        return "ok"

    options: dict[str, Any] = {hook: end_once}
    async with make_worker(arq_function("work", work), **options):
        for _ in range(2):
            job = await enqueue(redis, "work")
            assert await job.result(timeout=30, poll_delay=0.02) == "ok"


@pytest.mark.parametrize("error", FATAL, ids=repr)
async def test_a_stage_cannot_end_the_worker(tmp_path: Path, error: BaseException) -> None:
    async def fail(_: Run, __: StageContext) -> Outcome:
        raise error

    async with open_rig(tmp_path) as rig:
        outcome = await run_stage(rig.run, rig.context, {Stage.CREATE: fail})

    assert isinstance(outcome, Again)
    assert outcome.failure is not None
    expected = FailureKind.TEMPORARY if isinstance(error, MemoryError) else FailureKind.BUG
    assert outcome.failure.kind is expected
    assert outcome.failure.type == type(error).__name__
