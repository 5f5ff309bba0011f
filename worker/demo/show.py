"""The demo from beginning to end: set up, submit, watch, verify, tell, clear away."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from arq.connections import ArqRedis
from rich.console import Console

from jobs.connection import connect
from jobs.handles import RunHandle
from jobs.queue import OrderQueue
from jobs.run import Run
from jobs.store import RunStore
from jobs.submission import Submission
from worker.board import add_progress, open_console
from worker.cli.exits import Exit
from worker.demo.fleet import Fleet, ask, start_fleet
from worker.demo.premises import Premises
from worker.demo.processes import DemoFailed
from worker.demo.proof import Delivery, bought_twice, tell_mishaps, verify_deliveries
from worker.demo.requests import build_requests
from worker.demo.view import View, draw_deliveries, draw_next_steps
from worker.fleet import WorkerView, read_fleet
from worker.wording import one_line, plural

_SHOW_S = 300  # for all orders; they need about half a minute
_LOOK_S = 0.25
_WIDE = 110  # columns, from which on order ids are shown whole


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
    except httpx.HTTPError as error:
        sys.stderr.write(f"Error: the demo failed. The simulator does not answer ({error}); see {premises.folder}\n")
        return Exit.FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; everything the demo had started is stopped.\n")
        return Exit.INTERRUPTED


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP are as orderly an end as Ctrl-C; from the first of them on, clearing away is not disturbed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_: object) -> None:
        for number in numbers:
            signal.signal(number, lambda *_: None)  # not SIG_IGN, which processes started later would inherit
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _show(premises: Premises, console: Console) -> int:
    with ExitStack() as running:
        view = View(console)
        view.say("Starting a private Valkey, a simulated Planet, two workers and a web page")
        fleet = start_fleet(premises, running)
        view.say(f"Web page: {fleet.web_url}   (while the demo runs)")
        view.say()
        began = monotonic()
        runs, workers = asyncio.run(_travel(fleet, view))
        took_s = monotonic() - began
        deliveries = asyncio.run(verify_deliveries(runs, premises.destination))
        report = ask("GET", f"{fleet.simulator_url}/_simulator/report")
    return _conclude(console, premises, deliveries, report, workers, took_s)


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
        view.update(add_progress(runs, workers), workers)
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
    console.print(draw_deliveries(deliveries, took_s, len(workers), wide=console.width >= _WIDE))
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
