"""A worker that one of its runs ends, started anew each time; its arguments are those of `main`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from redis import Redis

from jobs import codec
from jobs.store import RunStore
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import LocalLimiter
from tests.fleet_rig import QUICK
from worker.identity import Identity
from worker.order_worker import OrderWorker
from worker.stage_jobs import StageJobs

_STARTS = 40  # more than any test needs: it ends when it is not killed


class DeadlyOrders(OrdersClient):
    """As a library that crashes on certain input."""

    async def create_order(self, request: Any, **options: Any) -> dict[str, Any]:
        if request["name"].startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().create_order(request, **options)


async def work(redis_url: str, planet_url: str, key: str, folder: Path) -> None:
    """Work until SIGTERM."""
    redis: ArqRedis = ArqRedis.from_url(redis_url)
    redis.job_serializer, redis.job_deserializer = codec.dumps, codec.loads
    async with Session(Auth.from_key(key), base_url=planet_url, limiter=LocalLimiter(rates={})) as session:
        stages = StageJobs(
            store=RunStore(redis),
            orders=DeadlyOrders(session),
            identity=Identity(f"w{os.getpid()}"),
            destination=folder.as_uri(),
            staging=folder / "staging",
            policy=replace(QUICK, max_vain_starts=2),
        )
        worker = OrderWorker(
            redis_pool=redis,
            connect_pulse=lambda: Redis.from_url(redis_url),
            identity=stages.identity,
            stage_jobs=stages,
            lease_s=2,
            health_interval_s=0.2,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop, "SIGTERM")
        await worker.async_run()
        await worker.close()


def main() -> None:
    """Start the worker again and again, until it ends by itself."""
    redis_url, planet_url, key, folder = sys.argv[1:]
    for _ in range(_STARTS):
        child = os.fork()
        if child == 0:
            asyncio.run(work(redis_url, planet_url, key, Path(folder)))
            return
        signal.signal(signal.SIGTERM, lambda *_, child=child: os.kill(child, signal.SIGTERM))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return
        sys.stdout.write("killed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
