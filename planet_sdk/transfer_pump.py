"""From the network to the disk: the event loop reads, a thread writes and hashes, and neither waits long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from typing import TypeVar

from planet_sdk.exceptions import PlanetError
from planet_sdk.straight_body import StraightBody
from planet_sdk.transfer_part import Part

T = TypeVar("T")

# A thread is worth its hop from about here on; two such buffers are all that a transfer holds.
FLUSH_BYTES = 1024 * 1024
# A slow body is written this often, so that little is lost when the process is killed.
FLUSH_DELAY_S = 0.1
# How often a thread that writes on its own is looked at.
REPORT_DELAY_S = 0.1


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """Return what the function returns; if cancelled, wait for its end first, since a thread cannot be stopped."""
    return await _to_the_end(asyncio.get_running_loop().run_in_executor(None, function, *args))


async def _to_the_end(future: asyncio.Future[T]) -> T:
    """Return the future's result; if cancelled meanwhile, wait for its end first."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:  # asked again: the first one is raised below
                continue
        if not future.cancelled():
            future.exception()  # seen: the cancellation is what is raised
        raise


class Pump:
    """Adds a body to a part file.

    What was received is written also when the body breaks or the task is cancelled, before the error goes on.

    Attributes:
        received: bytes taken from the bodies so far.
    """

    def __init__(self, part: Part, on_written: Callable[[], None]) -> None:
        """Make a pump.

        Args:
            part: where bytes go.
            on_written: called in the event loop after bytes were written.
        """
        self.received = 0
        self._part = part
        self._on_written = on_written
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._writing: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reported = part.size

    async def pour(
        self,
        body: AsyncGenerator[bytes, None],
        room: int | None,
        straight_rest: Callable[[], StraightBody | None] = lambda: None,
    ) -> bool:
        """Write the whole body; return False, and stop reading, if it is longer than the room there is for it.

        Args:
            body: the chunks.
            room: how many bytes it may have, or None.
            straight_rest: returns what is left of the body, once a thread can read that; asked after each chunk.
        """
        start = self.received
        try:
            async with aclosing(body):
                async for chunk in body:
                    self.received += len(chunk)
                    if room is not None and self.received - start > room:
                        return False
                    await self._take(chunk)
                    if rest := straight_rest():
                        return await self._pour_straight(rest, None if room is None else room - self.received + start)
        finally:
            await self._drain()
        return True

    async def _pour_straight(self, rest: StraightBody, room: int | None) -> bool:
        """Let one thread receive, write and hash: none waits for another, and nothing is handed over."""
        with closing(rest):
            if room is not None and rest.left_bytes > room:
                return False
            await self._drain()
            pool = ThreadPoolExecutor(1, "transfer")  # of its own: it may wait long, and asyncio's few serve everyone
            writing = asyncio.get_running_loop().run_in_executor(pool, self._write_straight, rest)
            pool.shutdown(wait=False)
            try:
                while not writing.done():
                    await asyncio.wait([writing], timeout=REPORT_DELAY_S)
                    self._report()
            except BaseException:
                rest.stop()
                with suppress(PlanetError):
                    await _to_the_end(writing)
                raise
            await writing
        return True

    def _write_straight(self, rest: StraightBody) -> None:
        for piece in rest.pieces():
            self.received += len(piece)
            self._part.append([piece])

    async def _take(self, chunk: bytes) -> None:
        self._buffer.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= FLUSH_BYTES:
            await self._written()
            self._write()
        elif self._timer is None:
            self._write_soon()
        self._report()

    def _on_timer(self) -> None:
        self._timer = None
        if self._writing is None or self._writing.done():
            self._write()
        else:
            self._write_soon()

    def _write_soon(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FLUSH_DELAY_S, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _write(self) -> None:
        self._stop_timer()
        if not self._buffer or self._failed():
            return
        chunks, self._buffer, self._buffered = self._buffer, [], 0
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._part.append, chunks)

    def _failed(self) -> bool:
        return self._writing is not None and self._writing.done() and self._writing.exception() is not None

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def _drain(self) -> None:
        """Write what is left, and leave nothing running, whatever happens."""
        try:
            if self._writing is not None:
                await _to_the_end(self._writing)
            self._write()
            if self._writing is not None:
                await _to_the_end(self._writing)
        finally:
            self._stop_timer()
            self._buffer, self._buffered, self._writing = [], 0, None
        self._report()

    def _report(self) -> None:
        if self._part.size != self._reported:
            self._reported = self._part.size
            self._on_written()
