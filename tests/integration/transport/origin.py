"""An HTTP origin that can misbehave: raw asyncio, so that every byte and every close is chosen by the test."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass
class Behaviour:
    """How one request is answered; the defaults are those of a good server."""

    status: int | None = None  # an answer without the file
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    redirect: str | None = None
    drop: bool = False  # the request is taken, the connection closed without an answer
    cut_after: int | None = None  # body bytes, then the connection is closed
    stall_after: int | None = None  # body bytes, then silence
    corrupt: bool = False  # the right number of wrong bytes
    chunked: bool = False  # no Content-Length
    extra: bytes = b""  # sent after the file, only sensible with chunked
    ranges: bool = True
    content_range: str | None = None
    etag: str | None = "strong"  # "strong": made of the content; None: no validator at all
    wait_for: asyncio.Event | None = None  # before the body is sent


class Origin:
    """Serves `files` by path, remembers what was asked, and behaves as `then` says, first come, first served."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self._tls = tls
        self.files: dict[str, bytes] = {}
        self.seen: list[Seen] = []
        self.bodies_open = 0
        self.bodies_peak = 0
        self.always: dict[str, Behaviour] = {}
        self._next: defaultdict[str, deque[Behaviour]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def then(self, path: str, *behaviours: Behaviour) -> None:
        """Answer the next requests for the path so, one each."""
        self._next[path].extend(behaviours)

    def forget_plans(self) -> None:
        """Be a good server from here on."""
        self._next.clear()

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range headers that were asked for the path."""
        return [seen.headers.get("range") for seen in self.seen if seen.path == path]

    def count(self, path: str) -> int:
        """Return how many requests came for the path."""
        return len(self.ranges(path))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(method, target, headers, body)
        self.seen.append(seen)
        waiting = self._next[seen.path]
        how = waiting.popleft() if waiting else self.always.get(seen.path, Behaviour())
        if how.drop:
            return False
        if how.redirect:
            return await _send(writer, 302, {"Location": how.redirect, **how.headers}, how.body, how)
        if how.status or seen.path not in self.files:
            return await _send(writer, how.status or 404, how.headers, how.body, how)
        return await self._send_file(writer, seen, how)

    async def _send_file(self, writer: asyncio.StreamWriter, seen: Seen, how: Behaviour) -> bool:
        whole = self.files[seen.path]
        headers = {"Accept-Ranges": "bytes"}
        etag = f'"{hashlib.md5(whole).hexdigest()}"' if how.etag == "strong" else how.etag
        if etag:
            headers["ETag"] = etag
        start = _start(seen, etag or how.headers.get("Last-Modified")) if how.ranges else None
        if start is not None and start >= len(whole):
            return await _send(writer, 416, {"Content-Range": f"bytes */{len(whole)}"}, b"", Behaviour())
        status = 200 if start is None else 206
        if start is not None:
            headers["Content-Range"] = how.content_range or f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        self.bodies_open += 1
        self.bodies_peak = max(self.bodies_peak, self.bodies_open)
        try:
            body = bytes(byte ^ 1 for byte in whole) if how.corrupt else whole
            return await _send(writer, status, {**headers, **how.headers}, body[start or 0 :], how)
        finally:
            self.bodies_open -= 1


def _start(seen: Seen, validator: str | None) -> int | None:
    match = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
    if not match or seen.headers.get("if-range", validator) != validator:
        return None
    return int(match[1])


async def _send(
    writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes, how: Behaviour
) -> bool:
    framing = {"Transfer-Encoding": "chunked"} if how.chunked else {"Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in {**framing, **headers}.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    await writer.drain()
    if how.wait_for:
        await how.wait_for.wait()
    stop = how.cut_after if how.cut_after is not None else how.stall_after
    await _send_body(writer, body if stop is None else body[:stop], how)
    if how.stall_after is not None:
        await asyncio.Event().wait()
    if how.cut_after is not None:
        writer.close()  # what was sent arrives, and then the end
        await writer.wait_closed()
        return False
    if how.chunked:
        await _send_body(writer, how.extra, how)
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _send_body(writer: asyncio.StreamWriter, body: bytes, how: Behaviour) -> None:
    frame: Callable[[bytes], bytes] = (lambda piece: b"%x\r\n%s\r\n" % (len(piece), piece)) if how.chunked else bytes
    for offset in range(0, len(body), 65536):
        writer.write(frame(body[offset : offset + 65536]))
        await writer.drain()
