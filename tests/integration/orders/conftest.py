"""A small Planet on a socket of its own, which misbehaves where a test tells it to."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import LocalLimiter
from planet_sdk.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
SCENES = {"PSScene/a.tif": b"a" * 40_000, "PSScene/b.tif": b"b" * 30_000, "PSScene/a_metadata.json": b"{}"}


class SmallPlanet:
    """Answers as Planet does; attributes say what it has, what it was asked, and how it misbehaves.

    Attributes:
        order: the one order it knows.
        states: what the next readings of the order say; the last one stays.
        files: body by result name.
        asked: (method, path, query) of every request.
        created: bodies of the POSTs that were taken.
        cut: how many bytes of a file to send before the connection is closed, once for each entry.
        refuse_links_before: links minted by readings before this one are refused.
        drop_replies: how many POSTs to take without answering.
        answers: (status, body) to give instead, by path.
        bodies_together: no scene is sent before so many were asked for at the same time.
        scenes_wait: set once two scenes were asked for.
    """

    def __init__(self) -> None:
        self.url = ""
        self.order: dict[str, Any] = {"id": ORDER_ID, "name": "n", "state": "success", "_links": {}}
        self.states: list[str] = []
        self.files: dict[str, bytes] = {}
        self.pages: list[list[dict[str, Any]]] = []
        self.next_of_last_page: str | None = None
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.created: list[Any] = []
        self.bodies: list[Any] = []
        self.ranges: defaultdict[str, list[str]] = defaultdict(list)
        self.cut: dict[str, list[int]] = {}
        self.readings = 0
        self.refuse_links_before = 0
        self.drop_replies = 0
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.bodies_together = 0
        self._open_bodies = 0
        self.scenes_wait = asyncio.Event()
        self._all_open = asyncio.Event()

    def deliver(
        self, files: dict[str, bytes], *, manifest: bool = True, listed: dict[str, bytes] | None = None
    ) -> None:
        """Offer these files, named below the order's id, and a manifest of them (or of those `listed`)."""
        self.files = {f"{ORDER_ID}/{name}": body for name, body in files.items()}
        if manifest:
            entries = [
                {"path": name, "size": len(body), "digests": {"sha256": hashlib.sha256(body).hexdigest()}}
                for name, body in (files if listed is None else listed).items()
            ]
            self.files[f"{ORDER_ID}/manifest.json"] = json.dumps({"name": "", "files": entries}).encode()

    def release(self) -> None:
        """Let the scenes go that wait for others."""
        self.bodies_together = 0
        self._all_open.set()

    def asked_paths(self) -> Counter[str]:
        return Counter(f"{method} {path}" for method, path, _ in self.asked)

    def results(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "delivery": "success",
                "location": f"{self.url}/download/?token={number}.{self.readings}",
                "expires_at": "2030-01-01T00:00:00.000Z",
            }
            for number, name in enumerate(self.files)
        ]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            query = parse_qs(parts.query)
            self.asked.append((method, parts.path, query))
            self.bodies.append(json.loads(body) if body else None)
            await self._answer(writer, method, parts.path, query, headers, self.bodies[-1])
        writer.close()

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        body: Any,
    ) -> None:
        if path in self.answers:
            status, text = self.answers[path]
            _write(writer, status, text)
        elif path == "/download/":
            self._redirect(writer, query["token"][0])
        elif path == "/storage":
            await self._send_file(writer, list(self.files)[int(query["file"][0])], headers.get("range"))
        elif (method, path) == ("POST", "/compute/ops/orders/v2"):
            self.created.append(body)
            if self.drop_replies:
                self.drop_replies -= 1
            else:
                _write_json(writer, 202, {**self.order, "state": "queued"})
        elif path == "/compute/ops/orders/v2":
            _write_json(writer, 200, self._page(int(query.get("page_marker", ["0"])[0])))
        elif path.endswith(f"/orders/v2/{ORDER_ID}"):
            _write_json(writer, 200, self._read_order() if method == "GET" else {**self.order, "state": "cancelled"})
        else:
            _write_json(writer, 200, {"path": path})
        await writer.drain()

    def _read_order(self) -> dict[str, Any]:
        self.readings += 1
        state = self.states.pop(0) if len(self.states) > 1 else next(iter(self.states), self.order["state"])
        return {**self.order, "state": state, "_links": {"results": self.results(), **self.order["_links"]}}

    def _page(self, number: int) -> dict[str, Any]:
        links: dict[str, Any] = {}
        if number + 1 < len(self.pages):
            links["next"] = f"{self.url}/compute/ops/orders/v2?page_marker={number + 1}"
        elif self.next_of_last_page:
            links["next"] = self.next_of_last_page
        return {"_links": links, "orders": self.pages[number]}

    def _redirect(self, writer: asyncio.StreamWriter, token: str) -> None:
        number, _, minted = token.partition(".")
        if int(minted) < self.refuse_links_before:
            _write(writer, 403, b"expired")
        else:
            _write(writer, 302, b"", Location=f"{self.url}/storage?file={number}")

    async def _send_file(self, writer: asyncio.StreamWriter, name: str, asked_range: str | None) -> None:
        body = self.files[name]
        start = int(asked_range.removeprefix("bytes=").partition("-")[0]) if asked_range else 0
        extra = {"ETag": f'"{hashlib.md5(body).hexdigest()}"', "Accept-Ranges": "bytes"}
        if asked_range:
            self.ranges[name].append(asked_range)
            extra["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        cut = self.cut.get(name) or []
        stop = start + cut.pop(0) if cut else len(body)
        if name.endswith(".tif"):
            await self._wait_for_the_others()
        _write(writer, 206 if asked_range else 200, body[start:stop], length=len(body) - start, **extra)

    async def _wait_for_the_others(self) -> None:
        self._open_bodies += 1
        if self._open_bodies > 1:
            self.scenes_wait.set()
        if self._open_bodies >= self.bodies_together:
            self._all_open.set()
        await asyncio.wait_for(self._all_open.wait(), 20)


def _write_json(writer: asyncio.StreamWriter, status: int, value: Any) -> None:
    _write(writer, status, json.dumps(value).encode())


def _write(writer: asyncio.StreamWriter, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def planet() -> AsyncIterator[SmallPlanet]:
    """A Planet with one finished order."""
    small = SmallPlanet()
    server = await asyncio.start_server(small.handle, "127.0.0.1", 0)
    small.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    small.deliver(SCENES)
    yield small
    small.release()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def session(planet: SmallPlanet) -> AsyncIterator[Session]:
    """A Session with that Planet, without rate limits and pauses."""
    retry = RetryPolicy(sleep=_no_sleep)
    async with Session(Auth.from_key("k"), limiter=LocalLimiter({}), retry=retry, base_url=planet.url) as open_session:
        yield open_session


@pytest.fixture
def orders(session: Session) -> OrdersClient:
    """A client of that Planet."""
    return OrdersClient(session, sleep=_no_sleep)
