"""What waiting.py measures: two workers as they are set up by default, and a simulator that keeps to Planet's limits.

Creating ten thousand orders would take an hour at three a second. So the simulator takes them past its limits, and the
runs are brought into the waiting state here, by the scripts that a worker's commits are made with.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from jobs import OrderQueue, State, Submission, keys
from jobs.abreast import abreast
from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from jobs.moves import By, job_id_of, plan_move
from jobs.outcomes import Park
from jobs.run import Stage
from jobs.store import RunStore
from planet_sdk.simulator import Simulator, SimulatorSettings

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
NEVER_S = 1e6
LEASE_S = 12  # the default
SECRET = "the-secret-of-a-benchmark"
ME = By.owner_of_job("benchmark", "benchmark/1")
PARKING = "benchmark:parking"  # a queue that no worker looks at


@dataclass(frozen=True)
class Plan:
    """One pass: so many runs whose orders finish evenly over so many seconds."""

    runs: int
    seconds: float
    webhooks: bool

    @property
    def settle_s(self) -> float:
        """From when all runs are parked until the first order finishes, as the orders are no longer new then."""
        return min(45.0, self.seconds / 3)


@dataclass(frozen=True)
class Figures:
    """What one pass came to."""

    waited_s: Sequence[float]  # of each run, from the start until its order's success
    noticed_after_s: Sequence[float]  # of each run, from its order's success until it is to be downloaded
    missed: int
    lists: int
    looks: int
    delivered: int
    reads: float  # by id, of each delivered order
    refused: Mapping[str, int]  # with 429, by kind of request
    growth_mb: float

    @property
    def requests_an_order(self) -> float:
        """The lists for each order that was noticed, and all reads by id for each that was delivered."""
        refused_reads = self.refused.get("get", 0) / max(1, self.delivered)
        return self.lists / max(1, len(self.noticed_after_s)) + self.reads + refused_reads

    def noticed_s(self, share: float) -> float:
        """The time within which this share of the orders was noticed."""
        return sorted(self.noticed_after_s)[min(len(self.noticed_after_s) - 1, int(len(self.noticed_after_s) * share))]

    def polls_an_order(self, every_s: float) -> float:
        """What each order would cost that is asked for by its id every so often, and once more for its links."""
        return 1 + statistics.mean(ceil(waited_s / every_s) for waited_s in self.waited_s)


@dataclass
class Stand:
    """The simulator, the server and the workers of one pass."""

    simulator: Simulator
    store: RunStore
    scratch: Path
    members: list[subprocess.Popen[bytes]]
    webhook_url: str | None

    def memory_mb(self) -> float:
        """Of the larger worker: that is the one which watches."""
        return max(psutil.Process(member.pid).memory_info().rss for member in self.members) / 1e6

    def say(self, what: str) -> None:
        """A line of progress."""
        print(f"    {what}", file=sys.stderr, flush=True)


async def measure(plan: Plan, scratch: Path) -> Figures:
    """Park the runs, let their orders finish, and see what it took."""
    settings = SimulatorSettings(queued_s=NEVER_S, scene_size_px=32)
    with Simulator(settings) as simulator, EmbeddedValkey(scratch / "valkey") as valkey:
        async with _workers(plan, simulator, valkey.url, scratch) as stand:
            warming_up = await _park(stand, range(1))
            while not await stand.store.redis.exists(keys.CHANGES):  # noqa: ASYNC110 — until it has listed once
                await asyncio.sleep(1)
            await asyncio.sleep(10)
            before_mb = stand.memory_mb()
            async with _no_watcher(stand):
                parked = await _park(stand, range(1, plan.runs)) | warming_up
            await asyncio.sleep(plan.settle_s)
            growth_mb = stand.memory_mb() - before_mb
            stand.say(f"a worker: {before_mb:.0f} MB, with {plan.runs:,} runs parked {growth_mb:+.1f} MB")
            finished_at = await _finish(stand, plan, parked)
            await _let_downloads_end(stand)
            return await _figures(stand, parked, finished_at, growth_mb)


@asynccontextmanager
async def _workers(plan: Plan, simulator: Simulator, url: str, scratch: Path) -> AsyncIterator[Stand]:
    web_url = f"http://127.0.0.1:{_free_port()}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PL_API_KEY": simulator.api_key,
        "PL_API_URL": simulator.url,
        "REDIS_URL": url,
        "ORDERS_DESTINATION": str(scratch / "orders"),
        "ORDERS_DATA_DIR": str(scratch / "data"),
        "ORDERS_STOP_WAIT_S": "120",
        "ORDERS_WEB_PORT": web_url.rpartition(":")[2],
        "ORDERS_PUBLIC_URL": web_url,
        "ORDERS_WEBHOOK_SECRET": SECRET,
    }
    redis = await connect(url)
    with (scratch / "log").open("wb") as log:
        members = [_start("worker", {**environment, "ORDERS_WORKER_NAME": f"w{n}"}, log) for n in range(WORKERS)]
        web = [_start("web", environment, log)] if plan.webhooks else []
        webhook_url = f"{web_url}/webhooks/planet/{SECRET}" if plan.webhooks else None
        try:
            yield Stand(simulator, RunStore(redis), scratch, members, webhook_url)
        finally:
            for member in [*members, *web]:
                member.kill()
                member.wait()
            await redis.aclose()


def _start(command: str, environment: Mapping[str, str], log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "worker", command], env=environment, stdout=log, stderr=log)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@asynccontextmanager
async def _no_watcher(stand: Stand) -> AsyncIterator[None]:
    """Nobody watches inside: the sweep would take runs whose jobs lie in our queue for lost."""
    await stand.store.redis.set(keys.lease("watcher"), "benchmark", px=600_000)
    await asyncio.sleep(LEASE_S)
    yield
    await stand.store.redis.delete(keys.lease("watcher"))


async def _park(stand: Stand, numbers: Sequence[int]) -> dict[str, str]:
    """Runs that wait, each for an order of its own: run ids by order."""
    requests = [_request(number) for number in numbers]
    notifications = {"webhook": {"url": stand.webhook_url, "per_order": True}} if stand.webhook_url else {}
    order_ids = stand.simulator.place({**request, "notifications": notifications} for request in requests)
    store = RunStore(stand.store.redis, queue=PARKING)
    handles = await OrderQueue(store).submit_many([Submission(request) for request in requests])
    run_ids = [handle.run_id for handle in handles if not isinstance(handle, Exception)]

    async def park(run_id: str, order_id: str) -> None:
        job_id = job_id_of(run_id, Stage.CREATE, 0)
        await store.redis.psetex(keys.in_progress(job_id), 60_000, ME.owner)
        run = await store.begin(run_id, job_id, ME, (stand.scratch / "orders").as_uri())
        await store.move(plan_move(run, Park(5, "waiting", {"order_id": order_id}), ME))

    await abreast(lambda pair: park(*pair), zip(run_ids, order_ids, strict=True), 50)
    stand.say(f"{len(numbers):,} runs are parked")
    return dict(zip(order_ids, run_ids, strict=True))


def _request(number: int) -> dict[str, Any]:
    scene = {"item_ids": [f"20220605_{number:06}_64_242b"], "item_type": "PSScene", "product_bundle": "visual"}
    return {"name": f"field {number}", "products": [scene]}


async def _finish(stand: Stand, plan: Plan, parked: Mapping[str, str]) -> dict[str, float]:
    """Let the orders finish one after the other, and wait until all of them are noticed; when each finished."""
    order_ids = list(parked)
    random.Random(1).shuffle(order_ids)
    in_s = {order_id: (number + 1) / plan.runs * plan.seconds for number, order_id in enumerate(order_ids)}
    started_at = stand.simulator.finish_later(in_s)
    finished_at = {order_id: started_at + seconds for order_id, seconds in in_s.items()}
    last_at = started_at + plan.seconds
    while (left := await stand.store.redis.zcard(keys.WATCH)) and time.time() < last_at + 60:
        done = (await stand.store.count())[State.DONE]
        stand.say(f"{last_at - time.time():4.0f} s to go, {left:,} parked, {done:,} delivered")
        await asyncio.sleep(max(0.1, min(30, last_at - time.time())))
    return finished_at


async def _let_downloads_end(stand: Stand) -> None:
    """Downloads in hand are finished, so that what was read for them can be counted; no others begin."""
    for member in stand.members:
        member.terminate()
    for member in stand.members:
        await asyncio.to_thread(member.wait)


async def _figures(
    stand: Stand, parked: Mapping[str, str], finished_at: Mapping[str, float], growth_mb: float
) -> Figures:
    seen, store = stand.simulator.report(), stand.store
    started_at = min(finished_at.values())
    histories = await abreast(store.history, parked.values(), 50)
    noticed = [
        min(line.at.timestamp() for line in history if line.state is State.DOWNLOADING) - finished_at[order_id]
        for order_id, history in zip(parked, histories, strict=True)
        if any(line.state is State.DOWNLOADING for line in history)
    ]
    reads = [
        seen.reads.get(order_id, 0)
        for order_id, history in zip(parked, histories, strict=True)
        if any(line.state is State.VALIDATING for line in history)  # their files are there
    ]
    return Figures(
        waited_s=[at - started_at for at in finished_at.values()],
        noticed_after_s=noticed or [float("inf")],
        missed=len(parked) - len(noticed),
        lists=seen.requests.get("list", 0),
        looks=seen.requests.get("get", 0) - len(reads),
        delivered=len(reads),
        reads=statistics.mean(reads) if reads else float("inf"),
        refused={
            kind: count
            for kind, answers in seen.answers.items()
            if (count := answers.get(HTTPStatus.TOO_MANY_REQUESTS))
        },
        growth_mb=growth_mb,
    )
