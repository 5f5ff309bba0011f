"""A producer is killed as it submits: the same key afterwards is one run."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue
from jobs.store import RunStore
from tests.kills import workers
from tests.kills.fate import Fate
from tests.kills.pipes import listening
from tests.kills.redis_proxy import RedisConnection
from tests.stage_rig import request

KEY = "field-7"


def submit() -> int:
    """What the producer's process does."""

    async def submit_once() -> None:
        async with OrderQueue.connect(os.environ["REDIS_URL"]) as queue:
            await queue.submit(request(), key=KEY)

    asyncio.run(submit_once())
    return 0


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_producer_killed_as_it_submits_and_its_next_try_make_one_run(
    redis: ArqRedis, valkey_socket: Path, tmp_path: Path, moment: str
) -> None:
    store = RunStore(redis)
    await redis.script_load(store._submit.script)  # so that the first submit is the one that counts

    def kill() -> None:
        producer.kill()

    fate = Fate(f"{moment} submit 1", kill)
    connection = partial(RedisConnection, valkey_socket, request()["name"].encode(), fate)
    async with listening(lambda *streams: connection().serve(*streams)) as port:
        environment = {"REDIS_URL": f"redis://127.0.0.1:{port}"}
        producer = workers.start(submit, environment, tmp_path / "producer.log")
        async with asyncio.timeout(60):
            await fate.struck.wait()
        workers.end(producer)

    handle = await OrderQueue(store).submit(request(), key=KEY)

    assert handle.created == (moment == "before")
    assert [run.run_id for run in await OrderQueue(store).list()] == [handle.run_id]
    assert await redis.zcard(store.queue) == 1
