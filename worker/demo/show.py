"""The demo from beginning to end: set up, submit, watch, verify, tell, clear away."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from arq.connections import ArqRedis
from rich.console import Console

from jobs.queue import OrderQueue, RunHandle, Submission
from jobs.run import Run
from jobs.store import RunStore
from worker.board import open_console
from worker.cli.exits import Exit
from worker.connection import connect
from worker.demo.premises import Premises, find_free_port
from worker.demo.processes import Child, DemoFailed, ProcfileManager, wait_until
from worker.demo.proof import Delivery, bought_twice, tell_mishaps, verify_deliveries
from worker.demo.requests import FAULTS, SIZES, build_requests
from worker.demo.view import View, draw_deliveries, draw_next_steps
from worker.embedded import EmbeddedValkey
from worker.fleet import WorkerView, read_fleet
from worker.wording import one_line, plural

_WORKERS = 2
_API_KEY = "simulator-key"
_START_S = 60  # for each process, on a slow and busy machine
_SHOW_S = 300  # for all orders; they need about half a minute
_LOOK_S = 0.25
_SETTINGS = {
    "ORDERS_HEALTH_INTERVAL_S": "1",
    "ORDERS_WAIT_CHECK_MIN_S": "1",
    "ORDERS_WAIT_CHECK_MAX_S": "3",
    "ORDERS_RETRY_BASE_S": "0.5",
    "ORDERS_STOP_WAIT_S": "3",  # less than the Procfile manager gives
}
"""Impatient, where a fleet would be patient: a simulated order takes seconds, not hours."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the demo has started."""

    simulator_url: str
    web_url: str
    redis_url: str
    manager: Child


def run_demo(folder: Path | None = None) -> int:
    """Show the whole of it; returns 0 only if every file of every order was delivered and verified.

    Everything lies in `.demo` below the working directory and stays there; every process it started is gone.
    """
    console = open_console()
    premises = Premises((folder or Path.cwd()).absolute() / ".demo")
    try:
        with _signals_as_interrupts():
            return _show(premises, console)
    except DemoFailed as error:
        sys.stderr.write(f"Error: the demo failed. {error}\n")
        return Exit.FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; everything the demo had started is stopped.\n")
        return Exit.INTERRUPTED


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP are as orderly an end as Ctrl-C."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _show(premises: Premises, console: Console) -> int:
    with ExitStack() as running:
        view = View(console)
        view.say("Starting a private Valkey, a simulated Planet, two workers and a web page")
        fleet = _start(premises, running)
        view.say(f"Web page: {fleet.web_url}   (while the demo runs)")
        view.say()
        began = monotonic()
        runs, workers = asyncio.run(_travel(fleet, view))
        took_s = monotonic() - began
        deliveries = asyncio.run(verify_deliveries(runs, premises.destination))
        report = httpx.get(f"{fleet.simulator_url}/_simulator/report").raise_for_status().json()
    return _conclude(console, premises, deliveries, report, workers, took_s)


def _start(premises: Premises, running: ExitStack) -> Fleet:
    """Start everything in order; what has been started ends with `running`, whatever happens."""
    valkey = running.enter_context(EmbeddedValkey(premises.data))
    simulator = running.enter_context(_start_simulator(premises))
    wait_until(simulator, "its address is known", lambda: _find_url(simulator) is not None, patience_s=_START_S)
    simulator_url = _find_url(simulator) or ""
    httpx.post(f"{simulator_url}/_simulator/faults", json=[dict(fault) for fault in FAULTS]).raise_for_status()
    port = find_free_port()
    manager = running.enter_context(_start_fleet(premises, simulator_url, port))
    web_url = f"http://127.0.0.1:{port}/"
    wait_until(manager, "both workers report", partial(_count_workers, valkey.url), patience_s=_START_S)
    wait_until(manager, "the web page answers", partial(_answers, f"{web_url}healthz"), patience_s=_START_S)
    return Fleet(simulator_url, web_url, valkey.url, manager)


def _start_simulator(premises: Premises) -> Child:
    sizes = [f"--size={pattern}={size}" for pattern, size in SIZES.items()]
    options = ["--port=0", "--queued-s=2", "--running-s=4", "--seed=24", *sizes]
    return Child(
        "the simulator",
        [sys.executable, "-m", "worker", "simulator", *options],
        folder=premises.folder,
        environment=premises.environment(),
        log=premises.simulator_log,
    )


