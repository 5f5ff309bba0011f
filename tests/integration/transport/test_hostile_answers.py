"""Answers that are made to do harm end in an error of this package, soon, and without filling memory or disk."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from planet_sdk.exceptions import AnswerTooLarge, APIError, ClientError, PlanetError, RequestError
from planet_sdk.session import Session
from planet_sdk.transfer import transfer
from tests.integration.transport.conftest import lying
from tests.integration.transport.origin import Behaviour, Origin

MIB = 1024 * 1024
GZIP = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
BOMB = gzip.compress(bytes(128 * MIB))
ID = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "body", [BOMB, gzip.compress(b"[" + b"1234567," * (9 * MIB) + b"1]", 1)], ids=["bomb", "long text"]
)
async def test_a_short_answer_that_becomes_a_long_one_is_refused_by_name(
    body: bytes, session: Session, api: Origin
) -> None:
    api.always["/orders"] = Behaviour(status=200, headers=GZIP, body=body)

    with pytest.raises(AnswerTooLarge):
        await session.request("GET", f"{api.url}/orders")
    assert api.count("/orders") == 1


async def test_an_error_that_becomes_a_long_one_is_cut_off(session: Session, api: Origin) -> None:
    api.always["/orders"] = Behaviour(status=400, headers=GZIP, body=BOMB)

    with pytest.raises(APIError) as caught:
        await session.request("GET", f"{api.url}/orders")
    assert len(caught.value.body) == 64 * 1024


async def test_a_file_that_was_sent_as_a_bomb_does_not_fill_the_disk(
    session: Session, api: Origin, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.files["/scene.tif"] = BOMB
    storage.always["/scene.tif"] = Behaviour(headers=GZIP)

    with pytest.raises(AnswerTooLarge):
        await transfer(session, link, tmp_path / "scene.tif")
    assert sum(lying(tmp_path).values()) < 65 * MIB


async def test_a_compressed_answer_that_ends_early_is_no_answer(session: Session, api: Origin) -> None:
    api.always["/x"] = Behaviour(status=200, headers=GZIP, body=gzip.compress(b'{"a": 1}' + b" " * 9_999)[:-9])

    with pytest.raises(RequestError, match="ended early"):
        await session.request("GET", f"{api.url}/x")


async def test_an_answer_is_asked_for_in_encodings_that_are_undone(session: Session, api: Origin) -> None:
    api.always["/x"] = Behaviour(status=200, headers=GZIP, body=gzip.compress(b'{"a": 1}'))

    assert (await session.request("GET", f"{api.url}/x")).json() == {"a": 1}
    assert api.seen[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("content", [math.nan, {"a": math.inf}, "\ud800", {"a": object()}, {1, 2}])
async def test_what_cannot_be_written_as_json_is_not_sent(content: Any, session: Session, api: Origin) -> None:
    with pytest.raises(ClientError, match="cannot be written"):
        await session.request("POST", f"{api.url}/orders", json=content)
    assert api.seen == []


async def test_what_is_nested_without_end_is_not_sent(session: Session, api: Origin) -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ClientError, match="cannot be written"):
        await session.request("POST", f"{api.url}/orders", json=endless)
    assert api.seen == []


@pytest.mark.parametrize("name", ["X-A", "X-A\r\nX-B"])
async def test_no_line_break_gets_into_a_header(name: str, session: Session, api: Origin) -> None:
    with pytest.raises(ClientError):
        async with session.stream("GET", f"{api.url}/x", headers={name: "1\r\nX-C: 2"}):
            pass
    assert api.seen == []


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """A server that says this to whatever it is asked, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -1",
        b"Content-Length: " + b"9" * 5_000,
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nTransfer-Encoding: gzip",
        b"Transfer-Encoding: chunked",
        b"X: " + b"x" * 1_000_000,
        b"\r\n".join(b"X-%d: x" % number for number in range(20_000)),
        b"X: a\nb\x00c",
        b"X: \xff\xfe\r\n Y",
        b"no header",
        b"Content-Length: 2\r\nLocation: \x7f\xff",
        b"Content-Encoding: " + b"gzip, " * 5_000 + b"gzip",
        b"Content-Type: application/json; charset=" + b"u" * 10_000,
        b"Retry-After: " + b"9" * 5_000,
        b"Content-Length: 2\r\nContent-Range: bytes 0-1/" + b"9" * 5_000,
        b"Content-Length: 2\r\nETag: " + b'"' * 60_000,
    ],
    ids=lambda head: head[:60].decode("latin-1"),
)
@pytest.mark.parametrize(
    "status", [b"200 OK", b"206 Partial", b"302 Found", b"416 Range", b"503 Busy", b"99999 X", b"x"]
)
async def test_headers_that_make_no_sense_end_in_an_answer_or_an_error_of_this_package(
    status: bytes, head: bytes, session: Session, tmp_path: Path
) -> None:
    async with raw_server(b"HTTP/1.1 " + status + b"\r\n" + head + b"\r\n\r\n{}") as url:
        for ask in (session.request("GET", url), transfer(session, url, tmp_path / "scene.tif")):
            with suppress(PlanetError):
                await ask


ODD: list[Any] = [None, [], {}, "x", 7, -1, True, 1.5, "\ud800", {"a": [None]}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_an_order_of_odd_types_is_delivered_or_refused(
    odd: Any, session: Session, api: Origin, tmp_path: Path
) -> None:
    """Whatever stands where something else belongs, what comes out is a list of files or an error of this package."""
    orders = session.client("orders")
    good = {"name": f"{ID}/a.tif", "location": f"{api.url}/a.tif", "expires_at": "2999-01-01T00:00:00Z"}
    whole = {"id": ID, "state": "success", "_links": {"results": [good]}}
    api.files["/a.tif"] = b"a"
    shapes = [
        odd,
        *({**whole, key: odd} for key in whole),
        {**whole, "_links": {"results": odd}},
        {**whole, "_links": {"results": [odd]}},
        *({**whole, "_links": {"results": [{**good, key: odd}]}} for key in good),
    ]
    for number, shape in enumerate(shapes):
        body = json.dumps(shape).encode()
        api.always[f"/compute/ops/orders/v2/{ID}"] = Behaviour(status=200, body=body)
        api.always["/compute/ops/orders/v2"] = Behaviour(status=200, body=body)
        with suppress(PlanetError):
            await orders.download_order(ID, tmp_path / str(number))
        for page in (
            shape,
            {"orders": shape},
            {"orders": [], "_links": shape},
            {"orders": [], "_links": {"next": odd}},
        ):
            api.always["/compute/ops/orders/v2"] = Behaviour(status=200, body=json.dumps(page).encode())
            with suppress(PlanetError):
                [order async for order in orders.list_orders()]
