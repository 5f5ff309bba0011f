"""Real worker processes on the private Valkey of a data folder, and a simulated Planet."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue
from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from jobs.store import RunStore
from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.processes import Processes, clean_environment
from tests.waiting import until
from worker.fleet import WorkerView, read_fleet


@dataclass
class Desk:
    """A fleet of processes, the producer's queue to it, and the simulated Planet behind it."""

    processes: Processes
    queue: OrderQueue
    simulator: Simulator

    @property
    def destination(self) -> Path:
        return self.processes.folder / "orders"

    async def start_worker(self, name: str, **settings: str) -> subprocess.Popen[bytes]:
        process = self.processes.start("worker", ORDERS_WORKER_NAME=name, **settings)
        await until(f"{name} is alive", lambda: self.worker(name), deadline_s=90)
        return process

    async def worker(self, name: str) -> WorkerView | None:
        fleet = await read_fleet(self.queue.store.redis)
        return next((worker for worker in fleet if worker.name == name and worker.is_alive), None)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(queued_s=0.1, running_s=0.1, rate_limits={}, scene_size_px=32)) as simulator:
        yield simulator


@pytest.fixture
async def desk(tmp_path: Path, simulator: Simulator) -> AsyncIterator[Desk]:
    environment = {
        **clean_environment(),
        "PL_API_URL": simulator.url,
        "PL_API_KEY": simulator.api_key,
        "ORDERS_DATA_DIR": str(tmp_path / "data"),
        "ORDERS_LEASE_S": "2",
        "ORDERS_HEALTH_INTERVAL_S": "0.5",
        "ORDERS_WAIT_CHECK_MIN_S": "0.1",
        "ORDERS_SETTLE_S": "1",
    }
    processes = Processes(tmp_path, environment)
    with ExitStack() as stack:
        stack.callback(processes.kill_all)
        valkey = stack.enter_context(EmbeddedValkey(tmp_path / "data"))
        redis: ArqRedis = await connect(valkey.url)
        yield Desk(processes, OrderQueue(RunStore(redis)), simulator)
        await redis.aclose()
