"""Long bodies are read past httpx, by a thread, and nobody can tell from what arrives."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path

import httpx
import pytest

from planet_sdk.auth import Auth
from planet_sdk.exceptions import RequestError, TransferCorrupt, TransferError, TransferIncomplete
from planet_sdk.retry import RetryPolicy
from planet_sdk.session import Session
from planet_sdk.straight_body import MIN_BYTES, StraightBody
from planet_sdk.transfer import Expected, transfer
from tests.integration.transport.conftest import KEY, lying, scene
from tests.integration.transport.origin import Behaviour, Origin
from tests.waiting import until

LONG = scene(MIN_BYTES + 3_000_001)
PROMISED = Expected(len(LONG), hashlib.sha256(LONG).hexdigest())
MIDDLE = 3_000_001


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, with its key, that nobody has signed."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command, to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    for_whom = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run([*command.split(), *for_whom, *files], check=True, capture_output=True)
    both = folder / "both"
    both.write_bytes((folder / "certificate").read_bytes() + (folder / "key").read_bytes())
    return both


@pytest.fixture(params=["http", "https"])
async def origin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    """A server with the file, whom every client made in the test trusts."""
    tls = None
    if request.param == "https":
        certificate: Path = request.getfixturevalue("certificate")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    async with Origin(tls=tls) as origin:
        origin.files["/scene.tif"] = LONG
        yield origin


@pytest.fixture
def address(origin: Origin) -> str:
    return f"{origin.url}/scene.tif"


@pytest.fixture
async def client(origin: Origin) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
async def patient(origin: Origin) -> AsyncIterator[Session]:
    """A session of the server that tries three times, without pauses."""
    policy = RetryPolicy(max_tries=3, draw=lambda: 0.0)
    async with Session(Auth.from_key(KEY), base_url=origin.url, retry=policy) as session:
        yield session


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """Check that the threads of transfers have ended."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("transfer")]


async def read(client: httpx.AsyncClient, address: str, body: bytearray) -> bool:
    """Add what arrives to the body; returns whether the rest of it was read straight."""
    async with client.stream("GET", address) as answer, aclosing(answer.aiter_raw()) as pieces:  # type: ignore[type-var]  # httpx promises less than it returns
        async for piece in pieces:
            body += piece
            if rest := StraightBody.rest_of(answer):
                await asyncio.to_thread(read_straight, rest, body)
                return True
    return False


def read_straight(rest: StraightBody, body: bytearray) -> None:
    with closing(rest):
        for piece in rest.pieces():
            body += piece


async def test_a_long_body_is_read_straight_and_arrives_byte_for_byte(client: httpx.AsyncClient, address: str) -> None:
    body = bytearray()
    assert await read(client, address, body)
    assert body == LONG


async def test_a_long_body_that_comes_in_chunks_is_left_to_httpx(
    client: httpx.AsyncClient, origin: Origin, address: str
) -> None:
    origin.always["/scene.tif"] = Behaviour(chunked=True)
    body = bytearray()
    assert not await read(client, address, body)
    assert body == LONG


async def test_an_answer_without_a_connection_is_left_to_httpx() -> None:
    """As from a transport that somebody else wrote."""
    answer = httpx.Response(200, headers={"Content-Length": str(len(LONG))}, request=httpx.Request("GET", "http://x"))
    assert StraightBody.rest_of(answer) is None


