from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from .content import CHUNK_BYTES, Content
from .faults import Fault, FaultKind
from .journal import Journal
from .wire import Wire, wait_for_disconnect

_SLICE_S = 0.05  # a slow body comes in pieces this far apart
_FLIPPED_BYTES = 16


@dataclass(frozen=True, slots=True)
class Body:
    """A reply from storage: headers and a stretch of an object, spoilt as the faults say."""

    name: str
    content: Content
    start: int
    stop: int
    status: int
    headers: Mapping[str, str]
    faults: Mapping[FaultKind, Fault]
    bytes_per_s: float | None = None

    async def send_head(self, send: Send, *, more: bool) -> None:
        """Send status and headers; `more` if a body follows."""
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        if not more:
            await send({"type": "http.response.body", "body": b""})

    async def send(self, journal: Journal, wire: Wire, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the faults allow, or until the client has gone."""
        journal.open_body()
        gone = asyncio.create_task(wait_for_disconnect(receive))
        try:
            journal.note_sent(self.name, 0, whole=self.start == self.stop)
            await self.send_head(send, more=True)
            sent = 0
            for piece in self._pieces():
                sent += len(piece)
                # Noted before its last byte goes out: whoever has read the file finds it in the report.
                journal.note_sent(self.name, len(piece), whole=sent == self.stop - self.start and not self._breaks)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await self._pause()
                if gone.done():
                    return
            await self._end(wire, scope, send, gone)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            journal.close_body()

    @property
    def _breaks(self) -> Fault | None:
        return self.faults.get(FaultKind.CUT_BODY) or self.faults.get(FaultKind.STALL_BODY)

    async def _end(self, wire: Wire, scope: Scope, send: Send, gone: asyncio.Task[None]) -> None:
        if FaultKind.CUT_BODY in self.faults:
            wire.close(scope)
            await gone
        elif FaultKind.STALL_BODY in self.faults:
            await gone
        else:
            await send({"type": "http.response.body", "body": b""})

    def _pieces(self) -> Iterator[bytes]:
        length = self.stop - self.start
        end = length if self._breaks is None else self._breaks.position(length)
        step = CHUNK_BYTES if self._speed is None else max(1, min(CHUNK_BYTES, int(self._speed * _SLICE_S)))
        for offset in range(0, end, step):
            yield self._read(offset, min(step, end - offset))

    def _read(self, offset: int, length: int) -> bytes:
        """A piece of the body; what lies behind the object's end is zeros."""
        data = self.content.read(self.start + offset, length)
        data += bytes(length - len(data))
        if (fault := self.faults.get(FaultKind.CORRUPT_BODY)) is None:
            return data
        place = min(fault.position(self.stop - self.start), max(0, self.stop - self.start - 1)) - offset
        first, last = max(0, place), max(0, min(length, place + _FLIPPED_BYTES))
        return data[:first] + bytes(byte ^ 0xFF for byte in data[first:last]) + data[max(first, last) :]

    async def _pause(self) -> None:
        await asyncio.sleep(0 if self._speed is None else _SLICE_S)

    @property
    def _speed(self) -> float | None:
        fault = self.faults.get(FaultKind.SLOW_BODY)
        return self.bytes_per_s if fault is None else fault.bytes_per_s
