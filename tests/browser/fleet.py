"""A fleet for the pages to show: real processes on a private Valkey, and a simulated Planet."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from jobs.embedded import EmbeddedValkey
from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.processes import Processes, clean_environment
from tests.stage_rig import request
from tests.waiting import until


@dataclass
class Fleet:
    """Workers, and the web process, of whose HTTP API `api` is a client."""

    processes: Processes
    simulator: Simulator
    api: httpx.AsyncClient
    web: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return str(self.api.base_url).rstrip("/")

    async def submit(self, name: str, **more: Any) -> str:
        return await self.order(request(name=name, **more))

    async def order(self, request: dict[str, Any]) -> str:
        answer = await self.api.post("/v1/runs", json=request)
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    async def submit_batch(self, name: str, requests: list[dict[str, Any]]) -> str:
        answer = await self.api.post("/v1/batches", json={"name": name, "requests": requests})
        answer.raise_for_status()
        return str(answer.json()["batch_id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.api.get(f"/v1/runs/{run_id}")).json()
        return told

    async def reached(self, run_id: str, state: str) -> dict[str, Any]:
        """The run, as soon as it is in this state."""
        await until(f"{run_id} is {state}", partial(self._is, run_id, state), deadline_s=60)
        return await self.run(run_id)

    async def stop_web(self) -> None:
        self.web.terminate()
        await asyncio.to_thread(self.web.wait, 20)

    async def start_web(self) -> None:
        self.web = self.processes.start("web")
        await self.answers()

    async def answers(self) -> None:
        await until("the web process answers", self._answers, deadline_s=90)

    async def is_ready(self) -> bool:
        return (await self.api.get("/readyz")).status_code == httpx.codes.OK

    async def _is(self, run_id: str, state: str) -> bool:
        return bool((await self.run(run_id))["state"] == state)

    async def _answers(self) -> bool:
        try:
            return (await self.api.get("/healthz")).is_success
        except httpx.TransportError:
            return False


@asynccontextmanager
async def fleet_of_processes(
    folder: Path, settings: SimulatorSettings, workers: tuple[str, ...], **environment: str
) -> AsyncIterator[Fleet]:
    """The fleet at work, as long as the block runs."""
    port = _free_port()
    with Simulator(settings) as simulator, EmbeddedValkey(folder / "data"):
        known = {
            **clean_environment(),
            "PL_API_URL": simulator.url,
            "PL_API_KEY": simulator.api_key,
            "ORDERS_DATA_DIR": str(folder / "data"),
            "ORDERS_WEB_PORT": str(port),
        }
        processes = Processes(folder, known | environment)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
                for name in workers:
                    processes.start("worker", ORDERS_WORKER_NAME=name)
                fleet = Fleet(processes, simulator, api, processes.start("web"))
                await fleet.answers()
                await until("a worker is alive", fleet.is_ready, deadline_s=90)
                yield fleet
        finally:
            processes.kill_all()


def _free_port() -> int:
    """One that nobody listens on now, so that the web process can come back at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
