"""One browser, and one fleet of real processes, for all tests of the pages."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from jobs.embedded import EmbeddedValkey
from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.browser.chromium import Tab, chromium, tab
from tests.browser.program import NO_CHROMIUM, find_chromium
from tests.processes import Processes, clean_environment
from tests.stage_rig import request
from tests.waiting import until

expect.set_options(timeout=30_000)  # a busy machine is no failure
once = partial(pytest_asyncio.fixture, scope="session", loop_scope="session")

IN_BROWSER = pytest.mark.asyncio(loop_scope="session")
"""What every module of tests here is marked with: one browser and one fleet serve them all."""

Visit = Callable[..., AbstractAsyncContextManager[Tab]]

SIMULATED = SimulatorSettings(queued_s=0.3, running_s=0.5, rate_limits={}, scene_size_px=64)


@once()
async def browser() -> AsyncIterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    async with chromium(program) as browser:
        yield browser


@dataclass
class Fleet:
    """Real processes on a private Valkey: a worker, and the web process, of whose HTTP API `api` is a client."""

    processes: Processes
    simulator: Simulator
    api: httpx.AsyncClient
    web: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return str(self.api.base_url).rstrip("/")

    async def submit(self, name: str, **more: Any) -> str:
        answer = await self.api.post("/v1/runs", json=request(name=name, **more))
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.api.get(f"/v1/runs/{run_id}")).json()
        return told

    async def ended(self, run_id: str, state: str = "done") -> dict[str, Any]:
        await until(f"{run_id} is {state}", partial(self._is, run_id, state))
        return await self.run(run_id)

    async def _is(self, run_id: str, state: str) -> bool:
        return bool((await self.run(run_id))["state"] == state)

    async def stop_web(self) -> None:
        self.web.terminate()
        await asyncio.to_thread(self.web.wait, 20)

    async def start_web(self) -> None:
        self.web = self.processes.start("web")
        await until("the web process answers", self._answers, deadline_s=60)

    async def is_ready(self) -> bool:
        return (await self.api.get("/readyz")).status_code == httpx.codes.OK

    async def _answers(self) -> bool:
        try:
            return (await self.api.get("/healthz")).is_success
        except httpx.TransportError:
            return False


@once()
async def fleet(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    port = free_port()
    with Simulator(SIMULATED) as simulator, EmbeddedValkey(folder / "data"):
        processes = Processes(folder, environment_of(folder, simulator, port))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
                processes.start("worker", ORDERS_WORKER_NAME="atlas")
                fleet = Fleet(processes, simulator, api, processes.start("web"))
                await until("the web process answers", fleet._answers, deadline_s=90)
                await until("a worker is alive", fleet.is_ready, deadline_s=90)
                yield fleet
        finally:
            processes.kill_all()


def environment_of(folder: Path, simulator: Simulator, port: int) -> dict[str, str]:
    return {
        **clean_environment(),
        "PL_API_URL": simulator.url,
        "PL_API_KEY": simulator.api_key,
        "ORDERS_DATA_DIR": str(folder / "data"),
        "ORDERS_WEB_PORT": str(port),
        "ORDERS_HEALTH_INTERVAL_S": "0.5",
        "ORDERS_WAIT_CHECK_MIN_S": "0.1",
        "ORDERS_SETTLE_S": "1",
    }


def free_port() -> int:
    """One that nobody listens on now, so that the web process can come back at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def visit(browser: Browser, fleet: Fleet) -> Visit:
    """Opens a tab on the fleet's pages, with options of the browser's context."""
    return partial(tab, browser, fleet.address)
