"""What fleet.py measures, each of our workers and of arq's in the same way, on the same server."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from arq.connections import ArqRedis
from arq.constants import default_queue_name, in_progress_key_prefix
from fleet_member import ENDED, READY, RUNNING, STARTED

from jobs import OrderQueue, State, Submission, keys
from jobs.connection import connect
from jobs.store import RunStore

HERE = Path(__file__).resolve().parent
SIX_HOURS_S = 6 * 3600
DAY_MS = 24 * 3600 * 1000


@dataclass
class Bench:
    """The server, the two kinds of clients, and how long to take."""

    url: str
    redis: ArqRedis  # as arq makes it: pickle
    queue: OrderQueue
    is_quick: bool
    scratch: Path

    def say(self, what: str) -> None:
        """A line of progress."""
        print(f"    {what}", file=sys.stderr, flush=True)

    def client(self, kind: str) -> ArqRedis:
        """What enqueues jobs for workers of this kind, in their serialization."""
        return self.redis if kind == "arq" else self.queue.store.redis

    @asynccontextmanager
    async def workers(self, kind: str, count: int = 1, **options: Any) -> AsyncIterator[list[int]]:
        """So many workers that are ready; yields their process ids, and kills them at the end."""
        arguments = json.dumps(options)
        command = [sys.executable, str(HERE / "fleet_member.py"), kind, self.url, arguments]
        environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        start: Callable[[], subprocess.Popen[bytes]] = partial(
            subprocess.Popen, command, env=environment, cwd=self.scratch
        )
        members = [start() for _ in range(count)]
        try:
            for _ in members:
                await self.popped(READY)
            yield [member.pid for member in members]
        finally:
            for member in members:
                member.kill()
                member.wait()

    async def until(
        self,
        what: str,
        look: Callable[[], Awaitable[bool]],
        every_s: float = 0.02,
        deadline_s: float = 300,
    ) -> None:
        """Wait for it; raises RuntimeError when the time is up."""
        end = time.monotonic() + deadline_s
        while not await look():
            if time.monotonic() > end:
                raise RuntimeError(f"not seen: {what}")
            await asyncio.sleep(every_s)

    async def commands(self) -> int:
        """How many commands the server has run: those inside a script, and the call of the script, count one each."""
        info = await self.redis.info("stats")
        return int(info["total_commands_processed"])

    async def popped(self, key: str) -> int:
        """The next number in a list, as soon as it is there."""
        _, number = await self.redis.blpop([key], timeout=60)  # type: ignore[misc]  # redis-py: perhaps awaitable
        return int(number)

    async def enqueue(self, kind: str, function: str, argument: float, count: int) -> None:
        """Put many jobs into the queue at once, past arq's three round trips for each."""
        client = self.client(kind)
        now = round(time.time() * 1000)
        async with client.pipeline(transaction=False) as pipe:
            for number in range(count):
                job: dict[str, Any] = {"t": None, "f": function, "a": (argument,), "k": {}, "et": now}
                pipe.psetex(keys.job(f"{number}"), DAY_MS, (client.job_serializer or pickle.dumps)(job))
                pipe.zadd(default_queue_name, {f"{number}": now})
            pipe.publish(keys.bell(default_queue_name), "job")
            await pipe.execute()


