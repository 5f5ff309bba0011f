"""The fleet's request budget: several processes' limiters, one count in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from time import monotonic, time
from typing import cast

import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs import keys
from planet_sdk import Auth
from planet_sdk.limits import RequestKind
from tests.redis_proxy import proxy_before
from tests.waiting import until
from worker.budget import FleetLimiter, Limit, account_of, urgency_s

GET, LIST, OTHER = RequestKind.GET, RequestKind.LIST, RequestKind.OTHER
RATE = 20

MakeLimiter = Callable[..., FleetLimiter]


@pytest.fixture
async def limiter(redis: ArqRedis, redis_url: str) -> AsyncIterator[MakeLimiter]:
    """Makes the limiter of one more process."""
    async with AsyncExitStack() as stack:

        def make(owner: str, rate: float = RATE, account: str = "account", **options: int) -> FleetLimiter:
            connection = Redis.from_url(redis_url)
            limits = (Limit(max(1, int(rate)), max(1.0, 1 / rate)),)
            made = FleetLimiter(connection, account=account, owner=owner, rates={GET: limits, LIST: limits}, **options)
            stack.push_async_callback(connection.aclose)
            stack.push_async_callback(made.aclose)
            return made

        yield make


async def send(limiter: FleetLimiter, kind: RequestKind = GET) -> float:
    """Send a request that is over at once; returns when it departed."""
    async with limiter.slot(kind) as turn:
        departed_at = monotonic()
        assert turn
        turn.departed()
    return departed_at


def is_in_line(redis: ArqRedis, owner: str) -> Callable[[], object]:
    return lambda: redis.zscore(keys.budget("account", GET, "waiters"), owner)


async def pace(redis: ArqRedis) -> float:
    (known,) = await cast("Awaitable[list[bytes | None]]", redis.hmget(keys.budget("account", GET, "state"), ["pace"]))
    return float(known or 0)


async def test_no_second_sees_more_than_the_rate_however_many_processes_send(limiter: MakeLimiter) -> None:
    fleet = [limiter(f"p{number}") for number in range(4)]

    departures = sorted(await asyncio.gather(*(send(fleet[number % 4]) for number in range(2 * RATE + 5))))

    assert all(later - earlier > 1 for earlier, later in zip(departures, departures[RATE:], strict=False))


async def test_kinds_and_accounts_have_budgets_of_their_own(limiter: MakeLimiter) -> None:
    """While one kind waits for its turn, the same process's other kinds, and other accounts, do not."""
    one = limiter("p1", rate=0.01)
    await send(one)
    blocked = asyncio.create_task(send(one))

    await send(one, LIST)
    await send(limiter("p1", account="another"))

    assert not blocked.done()
    blocked.cancel()
    await asyncio.wait([blocked])


async def test_a_kind_without_a_rate_never_waits(limiter: MakeLimiter) -> None:
    async with limiter("p1").slot(OTHER) as turn:
        assert turn is None


async def test_what_follows_keeps_its_distance_from_the_departure_not_from_the_turn(limiter: MakeLimiter) -> None:
    """A request that leaves late, after a handshake say, does not meet the one behind it at the server."""
    first, second = limiter("p1", rate=1), limiter("p2", rate=1)
    async with first.slot(GET) as turn:
        waiting = asyncio.create_task(send(second))
        window_ends_at = monotonic() + 1.2
        await until("the turn is older than a window", lambda: monotonic() > window_ends_at)
        assert turn
        turn.departed()
        departed_at = monotonic()

    assert await waiting - departed_at > 1


async def test_a_turn_whose_request_never_left_is_the_next_ones(limiter: MakeLimiter) -> None:
    one = limiter("p1", rate=0.01)
    async with one.slot(GET):
        pass  # no connection, say

    async with asyncio.timeout(10):
        await send(limiter("p2", rate=0.01))


