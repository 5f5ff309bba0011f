"""One worker of fleet.py, in a process of its own: `ours` or `arq`, with the same functions.

    python benchmarks/fleet_member.py ours unix:///tmp/s '{"slots": 32}'

Ours is put together as `planet-orders worker` does it, its watcher and its log at INFO included; its stages do nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, cast
from urllib.parse import urlsplit

from arq.connections import RedisSettings
from arq.worker import Worker, func

from jobs import Stage, State
from jobs.connection import connect
from jobs.context import StageContext
from jobs.outcomes import Advance, Finish, Outcome
from jobs.run import Run
from planet_sdk import Auth, OrdersClient, Session
from worker.logs import configure_logs
from worker.serve import assemble
from worker.settings import Settings

READY, RUNNING, STARTED, ENDED = (f"benchmark:{name}" for name in ("ready", "running", "started", "ended"))


async def hold(ctx: dict[str, Any], seconds: float) -> None:
    """Be counted for so many seconds."""
    await ctx["redis"].incr(RUNNING)
    await asyncio.sleep(seconds)
    await ctx["redis"].decr(RUNNING)


async def nap(_: dict[str, Any], seconds: float) -> None:
    """Take time, and send Redis nothing."""
    await asyncio.sleep(seconds)


async def linger(ctx: dict[str, Any], seconds: float) -> None:
    """Tell who has started, and take time."""
    await ctx["redis"].rpush(STARTED, os.getpid())
    await asyncio.sleep(seconds)


async def link(ctx: dict[str, Any], more: int) -> None:
    """One of the jobs of a chain: enqueues the next one; the last one tells."""
    if more:
        await ctx["redis"].enqueue_job("link", more - 1)
    else:
        await ctx["redis"].rpush(ENDED, 1)


FUNCTIONS = (hold, nap, linger, link)


def _advance_to(stage: Stage) -> Any:
    async def decide(_run: Run, _context: StageContext) -> Outcome:
        return Advance(stage, "nothing to do")

    return decide


async def _finish(_run: Run, _context: StageContext) -> Outcome:
    return Finish(State.DONE, "nothing to do")


NO_WORK = {
    Stage.CREATE: _advance_to(Stage.WAIT),
    Stage.WAIT: _advance_to(Stage.DOWNLOAD),
    Stage.DOWNLOAD: _advance_to(Stage.VALIDATE),
    Stage.VALIDATE: _finish,
}


async def _say_ready(ctx: dict[str, Any]) -> None:
    await ctx["redis"].rpush(READY, os.getpid())


async def run_ours(url: str, options: dict[str, Any]) -> None:
    """Run our worker; `options` are settings, the rest is as by default."""
    settings = Settings(worker_name=f"benchmark-{os.getpid()}", **options)
    redis = await connect(url)
    async with Session(Auth.from_key("benchmark")) as session:
        worker, watcher = assemble(settings, url, redis, OrdersClient(session))
        worker.functions |= {function.__name__: func(cast("Any", function)) for function in FUNCTIONS}
        worker.on_startup = _say_ready
        if worker.stages:
            worker.stages.stages = NO_WORK
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watcher.run())
            tasks.create_task(worker.async_run())


def run_arq(url: str, options: dict[str, Any]) -> None:
    """Run arq's own Worker; `options` are arq's, the rest is as by default."""
    settings = RedisSettings(unix_socket_path=urlsplit(url).path)
    functions = [func(cast("Any", function)) for function in FUNCTIONS]
    Worker(functions, redis_settings=settings, on_startup=_say_ready, **options).run()


def main() -> None:
    """Run `kind url options` until killed."""
    kind, url, options = sys.argv[1:]
    if kind == "arq":
        run_arq(url, json.loads(options))
    else:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 — a stream to log to, in the simplest way
            configure_logs("INFO", "json", stream=nowhere)
            asyncio.run(run_ours(url, json.loads(options)))


if __name__ == "__main__":
    main()
