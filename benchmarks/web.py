"""What each address of the web process takes with 100,000 runs in Redis: time, and commands.

    python benchmarks/web.py                100,000 runs, about three minutes
    python benchmarks/web.py --runs 10000   fewer of them

The exit code is 1 where the first page takes longer than is promised, or an address has Redis look through its keys.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from jobs import OrderQueue, Submission
from jobs.abreast import abreast
from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from jobs.index import pages_of
from jobs.keys import RUNS
from jobs.moves import By, plan_move
from jobs.outcomes import Finish, Outcome, Park
from jobs.run import Failure, FailureKind, Run, State
from jobs.store import RunStore

FIRST_PAGE_MS = 200
SCANS = {"keys", "scan", "sscan", "hscan", "zscan"}
BATCH = 1_000
WARM = 20
ME = By.person("benchmark")
CAUSES = [
    ("planet", "Planet answered 503: Service Unavailable"),
    ("producer", "Planet answered 400: no access to asset"),
    ("temporary", "no answer within 30 s"),
]


SHARES = {State.DONE: 66, State.PARTIAL: 4, State.FAILED: 6, State.CANCELLED: 2, State.WAITING: 12, State.QUEUED: 10}
STATES = [state for state, share in SHARES.items() for _ in range(share)]  # of each hundred runs


def outcome_of(number: int) -> Outcome | None:
    """What becomes of a run; None where it goes on to wait in line."""
    match STATES[number % len(STATES)]:
        case State.QUEUED:
            return None
        case State.WAITING:
            return Park(3600, "parked")
        case State.FAILED:
            kind, text = CAUSES[number % len(CAUSES)]
            return Finish(State.FAILED, text, Failure(kind=FailureKind(kind), type="APIError", message=text))
        case state:
            return Finish(state, "moved by the benchmark")


async def fill(store: RunStore, runs: int) -> str:
    """Submit so many runs, in batches, and move each once, by the scripts that move all runs; returns a batch's id."""
    queue = OrderQueue(store)
    product = {"item_ids": ["20220605_124027_64_242b"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    for first in range(0, runs, BATCH):
        submissions = [
            Submission({"name": f"field {number}", "products": [product]}, key=f"k{number}", producer=f"P{number % 10}")
            for number in range(first, min(runs, first + BATCH))
        ]
        batch = await queue.submit_batch(submissions, name=f"batch {first // BATCH}")
    number = 0
    async for page in pages_of(store.redis, RUNS):
        found = await store.get_many([run_id for run_id, _ in page])
        await abreast(lambda pair: move(store, *pair), [(run, number + at) for at, run in enumerate(found)], 100)
        number += len(page)
    return batch.batch_id


async def move(store: RunStore, run: Run, number: int) -> None:
    """Let a run go where its number says."""
    outcome = outcome_of(number)
    if outcome is not None:
        await store.move(plan_move(run, outcome, ME))


@dataclass(frozen=True)
class Figures:
    """What one address took, in milliseconds: the first time, half of the times, at most, and of the processor.

    Also the commands that the first answer sent, those in scripts among them.
    """

    status: int
    first_ms: float
    p50_ms: float
    max_ms: float
    cpu_ms: float
    commands: int
    scans: set[str]
    size: int


async def measure(web: httpx.AsyncClient, store: RunStore, process: psutil.Process, path: str) -> Figures:
    """Ask one address, once and then some times more."""
    before = await calls(store)
    started = time.perf_counter()
    answer = await web.get(path)
    first_ms = (time.perf_counter() - started) * 1000
    used = await calls(store) - before
    used["info"] -= 1
    times, cpu_s = [], cpu_seconds(process)
    for _ in range(WARM):
        started = time.perf_counter()
        await web.get(path)
        times.append((time.perf_counter() - started) * 1000)
    cpu_ms = (cpu_seconds(process) - cpu_s) / WARM * 1000
    scans = {name for name in used if name in SCANS and used[name]}
    size, commands = len(answer.content), max(0, used.total())
    return Figures(answer.status_code, first_ms, median(times), max(times), cpu_ms, commands, scans, size)


def cpu_seconds(process: psutil.Process) -> float:
    """What a process has had of the processor: other work on the machine does not count."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def calls(store: RunStore) -> Counter[str]:
    """How often each command was called so far, by clients and by scripts."""
    said: dict[str, Any] = await store.redis.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in said.items()})


async def ping_ms(store: RunStore) -> float:
    """The baseline: one round trip to Redis."""
    times = []
    for _ in range(200):
        started = time.perf_counter()
        await store.redis.ping()
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


async def run(url: str, runs: int, scratch: Path) -> bool:
    """Fill, serve, ask, and print; whether all is as it is wanted."""
    redis = await connect(url)
    store = RunStore(redis)
    started = time.perf_counter()
    batch_id = await fill(store, runs)
    counts = {state.value: count for state, count in (await store.count()).items() if count}
    print(f"{runs:,} runs in {time.perf_counter() - started:.0f} s: {counts}")
    newest = (await store.newest(State.DONE, 1))[0].run_id
    paths = [
        "/healthz",
        "/",
        "/runs",
        "/runs?state=failed",
        f"/runs/{newest}",
        "/batches",
        "/failures",
        "/metrics",
        "/v1/fleet",
        "/v1/failures",
        "/v1/runs",
        "/v1/runs?state=done",
        "/v1/runs?state=expired",
        "/v1/runs?producer=P3",
        "/v1/runs?producer=nobody",
        "/v1/runs?state=failed&producer=P3",
        f"/v1/runs?batch_id={batch_id}",
        f"/v1/runs?batch_id={batch_id}&state=failed",
        "/v1/runs?search=field%2077",
        "/v1/runs?search=no-such-thing",
        "/v1/runs?limit=500",
        f"/v1/runs/{newest}",
        "/v1/batches",
        f"/v1/batches/{batch_id}",
        f"/v1/batches/{batch_id}/summary",
    ]
    print(f"{'PING, for comparison':40}{'':>10}{await ping_ms(store):9.2f}")
    print(f"{'':40}{'first ms':>10}{'p50 ms':>9}{'max ms':>9}{'CPU ms':>9}{'commands':>10}{'KiB':>6}")
    holds = True
    with served(url, scratch) as (address, process):
        async with httpx.AsyncClient(base_url=address, timeout=60) as web:
            await web.get("/readyz")  # connected to Redis from here on
            for path in paths:
                took = await measure(web, store, process, path)
                is_late = path == "/" and max(took.first_ms, took.p50_ms) > FIRST_PAGE_MS
                bad = bool(took.scans) or is_late or took.status != httpx.codes.OK
                holds &= not bad
                print(
                    f"{path.replace(newest, 'RUN').replace(batch_id, 'BATCH'):40}{took.first_ms:10.1f}"
                    f"{took.p50_ms:9.1f}{took.max_ms:9.1f}{took.cpu_ms:9.1f}{took.commands:10,}{took.size / 1024:6.0f}"
                    f"{f'   MISSED ({took.status})' if bad else ''}",
                    flush=True,
                )
    await redis.aclose()
    return holds


class served:  # noqa: N801 — it is used as a function is
    """A web process of its own, as `planet-orders web` is, at a free port."""

    def __init__(self, url: str, scratch: Path) -> None:
        self._log = (scratch / "web.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker", "web", "--port", "0"],
            env={**os.environ, "REDIS_URL": url, "ORDERS_LOG_FORMAT": "json", "ORDERS_WEB_HOST": "127.0.0.1"},
            stderr=self._log,
        )

    def __enter__(self) -> tuple[str, psutil.Process]:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for line in islice(Path(self._log.name).read_text().splitlines(), 20):
                if "listening" in line:
                    return line.split('"url":')[1].split('"')[1], psutil.Process(self._process.pid)
            time.sleep(0.05)
        raise SystemExit(f"the web process did not start: {Path(self._log.name).read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


def main() -> None:
    """Measure and report; the exit code is 1 where a figure is not what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    options = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        EmbeddedValkey(Path(scratch) / "valkey") as valkey,
    ):
        holds = asyncio.run(run(valkey.url, options.runs, Path(scratch)))
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; load of the machine before: {load}")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
