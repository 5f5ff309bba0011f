"""Between a worker and what it talks to over HTTP: sees every request, its answer, and the middle of each body."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from tests.kills.fate import Fate
from tests.kills.pipes import closing, pipe

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_ASIDE = b"last_modified"  # what has changed at Planet is listed beside a run: when is a matter of timing
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class HttpConnection:
    """One connection of a worker, passed on request by request.

    Args:
        port: the server's.
        fate: is told the moments.
        half_written: returns once the worker has written some of a body whose other half is still to come.
    """

    def __init__(self, port: int, fate: Fate, half_written: Callable[[], Awaitable[object]]) -> None:
        self._port, self._fate, self._half_written = port, fate, half_written

    async def serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        """Pass requests and answers on until either side ends, or fate strikes."""
        async with closing(await asyncio.open_connection("127.0.0.1", self._port)) as (server, requests):
            while True:
                head, size = await _read_head(client)
                is_aside = _ASIDE in head.partition(b"\r\n")[0]
                call = "" if is_aside else self._fate.number(_name_of(head))
                body = await client.readexactly(size)
                self._tell("before", call)
                requests.write(head + body)
                await self._answer(call, server, answers, has_body=not head.startswith(b"HEAD"))

    def _tell(self, when: str, call: str) -> None:
        if call:
            self._fate.moment(f"{when} {call}")

    async def _answer(
        self, call: str, server: asyncio.StreamReader, answers: asyncio.StreamWriter, *, has_body: bool
    ) -> None:
        head, size = await _read_head(server)
        self._tell("after", call)
        answers.write(head)
        if not has_body:
            return
        if "/compute-orders-live/" in call and size > 1:
            await pipe(server, answers, size // 2)
            if self._fate.at == f"amid {call}":
                await self._half_written()
            self._fate.moment(f"amid {call}")
            size -= size // 2
        await pipe(server, answers, size)


async def _read_head(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """The head of a message, and how many bytes of body come after it."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, int(length[1]) if length else 0


def _name_of(head: bytes) -> str:
    """Method and path, without what differs from run to run."""
    method, target, _ = head.split(b" ", 2)
    return f"{method.decode()} {_ID.sub('{id}', target.decode().partition('?')[0])}"