@pytest.mark.parametrize("origin", ["http"], indirect=True)
async def test_what_follows_the_body_is_not_taken_for_it(client: httpx.AsyncClient) -> None:
    """A server that says more than it announced, and holds the connection open, is not waited for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\n" % (len(LONG), LONG))
        await reader.read()  # until the client has closed
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        body = bytearray()
        assert await read(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", body)
    assert body == LONG


@pytest.mark.parametrize("arrived", [100, MIDDLE, len(LONG) - 1])
async def test_a_body_that_ends_early_gives_what_came_and_then_an_error(
    client: httpx.AsyncClient, origin: Origin, address: str, arrived: int
) -> None:
    origin.then("/scene.tif", Behaviour(cut_after=arrived))
    body = bytearray()
    with pytest.raises((RequestError, httpx.RemoteProtocolError)):
        await read(client, address, body)
    assert body == LONG[:arrived]


@pytest.mark.parametrize("origin", ["http"], indirect=True)
async def test_a_connection_that_is_reset_gives_what_came_and_then_an_error(client: httpx.AsyncClient) -> None:
    body, may_reset = bytearray(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(LONG), LONG[:MIDDLE]))
        await may_reset.wait()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        reading = asyncio.create_task(read(client, address, body))
        await until("what was sent arrived", lambda: len(body) == MIDDLE)
        may_reset.set()
        with pytest.raises(RequestError, match="ConnectionResetError"):
            await reading
    assert body == LONG[:MIDDLE]


async def test_silence_is_a_read_timeout(origin: Origin, address: str) -> None:
    origin.then("/scene.tif", Behaviour(stall_after=MIDDLE))
    body = bytearray()
    async with httpx.AsyncClient(timeout=httpx.Timeout(30, read=0.3)) as client:
        with pytest.raises((RequestError, httpx.ReadTimeout), match=r"(?i)timed out|timeout"):
            await read(client, address, body)
    assert body == LONG[: len(body)]


async def test_a_connection_is_closed_after_a_long_body_and_kept_after_a_short_one(
    client: httpx.AsyncClient, origin: Origin, address: str
) -> None:
    origin.files["/short.tif"] = LONG[:MIN_BYTES]

    assert not await read(client, f"{origin.url}/short.tif", bytearray())
    assert origin.connections == 1

    assert await read(client, address, bytearray())
    await until("the connection was closed", lambda: origin.connections == 0)


async def test_a_cancelled_transfer_keeps_what_came(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    """Also while the server says nothing, for whom the thread would wait for a minute."""
    origin.then("/scene.tif", Behaviour(stall_after=MIDDLE))
    fetching = asyncio.create_task(transfer(patient, address, tmp_path / "scene.tif", expected=PROMISED))
    await until("what was sent is on the disk", lambda: lying(tmp_path).get("scene.tif.part") == MIDDLE)

    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(fetching, 30)

    assert lying(tmp_path)["scene.tif.part"] == MIDDLE
    await transfer(patient, address, tmp_path / "scene.tif", expected=PROMISED)
    assert origin.ranges("/scene.tif") == [None, f"bytes={MIDDLE}-"]
    assert (tmp_path / "scene.tif").read_bytes() == LONG


@pytest.mark.parametrize("origin", ["http"], indirect=True)
async def test_a_cancelled_transfer_leaves_no_connection(patient: Session, tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(LONG), LONG[:MIDDLE]))
        await reader.read()  # until the client has closed
        closed.set()
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        fetching = asyncio.create_task(transfer(patient, address, tmp_path / "scene.tif"))
        await until("what was sent is on the disk", lambda: lying(tmp_path).get("scene.tif.part") == MIDDLE)
        fetching.cancel()
        await asyncio.wait([fetching])
        await until("the connection was closed", closed.is_set)


async def test_who_fails_when_told_of_progress_ends_the_transfer(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    origin.then("/scene.tif", Behaviour(stall_after=MIDDLE))

    def fail(here: int, _whole: int | None) -> None:
        if here == MIDDLE:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(transfer(patient, address, tmp_path / "scene.tif", progress=fail), 30)
    assert lying(tmp_path)["scene.tif.part"] == MIDDLE


async def test_progress_is_told_while_the_thread_reads(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    origin.then("/scene.tif", Behaviour(stall_after=MIDDLE))
    told: list[tuple[int, int | None]] = []
    fetching = asyncio.create_task(
        transfer(patient, address, tmp_path / "scene.tif", progress=lambda *what: told.append(what))
    )
    await until("the middle was told", lambda: (MIDDLE, len(LONG)) in told)
    fetching.cancel()
    await asyncio.wait([fetching])
    assert told == sorted(told)


async def test_a_long_file_cut_twice_is_carried_on_from_the_very_byte(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    origin.then("/scene.tif", Behaviour(cut_after=MIDDLE), Behaviour(cut_after=500_002))

    got = await transfer(patient, address, tmp_path / "scene.tif", expected=PROMISED)

    assert origin.ranges("/scene.tif") == [None, f"bytes={MIDDLE}-", f"bytes={MIDDLE + 500_002}-"]
    assert got.fetched_bytes == len(LONG)
    assert (tmp_path / "scene.tif").read_bytes() == LONG


async def test_a_long_file_that_is_always_cut_is_kept_to_its_last_byte(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    origin.then("/scene.tif", Behaviour(cut_after=MIDDLE), *[Behaviour(cut_after=0)] * 3)
    with pytest.raises(TransferIncomplete) as caught:
        await transfer(patient, address, tmp_path / "scene.tif")
    assert caught.value.got == MIDDLE
    assert lying(tmp_path)["scene.tif.part"] == MIDDLE


async def test_a_long_file_that_arrives_wrong_is_not_kept(patient: Session, address: str, tmp_path: Path) -> None:
    other = Expected(len(LONG), hashlib.sha256(b"other").hexdigest())
    with pytest.raises(TransferCorrupt):
        await transfer(patient, address, tmp_path / "scene.tif", expected=other)
    assert lying(tmp_path) == {}


async def test_a_range_that_is_longer_than_it_says_is_refused_before_it_is_there(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    (tmp_path / "scene.tif.part").write_bytes(LONG[:1_000])
    origin.always["/scene.tif"] = Behaviour(
        content_range=f"bytes 1000-{len(LONG) - 1}/{len(LONG)}",
        headers={"Content-Length": str(10**15)},
        stall_after=MIDDLE,
    )
    with pytest.raises(TransferCorrupt):
        await asyncio.wait_for(transfer(patient, address, tmp_path / "scene.tif", expected=PROMISED), 30)
    assert not (tmp_path / "scene.tif").exists()


async def test_a_disk_that_takes_no_more_is_a_transfer_error_and_ends_everything(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        with pytest.raises(TransferError, match="File too large"):
            await asyncio.wait_for(transfer(patient, address, tmp_path / "scene.tif", expected=PROMISED), 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert lying(tmp_path)["scene.tif.part"] == 2_000_000
    await until("the connection was closed", lambda: origin.connections == 0)


async def test_sixteen_silent_servers_leave_the_loop_its_threads(
    patient: Session, origin: Origin, address: str, tmp_path: Path
) -> None:
    """Bodies wait in threads of their own, so that look-ups of names and other files go on."""
    origin.always["/scene.tif"] = Behaviour(stall_after=MIDDLE)
    fetching = [asyncio.create_task(transfer(patient, address, tmp_path / str(number))) for number in range(16)]
    await until("all wait for more", lambda: list(lying(tmp_path).values()).count(MIDDLE) == 16)

    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 30) == "free"

    for task in fetching:
        task.cancel()
    await asyncio.wait(fetching)