def order(number: int) -> Submission:
    """A request like those of a service that orders its fields: one scene, clipped to a field of its own."""
    west, south = -121.6 + number % 1000 / 1000, 45.5 + number // 1000 / 1000
    ring = [[west, south], [west + 0.01, south], [west + 0.01, south + 0.01], [west, south + 0.01], [west, south]]
    product = {"item_ids": [f"20220605_{number:06}_64_242b"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    clip = {"clip": {"aoi": {"type": "Polygon", "coordinates": [ring]}}}
    return Submission({"name": f"field {number}", "products": [product], "tools": [clip]}, key=f"field-{number}")


async def busy_slots(bench: Bench, kind: str) -> float:
    """The most jobs that run at once on 16 workers with 32 slots each, of three times as many."""
    slots = {"slots" if kind == "ours" else "max_jobs": 32}
    async with bench.workers(kind, 16, **slots):
        await bench.enqueue(kind, "hold", 60, 1536)
        most, until = 0, time.monotonic() + (6 if bench.is_quick else 15)
        while time.monotonic() < until and most < 512:  # noqa: PLR2004 — all of them
            most = max(most, int(await bench.redis.get(RUNNING) or 0))
            await asyncio.sleep(0.1)
    return most


async def commands_a_job(bench: Bench, kind: str) -> float:
    """Commands that 20 workers with 10 slots cost for each job of two seconds, from their start to the last end."""
    jobs = 600 if bench.is_quick else 1500
    await bench.enqueue(kind, "nap", 2, jobs)
    slots = {"slots" if kind == "ours" else "max_jobs": 10}
    before = await bench.commands()
    async with bench.workers(kind, 20, **slots):
        await bench.until("all jobs have ended", lambda: _is_empty(bench, default_queue_name), every_s=0.5)
        return (await bench.commands() - before) / jobs


async def recovery_s(bench: Bench, kind: str) -> float:
    """Seconds from kill -9 of the worker of a six-hour job to its start on another one, at the worst moment."""
    if kind == "arq":
        return await _recovery_of_arq_s(bench)
    worst = 0.0
    for _ in range(1 if bench.is_quick else 3):
        await bench.redis.flushall()
        async with bench.workers(kind, 2) as pids:
            await bench.enqueue(kind, "linger", SIX_HOURS_S, 1)
            first = await bench.popped(STARTED)
            await _renewal(bench, in_progress_key_prefix + "0")
            os.kill(first, signal.SIGKILL)
            killed_at = time.monotonic()
            second = await bench.popped(STARTED)
            assert {first, second} == set(pids)
            worst = max(worst, time.monotonic() - killed_at)
            bench.say(f"started elsewhere {time.monotonic() - killed_at:.1f} s after the kill")
    return worst


async def _renewal(bench: Bench, mark: str) -> None:
    """Until a lease has just been renewed: then it has longest to run."""
    left = await bench.redis.pttl(mark)
    while (now_left := await bench.redis.pttl(mark)) <= left:
        left = now_left
        await asyncio.sleep(0.005)


async def _recovery_of_arq_s(bench: Bench) -> float:
    """What arq says itself: the life of its in-progress mark, which nothing renews, and nothing shortens."""
    async with bench.workers("arq", 1, job_timeout=SIX_HOURS_S) as (pid,):
        await bench.enqueue("arq", "linger", SIX_HOURS_S, 1)
        await bench.popped(STARTED)
        os.kill(pid, signal.SIGKILL)
        return float(await bench.redis.pttl(in_progress_key_prefix + "0")) / 1000


async def chain_ms(bench: Bench, kind: str) -> float:
    """Median of the time from enqueuing a chain of four jobs to its end, on an idle worker, as its producer sees it."""
    measure = _run_ms if kind == "ours" else _arq_chain_ms
    count = {"ours": 50 if bench.is_quick else 300, "arq": 5 if bench.is_quick else 15}[kind]
    async with bench.workers(kind):
        await asyncio.sleep(1)
        times = [await measure(bench, number) for number in range(count)]
    bench.say(f"{kind}: p50 {statistics.median(times):.1f} ms, p95 {sorted(times)[int(count * 0.95)]:.1f} ms")
    return statistics.median(times)


async def _run_ms(bench: Bench, number: int) -> float:
    """One run whose stages do nothing: submitted with all checks, moved stage by stage, its end seen in the events."""
    after = await bench.queue.store.last_event_id()
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    await bench.queue.submit(order(number))
    async for event in bench.queue.events(after):
        if event.state is State.DONE:
            break
    return (time.perf_counter() - started) * 1000


async def _arq_chain_ms(bench: Bench, _number: int) -> float:
    started = time.perf_counter()
    await bench.redis.enqueue_job("link", 3)
    await bench.popped(ENDED)
    return (time.perf_counter() - started) * 1000


async def chains_a_second(bench: Bench, kind: str, **options: Any) -> float:
    """Chains of four jobs that one worker process ends in a second, when all of them wait in the queue."""
    count = 400 if bench.is_quick else 2000
    if kind == "ours":
        await bench.queue.submit_many([order(number) for number in range(count)])
    else:
        count //= 4
        await bench.enqueue(kind, "link", 3, count)
    async with bench.workers(kind, **options) as (pid,):
        started, cpu_s = time.perf_counter(), _cpu_s(pid)
        await bench.until("all chains have ended", lambda: _have_ended(bench, kind, count))
        seconds = time.perf_counter() - started
        cpu_s = _cpu_s(pid) - cpu_s
        memory = psutil.Process(pid).memory_info().rss / 1e6
    bench.say(
        f"{kind} {options or ''}: {count / seconds:.0f} chains/s, {cpu_s / seconds:.0%} of a core, {memory:.0f} MB"
    )
    return count / seconds


async def _is_empty(bench: Bench, queue: str) -> bool:
    return not await bench.redis.zcard(queue)


async def _have_ended(bench: Bench, kind: str, count: int) -> bool:
    if kind == "ours":
        return bool(await bench.redis.zcard(keys.state(State.DONE)) >= count)
    return bool(await bench.redis.llen(ENDED) >= count)  # type: ignore[misc]  # redis-py types it as perhaps awaitable


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def idle_commands(bench: Bench, kind: str) -> float:
    """Commands a second of one worker that has nothing to do: ours with watcher and health, as everything is set up."""
    seconds = 10 if bench.is_quick else 30
    async with bench.workers(kind):
        await asyncio.sleep(3)
        before, started = await bench.commands(), time.monotonic()
        await asyncio.sleep(seconds)
        return (await bench.commands() - before - 1) / (time.monotonic() - started)  # one is the question itself


async def enqueued_a_second(bench: Bench, kind: str) -> float:
    """Runs or jobs that one process enqueues in a second, each with a key that makes it unique."""
    count = 10_000 if kind == "ours" else 2_000
    if kind == "ours":
        submissions = [order(number) for number in range(count)]
        started = time.perf_counter()
        handles = await bench.queue.submit_many(submissions)
        seconds = time.perf_counter() - started
        assert len({handle.run_id for handle in handles if not isinstance(handle, Exception)}) == count
        bench.say(f"{count:,} runs with all checks in {seconds:.2f} s")
        return count / seconds
    started = time.perf_counter()
    for first in range(0, count, 100):
        ids = range(first, first + 100)
        await asyncio.gather(*(bench.redis.enqueue_job("nap", 1, _job_id=f"field-{number}") for number in ids))
    return count / (time.perf_counter() - started)


@asynccontextmanager
async def open_bench(url: str, scratch: Path, *, is_quick: bool) -> AsyncIterator[Bench]:
    """The clients of both kinds on this server."""
    redis, ours = ArqRedis.from_url(url), await connect(url)
    try:
        yield Bench(url, redis, OrderQueue(RunStore(ours)), is_quick, scratch)
    finally:
        await redis.aclose()
        await ours.aclose()
