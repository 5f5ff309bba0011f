"""A retry goes on from where the run ended, and buys nothing unless it is told to."""

from __future__ import annotations

from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import NotPossible, OrderQueue
from jobs.moves import By, Move
from jobs.run import Stage, State
from jobs.store import RunStore
from tests.stage_rig import START, request

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
LIVE: dict[str, Any] = {"order_id": ORDER_ID, "order_state": "running"}
READY: dict[str, Any] = {"order_id": ORDER_ID, "order_state": "success"}
DEAD: dict[str, Any] = {"order_id": ORDER_ID, "order_state": "cancelled"}


async def end(redis: ArqRedis, state: State, stage: Stage, **facts: Any) -> tuple[OrderQueue, str]:
    """A run that ended so."""
    queue = OrderQueue(RunStore(redis))
    handle = await queue.submit(request())
    known = {"deadline_at": START, "cancel_requested": True, **facts}
    await queue.store.move(Move(await handle.status(), By.person(), state, stage, "ended", known))
    return queue, handle.run_id


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.CANCELLED, State.PARTIAL])
@pytest.mark.parametrize(
    ("ended_in", "facts", "goes_on_in"),
    [
        (Stage.CREATE, {}, Stage.CREATE),  # nothing was ordered
        (Stage.CREATE, {"intent_at": START}, Stage.CREATE),  # which looks the order up before anything else
        (Stage.CREATE, LIVE, Stage.WAIT),
        (Stage.WAIT, LIVE, Stage.WAIT),
        (Stage.DOWNLOAD, READY, Stage.DOWNLOAD),
        (Stage.VALIDATE, READY, Stage.VALIDATE),
    ],
)
async def test_a_retry_goes_on_from_the_stage_that_the_run_ended_in(
    redis: ArqRedis, state: State, ended_in: Stage, facts: dict[str, Any], goes_on_in: Stage
) -> None:
    queue, run_id = await end(redis, state, ended_in, **facts)

    run = await queue.retry(run_id)

    assert run.stage is goes_on_in
    assert run.state is (State.QUEUED if goes_on_in is Stage.CREATE else goes_on_in.state)
    assert run.job_id is not None
    assert (run.rebuys, run.order_id, run.intent_at) == (0, facts.get("order_id"), facts.get("intent_at"))
    assert (run.deadline_at, run.cancel_requested, run.finished_at) == (None, False, None)


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.CANCELLED])
async def test_a_dead_order_is_bought_again_only_when_that_is_asked_for(redis: ArqRedis, state: State) -> None:
    queue, run_id = await end(redis, state, Stage.WAIT, **DEAD)

    with pytest.raises(NotPossible, match="--rebuy"):
        await queue.retry(run_id)
    assert (await queue.get(run_id)).state is state

    run = await queue.retry(run_id, rebuy=True)
    assert (run.stage, run.rebuys, run.order_id, run.intent_at) == (Stage.CREATE, 1, None, None)


@pytest.mark.parametrize("rebuy", [False, True])
async def test_what_is_done_or_under_way_is_not_retried(redis: ArqRedis, rebuy: bool) -> None:
    queue, run_id = await end(redis, State.DONE, Stage.VALIDATE, **READY)
    with pytest.raises(NotPossible, match="done"):
        await queue.retry(run_id, rebuy=rebuy)

    under_way = await queue.submit(request(name="field 8"))
    with pytest.raises(NotPossible, match="not ended"):
        await queue.retry(under_way.run_id, rebuy=rebuy)
