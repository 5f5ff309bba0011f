"""A worker process whose event loop stands still, from the start of a job until somebody pushes to `unblock`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from redis import Redis

from tests.worker_rig import arq_function, new_worker


async def main(redis_url: str) -> None:
    async def block(_: Any) -> str:
        with Redis.from_url(redis_url) as redis:
            redis.incr("blocked")
            redis.blpop(["unblock"], timeout=60)
            return "blocked once" if redis.get("blocked") == b"1" else "blocked again"

    worker = new_worker(arq_function("block", block), redis_url=redis_url, name="blocked")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop, "SIGTERM")
    await worker.async_run()
    await worker.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
