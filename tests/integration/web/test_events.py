"""Server-sent events over real HTTP: what is told, to whom, and how a stream ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import OrderQueue, keys
from jobs.outcomes import Advance, Finish
from jobs.run import Stage, State
from tests.stage_rig import request
from tests.waiting import until
from tests.web_rig import served

from .conftest import Fleet

Said = dict[str, Any]


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(redis_url) as client:
        yield client


class Stream:
    """Events as a browser reads them."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_id = ""

    async def next(self) -> Said:
        """The next event's data."""
        async with asyncio.timeout(30):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                if name == "data":
                    said: Said = json.loads(value)
                    return said
        raise EOFError

    async def moves(self, count: int) -> list[tuple[str, str]]:
        said = [await self.next() for _ in range(count)]
        return [(each["run_id"], each["state"]) for each in said]


@asynccontextmanager
async def listening(web: httpx.AsyncClient, after: str = "", **params: str) -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": after} if after else {}
    async with web.stream("GET", "/v1/events", params=params, headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        lines = aiter(answer.aiter_lines())
        assert (await anext(lines)).startswith("retry: ")
        yield Stream(lines)


async def test_every_move_is_told_as_it_happens(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("before")
    async with listening(web) as stream:
        await fleet.submit("R1")
        await fleet.move("R1", Finish(State.FAILED, "see https://h/f?token=S3CRET"))

        assert await stream.moves(2) == [("R1", "queued"), ("R1", "creating")]
        last = await stream.next()
    assert (last["state"], last["stage"]) == ("failed", "create")
    assert "S3CRET" not in last["reason"]


async def test_who_comes_back_misses_nothing_and_hears_nothing_twice(web: httpx.AsyncClient, fleet: Fleet) -> None:
    async with listening(web) as stream:
        await fleet.submit("R1")
        assert await stream.moves(1) == [("R1", "queued")]
    for run_id in ("R2", "R3"):
        await fleet.submit(run_id)

    async with listening(web, after=stream.last_id) as again:
        await fleet.submit("R4")
        assert await again.moves(3) == [(run_id, "queued") for run_id in ("R2", "R3", "R4")]


async def test_one_run_or_one_batch_is_followed_alone(web: httpx.AsyncClient, fleet: Fleet) -> None:
    queue = OrderQueue(fleet.store)
    batch = await queue.submit_batch([request(name="a"), request(name="b")])
    in_batch = [run.run_id async for run in batch.runs()]
    await fleet.submit("R1")

    async with listening(web, run_id="R1") as one, listening(web, batch_id=batch.batch_id) as some:
        for run_id in (in_batch[0], "R1", in_batch[1]):
            await fleet.move(run_id, Advance(Stage.WAIT, "placed"))

        assert await one.moves(2) == [("R1", "creating"), ("R1", "waiting")]
        assert await some.moves(4) == [(run_id, state) for run_id in in_batch for state in ("creating", "waiting")]


async def test_a_listener_who_goes_leaves_nothing_behind(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """All of them share one connection that waits in Redis, which is given up with the last."""

    async def readers() -> int:
        return sum("b" in client["flags"] for client in await fleet.redis.client_list())

    async def one_reads() -> bool:
        return await readers() == 1

    async def nobody_reads() -> bool:
        return await readers() == 0

    async with listening(web), listening(web), listening(web):
        await until("one reads the events for all", one_reads)

    await until("nobody reads events any longer", nobody_reads)


async def test_one_who_does_not_read_is_let_go_and_holds_no_one_up(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """What waits for it is bounded; it comes back with the id of its last event."""
    reason = "x" * 10_000
    async with listening(web) as lazy, listening(web) as eager:

        async def flood() -> None:
            async with fleet.redis.pipeline(transaction=False) as pipe:
                for _ in range(1_500):
                    move = {"run_id": "R1", "state": "done", "stage": "validate", "reason": reason, "at": 1}
                    pipe.xadd(keys.EVENTS, move)  # type: ignore[arg-type]  # redis-py wants one type of value
                await pipe.execute()

        async def read(stream: Stream) -> int:
            count = 0
            try:
                while True:
                    await stream.next()
                    count += 1
            except EOFError:
                return count

        reading = asyncio.create_task(read(eager))
        for _ in range(3):
            await flood()
        heard = await read(lazy)
        assert heard < 4_500
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize(
    ("params", "after", "status"),
    [({"run_id": "nobody"}, "", 404), ({"batch_id": "nobody"}, "", 404), ({}, "yesterday", 422), ({}, "1-2-3", 422)],
)
async def test_what_cannot_be_followed_is_a_problem(
    web: httpx.AsyncClient, params: dict[str, str], after: str, status: int
) -> None:
    answer = await web.get("/v1/events", params=params, headers={"Last-Event-ID": after} if after else {})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_head_is_answered_and_ends(web: httpx.AsyncClient) -> None:
    assert (await web.head("/v1/events")).status_code == 200


async def test_a_server_that_stops_ends_its_streams(redis: ArqRedis, redis_url: str) -> None:
    async with AsyncExitStack() as running:
        web = await running.enter_async_context(served(redis_url))
        async with httpx.AsyncClient(base_url=web.base_url) as other, listening(other) as stream:
            await running.aclose()
            with pytest.raises(EOFError):  # a stream that is cut off is another error
                await stream.next()
