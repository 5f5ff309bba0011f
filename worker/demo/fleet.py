"""Starting the demo's fleet: a private Valkey, the simulator, and the Procfile's processes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from worker.demo.premises import Premises, find_free_port
from worker.demo.processes import Child, ProcfileManager, wait_until
from worker.demo.requests import FAULTS, SIZES
from worker.fleet import read_fleet

_WORKERS = 2
_API_KEY = "simulator-key"
_START_S = 60  # for each process, on a slow and busy machine
_ANSWER_S = 10
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


def start_fleet(premises: Premises, running: ExitStack) -> Fleet:
    """Start everything in order; what has been started ends with `running`, whatever happens."""
    valkey = running.enter_context(EmbeddedValkey(premises.data))
    simulator = running.enter_context(_start_simulator(premises))
    wait_until(simulator, "its address is known", lambda: _find_url(simulator) is not None, patience_s=_START_S)
    simulator_url = _find_url(simulator) or ""
    ask("POST", f"{simulator_url}/_simulator/faults", json=[dict(fault) for fault in FAULTS])
    port = find_free_port()
    manager = running.enter_context(_start_processes(premises, simulator_url, port))
    web_url = f"http://127.0.0.1:{port}/"
    wait_until(manager, "both workers report", partial(_have_reported, valkey.url), patience_s=_START_S)
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


def _start_processes(premises: Premises, simulator_url: str, port: int) -> ProcfileManager:
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


def _have_reported(redis_url: str) -> bool:
    async def count() -> int:
        redis = await connect(redis_url)
        try:
            return sum(worker.is_alive for worker in await read_fleet(redis))
        finally:
            await redis.aclose()

    return asyncio.run(count()) >= _WORKERS


def _answers(url: str) -> bool:
    try:
        ask("GET", url)
    except httpx.HTTPError:
        return False
    return True


def ask(method: str, url: str, **content: Any) -> Any:
    """The JSON that one of the demo's processes answers; no proxy is asked.

    Raises:
        httpx.HTTPError: it does not answer, or not with success.
    """
    answer = httpx.request(method, url, timeout=_ANSWER_S, trust_env=False, **content).raise_for_status()
    return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
