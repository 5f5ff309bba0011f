"""How many files a fleet fetches at once: several processes' limiters, one count in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs import keys
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import RequestKind
from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.stage_rig import request
from tests.waiting import until
from worker.budget import FleetLimiter, urgency_s
from worker.budget.turns import UNUSED_S

BODY = RequestKind.BODY
PENDING = keys.budget("account", BODY, "pending")

MakeLimiter = Callable[..., FleetLimiter]


@pytest.fixture
async def limiter(redis: ArqRedis, redis_url: str) -> AsyncIterator[MakeLimiter]:
    """Makes the limiter of one more process, of a fleet with two places."""
    async with AsyncExitStack() as stack:

        def make(owner: str, number: int = 2) -> FleetLimiter:
            connection = Redis.from_url(redis_url)
            made = FleetLimiter(connection, account="account", owner=owner, rates={}, max_bodies=number)
            stack.push_async_callback(connection.aclose)
            stack.push_async_callback(made.aclose)
            return made

        yield make


class Reader:
    """Reads bodies until it is told to stop."""

    def __init__(self, limiter: FleetLimiter) -> None:
        self.limiter, self.may_end, self.reading = limiter, asyncio.Event(), 0

    async def read(self) -> None:
        async with self.limiter.slot(BODY):
            self.reading += 1
            await self.may_end.wait()
            self.reading -= 1


async def test_a_fleet_holds_no_more_places_than_there_are(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one, two = Reader(limiter("p1")), Reader(limiter("p2"))
    first = [asyncio.create_task(one.read()) for _ in range(2)]
    await until("both places are held", lambda: one.reading == 2)
    others = [asyncio.create_task(two.read()) for _ in range(2)]
    await until("the other stands in line", lambda: redis.zscore(keys.budget("account", BODY, "waiters"), "p2"))
    assert two.reading == 0

    one.may_end.set()
    await until("the other has them", lambda: two.reading == 2)
    assert one.reading == 0
    two.may_end.set()
    await asyncio.gather(*first, *others)


async def test_the_urgent_have_the_next_place(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one, patient, urgent = (Reader(limiter(name, 1)) for name in ("p1", "p2", "p3"))
    tasks = [asyncio.create_task(one.read())]
    await until("the place is held", lambda: one.reading)
    tasks.append(asyncio.create_task(patient.read()))
    await until("it stands in line", lambda: redis.zscore(keys.budget("account", BODY, "waiters"), "p2"))
    urgency_s.set(60)
    tasks.append(asyncio.create_task(urgent.read()))
    await until("so does the other", lambda: redis.zscore(keys.budget("account", BODY, "waiters"), "p3"))

    one.may_end.set()

    await until("one of them has it", lambda: patient.reading + urgent.reading)
    assert (patient.reading, urgent.reading) == (0, 1)
    urgent.may_end.set()
    patient.may_end.set()
    await asyncio.gather(*tasks)


async def test_a_place_that_is_held_for_long_is_kept(limiter: MakeLimiter, redis: ArqRedis) -> None:
    reader = Reader(limiter("p1"))
    reading = asyncio.create_task(reader.read())
    await until("a place is held", lambda: reader.reading)
    ((place, taken_at),) = await redis.zrange(PENDING, 0, -1, withscores=True)

    async def was_kept() -> bool:
        return bool((await redis.zscore(PENDING, place) or 0) > taken_at)

    await until("it was kept", was_kept)
    reader.may_end.set()
    await reading
    await until("it was given back", lambda: _is_free(redis))


async def _is_free(redis: ArqRedis) -> bool:
    return bool(await redis.zcard(PENDING) == 0)


async def test_the_places_of_a_killed_process_are_given_to_others(limiter: MakeLimiter, redis: ArqRedis) -> None:
    killed = Reader(limiter("killed"))
    tasks = [asyncio.create_task(killed.read()) for _ in range(2)]
    await until("both places are held", lambda: killed.reading == 2)
    seconds, _ = await redis.time()
    long_ago = (seconds - UNUSED_S - 1) * 1_000_000
    await redis.zadd(PENDING, dict.fromkeys(await redis.zrange(PENDING, 0, -1), long_ago))

    other = Reader(limiter("p2"))
    tasks.append(asyncio.create_task(other.read()))

    await until("the other has a place", lambda: other.reading)
    killed.may_end.set()
    other.may_end.set()
    await asyncio.gather(*tasks)


async def test_without_redis_each_process_keeps_to_its_share(tmp_path: Path) -> None:
    async with Redis(unix_socket_path=str(tmp_path / "nobody"), single_connection_client=False) as nobody:
        alone = FleetLimiter(nobody, account="account", owner="p1", rates={}, max_bodies=2)
        reader = Reader(alone)
        with capture_logs() as logs:
            tasks = [asyncio.create_task(reader.read()) for _ in range(3)]
            await until("as many read as may", lambda: reader.reading == 2)
        assert [entry["share"] for entry in logs if entry["log_level"] == "warning"] == ["1/1"]
        reader.may_end.set()
        await asyncio.gather(*tasks)
        await alone.aclose()


async def test_downloads_of_all_sessions_share_the_places(
    limiter: MakeLimiter, redis: ArqRedis, tmp_path: Path
) -> None:
    settings = SimulatorSettings(queued_s=0, running_s=0, rate_limits={}, scene_size_px=32)
    async with Simulator(settings) as simulator, AsyncExitStack() as stack:
        clients = [
            OrdersClient(
                await stack.enter_async_context(
                    Session(Auth.from_key(simulator.api_key), limiter=limiter(name), base_url=simulator.url)
                )
            )
            for name in ("p1", "p2", "p3")
        ]
        order_id = (await clients[0].create_order(request()))["id"]
        await clients[0].wait(order_id, delay=0)
        simulator.stall_body("*", after_bytes=10, times=None)
        downloads = [
            asyncio.create_task(client.download_order(order_id, tmp_path / str(number)))
            for number, client in enumerate(clients)
        ]

        async def one_waits() -> bool:
            waiting = await redis.zcard(keys.budget("account", BODY, "waiters"))
            return bool(waiting == 1 and simulator.report().open_bodies_peak >= 2)

        await until("two read, and one stands in line", one_waits)
        assert simulator.report().open_bodies_peak == 2
        for download in downloads:
            download.cancel()
        await asyncio.wait(downloads)
