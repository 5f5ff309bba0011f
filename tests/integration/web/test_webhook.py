"""Planet's calls over real HTTP: what they move, and that nothing else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.outcomes import Park
from jobs.parked import ParkedRuns
from tests.waiting import until
from tests.web_rig import served

from .conftest import Fleet

SECRET = "planted-secret-of-the-webhook"
PATH = f"/webhooks/planet/{SECRET}"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
FAR = 3600.0


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(redis_url, webhook_secret=SECRET) as client:
        yield client


async def due(fleet: Fleet) -> list[str]:
    """The runs that are to be looked at now."""
    return [run.run_id for run in await ParkedRuns(fleet.redis).due(10)]


@pytest.fixture
async def parked(fleet: Fleet) -> str:
    """The id of a run whose order is not to be looked at for an hour."""
    await fleet.submit("R1")
    await fleet.move("R1", Park(FAR, "order placed", {"order_id": ORDER_ID}))
    await fleet.redis.set(keys.order(ORDER_ID), "R1", px=60_000)
    assert await due(fleet) == []
    return "R1"


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": ORDER_ID, "items": [{"name": "a.tif", "delivery": "success", "location": "?token=t"}]},
        {"id": ORDER_ID, "state": "success", "_links": {"results": []}},
    ],
    ids=["items", "the whole order"],
)
async def test_a_call_has_the_order_looked_at_now(
    web: httpx.AsyncClient, fleet: Fleet, parked: str, body: dict[str, Any]
) -> None:
    """In either of the forms that Planet has documented; the run itself moves only by what the order says."""
    before = await fleet.store.get(parked)

    answer = await web.post(PATH, json=body)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await due(fleet) == [parked]
    assert await fleet.store.get(parked) == before


async def test_a_hundred_calls_for_one_order_are_one_look(web: httpx.AsyncClient, fleet: Fleet, parked: str) -> None:
    calls = [web.post(PATH, json={"order_id": ORDER_ID, "items": []}) for _ in range(100)]
    statuses = {answer.status_code for answer in await asyncio.gather(*calls)}

    assert 204 in statuses <= {204, 429}
    assert await due(fleet) == [parked]


async def test_an_order_that_nobody_waits_for_is_passed_over(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """One that is not ours, and one whose run has moved on: a replay."""
    await fleet.submit("R2")
    await fleet.redis.set(keys.order(ORDER_ID), "R2", px=60_000)

    for order_id in (ORDER_ID, str(uuid4())):
        assert (await web.post(PATH, json={"order_id": order_id})).status_code == 204
    assert await fleet.redis.zcard(keys.WATCH) == 0


@pytest.mark.parametrize("path", ["/webhooks/planet/wrong", f"{PATH}x", PATH[:-1], PATH.upper(), f"{PATH}%00"])
async def test_a_wrong_secret_is_answered_as_an_address_that_does_not_exist(
    web: httpx.AsyncClient, fleet: Fleet, parked: str, path: str
) -> None:
    """Whatever the body is; and nothing of the secret comes back."""
    nowhere = (await web.post("/webhooks/nowhere", json={})).json()
    for body in (json.dumps({"order_id": ORDER_ID}).encode(), b"{", b"x" * 5_000_000):
        answer = await web.post(path, content=body)

        assert answer.status_code == 404
        assert {**answer.json(), "instance": ""} == {**nowhere, "instance": ""}
        assert SECRET[:-1] not in answer.text
    assert await due(fleet) == []


async def test_without_a_secret_no_call_is_taken(redis_url: str, fleet: Fleet, parked: str) -> None:
    async with served(redis_url) as web:
        for path in (PATH, "/webhooks/planet/-", "/webhooks/planet/%20"):
            assert (await web.post(path, json={"order_id": ORDER_ID})).status_code == 404
    assert await due(fleet) == []


GARBAGE = {
    "nothing": b"",
    "no text": bytes(range(256)),
    "half": b'{"order_id": ',
    "a list": b"[]",
    "deep lists": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 500_000,
    "no id": b"{}",
    "an id of another kind": b'{"order_id": {"a": [1]}}',
    "an id that is no UUID": b'{"order_id": "../../etc/passwd"}',
    "a key of another's": b'{"order_id": "2887c43b-26be-4bec-8efe-cb9e94f0ef3d\\n"}',
    "half a character": b'{"order_id": "\\ud800"}',
    "a long number": b'{"order_id": ' + b"9" * 10_000 + b"}",
    "no number": b'{"order_id": NaN}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_a_bad_request(web: httpx.AsyncClient, fleet: Fleet, parked: str, body: bytes) -> None:
    answer = await web.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert SECRET not in answer.text
    assert await due(fleet) == []


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536


async def test_a_body_without_end_is_not_read_to_its_end(web: httpx.AsyncClient) -> None:
    try:
        answer = await web.post(PATH, content=endless())
    except httpx.NetworkError:  # the answer may be lost on a sender that does not listen
        return
    assert answer.status_code == 413


async def test_senders_that_stall_do_not_keep_the_others_out(web: httpx.AsyncClient, fleet: Fleet, parked: str) -> None:
    """With as many of them as bodies are read at a time, the next is told to come later; when they go, it is heard."""
    host, port = web.base_url.host, web.base_url.port
    stalled = []
    for _ in range(8):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        stalled.append(writer)

    async def call() -> int:
        return (await web.post(PATH, json={"order_id": ORDER_ID})).status_code

    async def is_refused() -> bool:
        return await call() == 429

    async def is_heard() -> bool:
        return await call() == 204

    await until("a ninth call is refused", is_refused)
    for writer in stalled:
        writer.close()
    await until("a call is heard again", is_heard)
    assert await due(fleet) == [parked]


async def test_only_a_post_is_answered(web: httpx.AsyncClient) -> None:
    for path in (PATH, "/webhooks/planet/wrong"):
        answer = await web.get(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert SECRET not in answer.text
