"""What eight processes that share one API key make of Planet's published limits, as the server sees it.

    python benchmarks/budget.py                   a minute for each contender
    python benchmarks/budget.py --seconds 15

A simulator counts by Planet's limits, 3 requests a second for create, get and list, and 5 for links, and refuses what
is above with 429. The exit code is 1 where the fleet is ever above a limit in any one-second window, gets a single 429,
or leaves more than 5 % of a limit unused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from budget_member import REQUEST

from jobs.embedded import EmbeddedValkey
from planet_sdk import Auth, Session
from planet_sdk.simulator import PLANET_RATE_LIMITS, Report, Simulator, SimulatorSettings

KINDS = ("create", "get", "list", "link")
LEAST_USED = 0.95
SETTLE_S = 3.0  # from the last process's start to the window that is measured
READY_S = 60.0


@dataclass(frozen=True)
class Contender:
    """Who asks, in how many processes."""

    title: str
    kind: str
    processes: int


CONTENDERS = (
    Contender("a fleet of 8", "fleet", 8),
    Contender("8 plain Sessions", "session", 8),
    Contender("1 x planet 2.14", "planet 2.14", 1),
)


@dataclass(frozen=True)
class Figures:
    """Of one contender, by kind of request."""

    peaks: Mapping[str, int]  # the most requests in any one-second window
    used: Mapping[str, float]  # share of the limit that was let pass
    refused: Mapping[str, int]  # answers 429
    asked: Mapping[str, int]

    @property
    def is_as_promised(self) -> bool:
        """Whether it kept to every limit and left little of it."""
        within = all(self.peaks[kind] <= PLANET_RATE_LIMITS[kind] for kind in KINDS)
        return within and not any(self.refused.values()) and min(self.used.values()) >= LEAST_USED


def measure(contender: Contender, seconds: float) -> Figures:
    """Let the contender ask for so long, on a server and a Redis of its own."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        EmbeddedValkey(Path(scratch, "redis")) as valkey,
        Simulator(SimulatorSettings(queued_s=0, running_s=0, max_active_orders=10**6)) as simulator,
    ):
        told = {
            "api": simulator.url,
            "key": simulator.api_key,
            "redis": valkey.url,
            "order_id": asyncio.run(place_order(simulator)),
            "location": simulator.put("small.tif", b"x" * 1000),
            "ready": scratch,
        }
        with members(contender, told):
            time.sleep(SETTLE_S)  # the window is to begin when all of them are at work
            before, began = simulator.report(), time.monotonic()
            time.sleep(seconds)
            after, lasted = simulator.report(), time.monotonic() - began
        return figures_of(before, after, lasted)


async def place_order(simulator: Simulator) -> str:
    """An order to ask for."""
    async with Session(Auth.from_key(simulator.api_key), base_url=simulator.url) as session:
        order: dict[str, Any] = await session.client("orders").create_order(REQUEST)
    return str(order["id"])


@contextmanager
def members(contender: Contender, told: Mapping[str, str]) -> Iterator[None]:
    """The contender's processes, all of them at work; killed at the end."""
    here = Path(__file__).resolve().parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(here / "budget_member.py"), contender.kind, json.dumps(told)]
    with Path(told["ready"], "log").open("wb") as log:
        processes = [
            subprocess.Popen(command, env=environment, cwd=told["ready"], stderr=log, stdout=log)
            for _ in range(contender.processes)
        ]
        try:
            wait_for_all(processes, Path(told["ready"]))
            yield
        finally:
            for process in processes:
                process.kill()
                process.wait()


def wait_for_all(processes: list[subprocess.Popen[bytes]], ready: Path) -> None:
    """Until each has touched its file; raises RuntimeError where one ends, or is not there in time."""
    deadline = time.monotonic() + READY_S
    while not all((ready / str(process.pid)).exists() for process in processes):
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            raise RuntimeError(f"not all processes started:\n{(ready / 'log').read_text()[-2000:]}")
        time.sleep(0.05)


def figures_of(before: Report, after: Report, seconds: float) -> Figures:
    """What was let pass, and refused, between two reports; peaks are those of the whole time."""
    passed: dict[str, int] = {}
    refused: dict[str, int] = {}
    for kind in KINDS:
        answers = {
            status: count - before.answers.get(kind, {}).get(status, 0)
            for status, count in after.answers.get(kind, {}).items()
        }
        refused[kind] = answers.pop(HTTPStatus.TOO_MANY_REQUESTS, 0)
        passed[kind] = sum(answers.values())
    return Figures(
        peaks={kind: after.peak_per_second.get(kind, 0) for kind in KINDS},
        used={kind: passed[kind] / (PLANET_RATE_LIMITS[kind] * seconds) for kind in KINDS},
        refused=refused,
        asked={kind: passed[kind] + refused[kind] for kind in KINDS},
    )


def main() -> None:
    """Measure and report; the exit code is 1 where the fleet is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each contender (default: %(default)s)")
    options = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    print(f"{'':20}{'request':>8}{'limit/s':>9}{'peak/s':>8}{'used':>7}{'429':>7}{'of asked':>10}")
    is_as_promised = True
    for contender in CONTENDERS:
        figures = measure(contender, options.seconds)
        if contender.kind == "fleet":
            is_as_promised = figures.is_as_promised
        for kind in KINDS:
            title = contender.title if kind == KINDS[0] else ""
            share = figures.refused[kind] / max(1, figures.asked[kind])
            print(
                f"{title:20}{kind:>8}{PLANET_RATE_LIMITS[kind]:9}{figures.peaks[kind]:8}{figures.used[kind]:7.0%}"
                f"{figures.refused[kind]:7,}{share:10.0%}",
                flush=True,
            )
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; load of the machine before: {load}")
    if not is_as_promised:
        print("MISSED: the fleet was above a limit, was refused, or left more than 5 % of one unused")
    sys.exit(not is_as_promised)


if __name__ == "__main__":
    main()
