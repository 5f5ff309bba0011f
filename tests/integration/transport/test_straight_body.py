"""Long bodies are read past httpx, and nobody can tell from what arrives."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from planet_sdk.exceptions import TransferIncomplete
from planet_sdk.session import Session
from planet_sdk.straight_body import MIN_BYTES, raw_pieces
from planet_sdk.transfer import Expected, transfer
from tests.integration.transport.conftest import lying, scene
from tests.integration.transport.origin import Behaviour, Origin
from tests.waiting import until

LONG = scene(MIN_BYTES + 1_000_001)
PROMISED = Expected(len(LONG), hashlib.sha256(LONG).hexdigest())


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


@pytest.fixture
def address(storage: Origin) -> str:
    storage.files["/scene.tif"] = LONG
    return f"{storage.url}/scene.tif"


async def read(client: httpx.AsyncClient, address: str, into: bytearray | None = None) -> bytes:
    body = bytearray() if into is None else into
    async with client.stream("GET", address) as answer, aclosing(raw_pieces(answer)) as pieces:
        async for piece in pieces:
            body += piece
    return bytes(body)


async def test_a_long_body_arrives_byte_for_byte(client: httpx.AsyncClient, address: str) -> None:
    assert await read(client, address) == LONG


async def test_a_long_body_that_comes_in_chunks_is_left_to_httpx(
    client: httpx.AsyncClient, storage: Origin, address: str
) -> None:
    storage.always["/scene.tif"] = Behaviour(chunked=True)
    assert await read(client, address) == LONG


async def test_what_follows_the_body_is_not_taken_for_it(client: httpx.AsyncClient) -> None:
    """A server that says more than it announced, and holds the connection open, is not waited for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\n" % (len(LONG), LONG))
        await reader.read()  # until the client has closed
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await read(client, f"http://127.0.0.1:{port}/") == LONG


@pytest.mark.parametrize("arrived", [100, 1_000_001, len(LONG) - 1])
async def test_a_body_that_ends_early_gives_what_came_and_then_an_error(
    client: httpx.AsyncClient, storage: Origin, address: str, arrived: int
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=arrived))
    body = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        await read(client, address, body)
    assert body == LONG[:arrived]


async def test_silence_is_a_read_timeout(storage: Origin, address: str) -> None:
    storage.then("/scene.tif", Behaviour(stall_after=1_000_001))
    body = bytearray()
    async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=0.2)) as client:
        with pytest.raises(httpx.ReadTimeout):
            await read(client, address, body)
    assert body == LONG[: len(body)]


async def test_a_connection_is_closed_after_a_long_body_and_kept_after_a_short_one(
    client: httpx.AsyncClient, storage: Origin, address: str
) -> None:
    storage.files["/short.tif"] = LONG[:MIN_BYTES]

    await read(client, f"{storage.url}/short.tif")
    assert storage.connections == 1

    await read(client, address)
    await until("the connection was closed", lambda: storage.connections == 0)


async def test_a_long_body_left_in_its_middle_leaves_no_connection(client: httpx.AsyncClient) -> None:
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(LONG), LONG[:1_000_001]))
        await reader.read()  # until the client has closed
        closed.set()
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        reading = asyncio.create_task(read(client, address, body := bytearray()))
        await until("what was sent arrived", lambda: len(body) == 1_000_001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await until("the connection was closed", closed.is_set)


async def test_a_long_file_cut_twice_is_carried_on_from_the_very_byte(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.files["/scene.tif"] = LONG
    storage.then("/scene.tif", Behaviour(cut_after=300_001), Behaviour(cut_after=500_002))

    got = await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    assert storage.ranges("/scene.tif") == [None, "bytes=300001-", "bytes=800003-"]
    assert got.fetched_bytes == len(LONG)
    assert (tmp_path / "scene.tif").read_bytes() == LONG


async def test_a_long_file_that_is_always_cut_is_kept_to_its_last_byte(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.files["/scene.tif"] = LONG
    storage.then("/scene.tif", Behaviour(cut_after=1_000_001), *[Behaviour(cut_after=0)] * 5)
    with pytest.raises(TransferIncomplete) as caught:
        await transfer(session, link, tmp_path / "scene.tif")
    assert caught.value.got == 1_000_001
    assert lying(tmp_path)["scene.tif.part"] == 1_000_001


async def test_bytes_read_past_httpx_are_counted(session: Session, storage: Origin, address: str) -> None:
    async with session.stream("GET", address) as answer:
        async for _ in answer.aiter_raw():
            pass
    assert answer.num_bytes_downloaded == len(LONG)
