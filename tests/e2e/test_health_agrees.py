"""Whoever asks whether the fleet lives gets the same answer."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from jobs import keys
from tests.processes import COMMAND
from tests.waiting import until
from tests.web_rig import served

from .conftest import Desk

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


async def verdicts(desk: Desk, redis_url: str) -> dict[str, bool]:
    """Whether the fleet lives: by the web process, the command line, and arq with the settings class of the page."""
    snippet = re.search(r"^```python\n(.*?class WorkerSettings:.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert snippet
    (desk.processes.folder / "probe.py").write_text(snippet[1])
    environment = {**desk.processes.environment, "REDIS_URL": redis_url}
    asked = [
        await asyncio.create_subprocess_exec(*line, env=environment, cwd=desk.processes.folder)
        for line in ((COMMAND, "check"), (COMMAND.with_name("arq"), "probe.WorkerSettings", "--check"))
    ]
    async with served(redis_url) as web:
        ready = (await web.get("/readyz")).status_code
    check, arq = [await process.wait() for process in asked]
    return {"readyz": ready == 200, "check": check == 0, "arq --check": arq == 0}


async def test_they_all_go_red_within_15_s_of_the_last_workers_death(desk: Desk) -> None:
    """All three look at what the server lets end by itself: it has no more than 15 s left when the worker dies."""
    redis = desk.queue.store.redis
    redis_url = f"unix://{redis.connection_pool.connection_kwargs['path']}"
    process = await desk.start_worker("w1", ORDERS_HEALTH_INTERVAL_S="5", ORDERS_LEASE_S="12")  # the defaults
    assert await verdicts(desk, redis_url) == {"readyz": True, "check": True, "arq --check": True}

    process.send_signal(signal.SIGKILL)
    process.wait()
    signs = [keys.health("arq:queue"), keys.health("arq:queue", "w1")]
    for sign in signs:
        left_ms = await redis.pttl(sign)
        assert left_ms != -1, "it would never end"
        assert left_ms <= 15_000
        await redis.pexpire(sign, 1)  # that time goes by

    async def are_gone() -> bool:
        return not await redis.exists(*signs)

    await until("the signs have ended", are_gone)
    assert await verdicts(desk, redis_url) == {"readyz": False, "check": False, "arq --check": False}