def _start_fleet(premises: Premises, simulator_url: str, port: int) -> ProcfileManager:
    """honcho runs the Procfile; with the demo's folder as its root, so that no `.env` of the user is read."""
    root = ["--app-root", str(premises.folder), "--procfile", str(premises.procfile())]
    settings = {
        **_SETTINGS,
        "PL_API_URL": simulator_url,
        "PL_API_KEY": _API_KEY,
        "ORDERS_DATA_DIR": str(premises.data),
        "ORDERS_DESTINATION": str(premises.destination),
        "ORDERS_WEB_PORT": str(port),
    }
    return ProcfileManager(
        [sys.executable, "-m", "honcho", "start", *root, "--no-colour", f"--concurrency=worker={_WORKERS},web=1"],
        processes=_WORKERS + 1,
        folder=premises.folder,
        environment=premises.environment(**settings),
        log=premises.fleet_log,
    )


def _find_url(simulator: Child) -> str | None:
    lines = simulator.read_log().splitlines(keepends=True)
    return next((line.strip() for line in lines if line.startswith("http://") and line.endswith("\n")), None)


def _count_workers(redis_url: str) -> bool:
    async def count() -> int:
        redis = await connect(redis_url)
        try:
            return sum(worker.is_alive for worker in await read_fleet(redis))
        finally:
            await redis.aclose()

    return asyncio.run(count()) >= _WORKERS


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


async def _travel(fleet: Fleet, view: View) -> tuple[list[Run], list[WorkerView]]:
    """Submit the orders and show them on their way; returns them when all have ended."""
    redis = await connect(fleet.redis_url)
    try:
        queue = OrderQueue(RunStore(redis))
        run_ids = await _submit(queue)
        with view:
            return await _watch(queue, redis, run_ids, fleet, view)
    finally:
        await redis.aclose()


async def _submit(queue: OrderQueue) -> list[str]:
    submissions = [
        Submission(request, key=f"demo-{number}", producer="planet-orders demo")
        for number, request in enumerate(build_requests(), 1)
    ]
    answers = await queue.submit_many(submissions)
    refused = [answer for answer in answers if not isinstance(answer, RunHandle)]
    if refused:
        raise DemoFailed(f"{plural(len(refused), 'order')} refused: {one_line(str(refused[0]))}")
    return [answer.run_id for answer in answers if isinstance(answer, RunHandle)]


async def _watch(
    queue: OrderQueue, redis: ArqRedis, run_ids: Sequence[str], fleet: Fleet, view: View
) -> tuple[list[Run], list[WorkerView]]:
    deadline = monotonic() + _SHOW_S
    while True:
        runs, workers = await queue.store.get_many(run_ids), await read_fleet(redis)
        view.update(runs, workers)
        if all(run.state.is_final for run in runs):
            return runs, workers
        if not fleet.manager.is_running:
            raise fleet.manager.failure("ended while orders were under way")
        if monotonic() > deadline:
            unfinished = sum(not run.state.is_final for run in runs)
            raise fleet.manager.failure(f"{plural(unfinished, 'order')} not delivered within {_SHOW_S} s")
        await asyncio.sleep(_LOOK_S)


def _conclude(
    console: Console,
    premises: Premises,
    deliveries: Sequence[Delivery],
    report: dict[str, Any],
    workers: Sequence[WorkerView],
    took_s: float,
) -> int:
    """Tell what came of it, by the files on disk and by what the simulator saw."""
    console.print(draw_deliveries(deliveries, took_s, len(workers), wide=console.width >= 110))  # noqa: PLR2004 — an order id's 36 columns
    console.print()
    for line in tell_mishaps(report):
        console.print(f"  {line}")
    console.print()
    wrong = [f"{each.run.name}: {problem}" for each in deliveries for problem in _problems_of(each)]
    if bought_twice(report):
        wrong.append("the simulator has more than one order for a request")
    for line in wrong:
        console.print(one_line(line), style="red")
    if wrong:
        sys.stderr.write(f"Error: not every file was delivered and verified; see {premises.fleet_log}\n")
        return Exit.FAILED
    console.print(draw_next_steps(premises.destination, premises.data, deliveries))
    return Exit.OK


def _problems_of(delivery: Delivery) -> list[str]:
    run = delivery.run
    if run.state != "done":
        return [f"ended {run.state}: {run.error.message if run.error else run.reason}"]
    return delivery.problems if delivery.problems or delivery.files else ["no files"]
