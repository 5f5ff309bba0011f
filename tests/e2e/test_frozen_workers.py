"""Workers that stand still for longer than their lease, as a paused virtual machine does."""

from __future__ import annotations

import asyncio
import os
import signal

from jobs import State
from tests.e2e.conftest import Desk
from tests.redis_proxy import proxy_before, source_of
from tests.stage_rig import request
from tests.waiting import until

INTENT = b'"intent_at"'


async def test_a_worker_frozen_between_intent_and_post_does_not_buy_a_second_order(desk: Desk) -> None:
    """Meanwhile another has looked for its order, found none and placed one: the first finds its lease too old."""
    store = desk.queue.store
    await store.redis.script_load(source_of("note"))  # or the first call of it would do nothing
    socket = store.redis.connection_pool.connection_kwargs["path"]
    async with proxy_before(socket) as proxy:
        desk.processes.environment["REDIS_URL"] = f"{proxy.url}?socket_timeout=100"  # or it would ask again, on waking
        frozen = await desk.start_worker("frozen")
        log = desk.processes.folder / "worker-0.log"
        proxy.hold_after.append(INTENT)
        handle = await desk.queue.submit(request())
        await until("the intent is written, its answer on the way", lambda: proxy.seen)
        os.kill(frozen.pid, signal.SIGSTOP)
        proxy.open.clear()  # nor will it hear, when it wakes, that it has lost the job

        desk.processes.environment["REDIS_URL"] = f"unix://{socket}"
        await desk.start_worker("awake")
        await until("the other worker has placed the order", lambda: desk.simulator.report().orders)
        proxy.free.set()
        os.kill(frozen.pid, signal.SIGCONT)

        assert (await handle.result(timeout=60)).state is State.DONE, desk.processes.logs()
        await until("the frozen worker has woken", lambda: "stage ended" in log.read_text())
        assert "its lease ran out" in log.read_text()
        proxy.open.set()
        frozen.terminate()
        assert await asyncio.to_thread(frozen.wait, 20) == 0
        assert list(desk.simulator.report().orders.values()) == [1], desk.processes.logs()
