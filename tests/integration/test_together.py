"""Scripts that are sent together, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from jobs.connection import connect
from jobs.together import Together
from tests.redis_proxy import proxy_before

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
BREAK = "return redis.call('LPUSH', KEYS[1], ARGV[1])"


@pytest.fixture(autouse=True)
async def _nothing_stays(redis: ArqRedis) -> AsyncIterator[None]:
    yield
    await redis.flushdb()  # these keys are nobody's


async def test_each_asker_gets_the_answer_to_its_own_script(redis: ArqRedis) -> None:
    together, add = Together(redis), redis.register_script(ADD)
    asked = [together.run(add, keys=[f"n{number}"], args=[number]) for number in range(300)]
    assert await asyncio.gather(*asked) == list(range(300))


async def test_what_is_asked_for_in_one_turn_shares_few_connections(redis: ArqRedis) -> None:
    together, add = Together(redis), redis.register_script(ADD)
    await together.run(add, keys=["n"], args=[0])  # from here on the server knows the script
    before = int((await redis.info("stats"))["total_connections_received"])
    await asyncio.gather(*(together.run(add, keys=["n"], args=[1]) for _ in range(100)))
    after = int((await redis.info("stats"))["total_connections_received"])
    assert await redis.get("n") == b"100"
    assert after - before <= 100 / 5  # alone, each would have opened one


async def test_a_server_that_has_forgotten_the_script_runs_each_once(redis: ArqRedis) -> None:
    together, add = Together(redis), redis.register_script(ADD)
    await redis.script_flush()
    await asyncio.gather(*(together.run(add, keys=["n"], args=[1]) for _ in range(20)))
    assert await redis.get("n") == b"20"


async def test_a_script_that_fails_fails_for_its_asker_only(redis: ArqRedis) -> None:
    together, add, broken = Together(redis), redis.register_script(ADD), redis.register_script(BREAK)
    await redis.set("n", 1)
    asked = [together.run(script, keys=["n"], args=[1]) for script in (add, broken, add)]
    first, broke, last = await asyncio.gather(*asked, return_exceptions=True)
    assert {first, last} == {2, 3}  # the first goes alone, and may come later
    assert isinstance(broke, ResponseError)
    assert "WRONGTYPE" in str(broke)


async def test_an_asker_that_is_cancelled_takes_nobody_with_it(redis: ArqRedis) -> None:
    together, add = Together(redis), redis.register_script(ADD)
    asked = [asyncio.create_task(together.run(add, keys=["n"], args=[1])) for _ in range(5)]
    await asyncio.sleep(0)
    asked[1].cancel()  # the first has gone alone
    first, cancelled, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert await redis.get("n") == b"4"
    assert not any(isinstance(answer, BaseException) for answer in (first, *others))


async def test_where_the_connection_is_lost_all_askers_hear_of_it(redis: ArqRedis, valkey_socket: Path) -> None:
    async with proxy_before(valkey_socket) as proxy:
        away = await connect(proxy.url, retries=0)
        together, add = Together(away), away.register_script(ADD)
        proxy.cut_before += [add.sha.encode()] * 2  # of the first, which goes alone, and of the others
        asked = (together.run(add, keys=["n"], args=[1]) for _ in range(3))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await away.aclose()
    assert all(isinstance(answer, RedisConnectionError | OSError) for answer in answers)
    assert await redis.get("n") is None