async def test_a_cancelled_wait_leaves_its_turn_to_the_next(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one, two = limiter("p1", rate=1), limiter("p2", rate=1)
    await send(one)
    cancelled = asyncio.create_task(send(one))
    await until("it stands in line", is_in_line(redis, "p1"))

    cancelled.cancel()

    await until("it has left the line", lambda: _is_gone(redis, "p1"))
    await send(two)


async def _is_gone(redis: ArqRedis, owner: str) -> bool:
    return await redis.zscore(keys.budget("account", GET, "waiters"), owner) is None


async def test_a_killed_process_does_not_hold_up_the_line(limiter: MakeLimiter, redis: ArqRedis) -> None:
    """What stands in line and does not come back for its turn is passed over."""
    await redis.zadd(keys.budget("account", GET, "waiters"), {"killed": 1})
    await redis.expire(keys.budget("account", GET, "waiters"), 60)

    async with asyncio.timeout(10):
        await send(limiter("p1"))


async def test_turns_are_given_in_the_order_of_asking(limiter: MakeLimiter, redis: ArqRedis) -> None:
    """Also between processes."""
    fleet = [limiter(f"p{number}", rate=5) for number in range(3)]
    for _ in range(5):
        await send(fleet[0])
    waiting = []
    for number, one in enumerate(fleet):
        waiting.append(asyncio.create_task(send(one)))
        await until("it stands in line", is_in_line(redis, f"p{number}"))

    departures = await asyncio.gather(*waiting)

    assert all(earlier < later for earlier, later in pairwise(departures))


async def test_the_urgent_go_first(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one, two = limiter("p1", rate=1), limiter("p2", rate=1)
    await send(one)
    patient = asyncio.create_task(send(one))
    await until("the patient one stands in line", is_in_line(redis, "p1"))
    urgency_s.set(60)
    urgent = asyncio.create_task(send(two))

    assert await urgent < await patient


async def test_a_refusal_pauses_the_whole_fleet_and_lowers_its_pace(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one, two = limiter("p1"), limiter("p2")
    await send(one)

    one.pause(GET, 1.5)
    refused_at = monotonic()
    await until("the refusal is known", lambda: pace(redis))

    assert await send(two) - refused_at > 1.4
    assert await pace(redis) == 0.8


async def test_refusals_of_one_moment_are_one(limiter: MakeLimiter, redis: ArqRedis) -> None:
    one = limiter("p1")
    for _ in range(5):
        one.pause(GET, 0.1)
    await until("the refusal is known", lambda: pace(redis))
    await send(one)

    assert await pace(redis) == 0.8


async def test_the_pace_recovers_when_refusals_stop(limiter: MakeLimiter, redis: ArqRedis) -> None:
    """A twentieth of the whole each second; here the refusal was twenty seconds ago."""
    one = limiter("p1", rate=1)
    await send(one)
    state = keys.budget("account", GET, "state")
    seconds, _ = await redis.time()
    known: dict[str | bytes, bytes | float | int | str] = {"pace": 0.1, "refused_at": (seconds - 20) * 1_000_000}
    await cast("Awaitable[int]", redis.hset(state, mapping=known))

    async with asyncio.timeout(8):  # at a tenth of the pace it would be ten seconds
        await send(one)


async def test_without_redis_each_process_keeps_to_its_share(unused_tcp_port: int) -> None:
    """It says so once, and goes on."""
    async with Redis.from_url(f"redis://127.0.0.1:{unused_tcp_port}") as nobody:
        alone = FleetLimiter(nobody, account="account", owner="p1", rates={GET: (Limit(2, 1),)})

        with capture_logs() as logs:
            departures = [await send(alone) for _ in range(3)]
        await alone.aclose()

    assert departures[2] - departures[0] > 1
    assert [entry["share"] for entry in logs if entry["log_level"] == "warning"] == ["1/1"]


async def test_what_is_sent_alone_and_what_follows_never_add_up_to_more_than_the_limit(
    redis: ArqRedis, valkey_socket: Path
) -> None:
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(proxy_before(valkey_socket)) for _ in range(2)]
        await redis.zadd(keys.WORKERS, {"w1": time() * 1000, "w2": time() * 1000})
        fleet = []
        for number, proxy in enumerate(proxies):
            connection = await stack.enter_async_context(Redis.from_url(proxy.url))
            limits = {GET: (Limit(RATE, 1),)}
            fleet.append(FleetLimiter(connection, account="account", owner=f"p{number}", rates=limits))
            stack.push_async_callback(fleet[-1].aclose)
        sent: list[float] = []

        async def send_on(limiter: FleetLimiter) -> None:
            while True:
                sent.append(await send(limiter))

        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(send_on(each)) for each in fleet for _ in range(RATE)]
            await until("both send", lambda: len(sent) > RATE)
            for proxy in proxies:
                proxy.refuses = True
                proxy.cut_all()
            before = len(sent)
            await until("both send on their own", lambda: len(sent) > before + RATE)
            for proxy in proxies:
                proxy.refuses = False
            with capture_logs() as logs:
                await until("both are back", lambda: len(logs) >= len(fleet))
            before = len(sent)
            await until("both send with the fleet again", lambda: len(sent) > before + 2 * RATE)
            for task in sending:
                task.cancel()

    assert all(later - earlier > 1 for earlier, later in zip(sent, sent[RATE:], strict=False))


async def test_who_waits_for_the_own_share_has_the_next_turn_of_the_fleet(redis: ArqRedis, valkey_socket: Path) -> None:
    async with (
        proxy_before(valkey_socket) as proxy,
        Redis.from_url(proxy.url) as connection,
        AsyncExitStack() as stack,
    ):
        limiter = FleetLimiter(connection, account="account", owner="p1", rates={GET: (Limit(1, 30),)})
        stack.push_async_callback(limiter.aclose)
        proxy.refuses = True
        waiting = [asyncio.create_task(send(limiter)) for _ in range(2)]
        await until("one was sent alone", lambda: any(task.done() for task in waiting))

        proxy.refuses = False
        async with asyncio.timeout(10):  # the own share would let it wait for half a minute
            await asyncio.gather(*waiting)


def test_an_account_is_counted_under_a_name_that_does_not_tell_its_key() -> None:
    one, another = (account_of("https://api.planet.com", Auth.from_key(key)) for key in ("PLAK1234", "PLAK1235"))
    assert one != another
    assert "PLAK" not in one


async def test_a_sustained_limit_holds_beside_the_burst(redis: ArqRedis) -> None:
    """Five at once are allowed, but not ten in two seconds."""
    limits = (Limit(5, 0.5), Limit(6, 2))
    one = FleetLimiter(redis, account="account", owner="p1", rates={GET: limits})

    departures = [await send(one) for _ in range(8)]
    await one.aclose()

    assert all(later - earlier > 0.5 for earlier, later in zip(departures, departures[5:], strict=False))
    assert all(later - earlier > 2 for earlier, later in zip(departures, departures[6:], strict=False))
