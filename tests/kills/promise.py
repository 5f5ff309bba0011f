"""What is promised of a run, whatever became of its workers."""

from __future__ import annotations

from itertools import pairwise

import httpx

from jobs import Run, State, keys
from planet_sdk import OrdersClient
from tests.homeless import find_homeless
from tests.kills.life import Life
from worker.hosts import MARK_NAME

_WAY = [State.QUEUED, State.CREATING, State.WAITING, State.DOWNLOADING, State.VALIDATING, State.DONE]


async def hold_against_done(life: Life, run: Run) -> None:
    """One order, its files whole by their digests and no other file, nothing left over."""
    assert run.state is State.DONE, run.reason
    assert orders_of(life) == {run.order_name: 1}
    OrdersClient.validate_checksum(life.files / str(run.order_id), "SHA256")
    there = {str(path.relative_to(life.files)) for path in life.files.rglob("*") if path.is_file()}
    assert there - {MARK_NAME} == {file.path for file in await life.handle.files()}
    await _check_what_is_left(life, run, _WAY)


async def hold_against_failed(life: Life, run: Run) -> None:
    """One order, and the reason why it failed."""
    assert run.state is State.FAILED
    assert "failed at Planet" in (run.reason or "")
    assert orders_of(life) == {run.order_name: 1}
    await _check_what_is_left(life, run, [*_WAY[:3], State.FAILED])


async def hold_against_cancelled(life: Life, run: Run) -> None:
    """No order, or one that is cancelled at Planet; the wish is forgotten."""
    assert run.state is State.CANCELLED, run.reason
    assert orders_of(life) == ({run.order_name: 1} if run.order_id else {})
    if run.order_id:
        assert state_at_planet(life, run) == "cancelled"
    assert life.cancelling is not None
    await life.cancelling
    way = [line.state for line in await life.handle.history()]
    await _check_what_is_left(life, run, [*(state for state in _WAY if state in way), State.CANCELLED])


def orders_of(life: Life) -> dict[str, int]:
    """How many orders there are at Planet for the run, by name."""
    names = life.simulator.report().orders
    return {name: count for name, count in names.items() if life.handle.run_id in name}


def state_at_planet(life: Life, run: Run) -> str:
    """Where the run's order stands at Planet."""
    url = f"{life.simulator.url}/compute/ops/orders/v2/{run.order_id}"
    return str(httpx.get(url, auth=(life.simulator.api_key, "")).json()["state"])


async def _check_what_is_left(life: Life, run: Run, way: list[State]) -> None:
    """Nothing waits for a run that has ended, each key has a lifetime, and the history makes sense."""
    names = [key.decode() async for key in life.redis.scan_iter()]
    assert [name for name in names if name.startswith("arq:") and run.run_id in name and ":result:" not in name] == []
    assert [name for name in ("arq:queue", keys.WATCH) if name in names] == []
    indexes = [state for state in State if await life.redis.zscore(keys.state(state), run.run_id) is not None]
    assert indexes == [run.state]
    batch = await life.batch.status()
    assert (batch.has_ended, {state: count for state, count in batch.runs.items() if count}) == (True, {run.state: 1})
    assert await find_homeless(life.redis) == []
    assert [str(path) for path in (life.folder / "data").rglob("*")] == []

    lines = await life.handle.history()
    assert list(dict.fromkeys(line.state for line in lines)) == way
    steps = [way.index(line.state) for line in lines]
    assert all(earlier <= later for earlier, later in pairwise(steps)), steps
    assert all(earlier.at <= later.at for earlier, later in pairwise(lines))
    swept = [line.reason for line in lines if "found without a job" in line.reason]
    assert len(swept) == life.has_lost_its_job, swept
