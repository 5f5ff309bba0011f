"""The short way to Redis: it must notice what redis-py's longer way notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.connection import connect
from jobs.wire import open_pool
from tests.waiting import until

PONG = b"+PONG\r\n"


@dataclass
class Said:
    """A server that answers as a test says; it counts its connections."""

    answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
    connections: int = 0
    heard: bytearray = field(default_factory=bytearray)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while command := await reader.read(1 << 16):
                self.heard += command
                await self.answer(command, writer)
        except ConnectionError:
            pass  # the client has hung up
        finally:
            writer.transport.abort()

    async def stop(self) -> None:
        for each in self.serving:
            each.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


@asynccontextmanager
async def talk_to(server: Said, folder: Path, options: str = "") -> AsyncIterator[ArqRedis]:
    listening = await asyncio.start_unix_server(server.serve, folder / "s")
    redis = await connect(f"unix://{folder}/s{options}", retries=0)
    try:
        yield redis
    finally:
        await redis.aclose()
        listening.close()
        await server.stop()


def prompt() -> Any:
    """A connection that takes the short way, not made yet."""
    return open_pool({"host": "127.0.0.1"}).connection_class()


def the_idle_connection(redis: ArqRedis) -> Any:
    (connection,) = redis.connection_pool._available_connections
    return connection


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    async def answer(command: bytes, writer: asyncio.StreamWriter) -> None:
        name = command.split(b"\r\n")[-2]
        writer.write(PONG if name == b"PING" else b"$1\r\n1\r\n")
        if name == b"first":
            await writer.drain()
            writer.write(b"$5\r\nstray\r\n")

    server = Said(answer)
    async with talk_to(server, tmp_path) as redis:
        assert await redis.get("first") == b"1"
        idle = the_idle_connection(redis)
        await until("the stray answer", lambda: idle._reader._buffer or idle._parser._reader.has_data())
        assert await redis.get("second") == b"1"
    assert server.connections == 2


async def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used(tmp_path: Path) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(PONG)
        await writer.drain()
        writer.close()

    server = Said(answer)
    async with talk_to(server, tmp_path) as redis:
        await until("the end of the connection", the_idle_connection(redis)._reader.at_eof)
        assert await redis.ping()
    assert server.connections == 2


async def test_a_server_that_takes_nothing_more_is_given_up_after_the_time_set(tmp_path: Path) -> None:
    async def answer(command: bytes, writer: asyncio.StreamWriter) -> None:
        if b"PING" in command:
            writer.write(PONG)
        else:
            await asyncio.Event().wait()

    async with talk_to(Said(answer), tmp_path, "?socket_timeout=0.3") as redis:
        with pytest.raises(RedisTimeoutError, match="writing"):
            await redis.set("much", b"x" * 32_000_000)


async def test_a_server_that_does_not_answer_is_given_up_after_the_time_set(tmp_path: Path) -> None:
    async def answer(command: bytes, writer: asyncio.StreamWriter) -> None:
        if b"PING" in command:
            writer.write(PONG)

    async with talk_to(Said(answer), tmp_path, "?socket_timeout=0.3") as redis:
        with pytest.raises(RedisTimeoutError, match="reading"):
            await redis.get("it")


async def test_a_command_that_is_cancelled_leaves_no_answer_for_the_next(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def answer(command: bytes, writer: asyncio.StreamWriter) -> None:
        if b"slow" in command:
            await release.wait()
            writer.write(b"$4\r\nslow\r\n")
        else:
            writer.write(PONG if b"PING" in command else b"$4\r\nfast\r\n")

    server = Said(answer)
    async with talk_to(server, tmp_path) as redis:
        asking = asyncio.ensure_future(redis.get("slow"))
        await until("the command", lambda: b"slow" in server.heard)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        release.set()
        assert await redis.get("quick") == b"fast"


async def test_where_nobody_listens_there_is_a_connection_error(tmp_path: Path) -> None:
    redis = ArqRedis(open_pool({"host": "127.0.0.1", "port": 1}))
    with pytest.raises(RedisConnectionError):
        await redis.ping()
    await redis.aclose()


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "naïve"),
        ("CONFIG GET", "save"),
        (b"SCRIPT LOAD", "return 1"),
        ("SET", b"\x00\xff", 10**30),
        ("ZADD", "k", 1.5, float("inf")),
        ("SET", memoryview(b"seen")),
    ],
)
def test_a_command_is_written_as_redis_py_writes_it(command: tuple[str | bytes, ...]) -> None:
    assert b"".join(prompt().pack_command(*command)) == b"".join(Connection().pack_command(*command))


@pytest.mark.parametrize("value", [None, True, object(), ["list"]])
def test_what_is_no_argument_is_refused_as_redis_py_refuses_it(value: object) -> None:
    with pytest.raises(DataError, match="Invalid input of type"):
        prompt().pack_command("SET", "key", value)
