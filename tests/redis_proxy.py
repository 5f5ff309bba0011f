"""A proxy before a Redis: slow, silent or cut off, as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

from jobs.scripts import script_source


def source_of(script: str) -> str:
    """The text of one of the scripts of jobs."""
    return script_source(script)


def call_of(script: str) -> bytes:
    """What a call of that script has in it."""
    return sha1(source_of(script).encode()).hexdigest().encode()


@dataclass
class RedisProxy:
    """Passes on what clients and server say.

    Attributes:
        url: where clients connect.
        delay_s: how long each answer is kept back.
        open: cleared: nothing passes, and no connection ends.
        cut_before: a command with these bytes is not passed on; its connection is cut, once for each entry.
        cut_after: such a command is passed on, and its connection cut before the answer.
        hold_after: such a command is passed on; its answer, and whatever else its connection hears, waits for `free`.
        refuses: new connections are ended at once.
        seen: how many connections were cut or held.
    """

    socket: Path
    url: str = ""
    delay_s: float = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    cut_before: list[bytes] = field(default_factory=list)
    cut_after: list[bytes] = field(default_factory=list)
    hold_after: list[bytes] = field(default_factory=list)
    refuses: bool = False
    seen: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_all(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        if self.refuses:
            answers.transport.abort()
            return
        server, commands = await asyncio.open_unix_connection(self.socket)
        self._writers |= {answers, commands}
        gates = [self.open]
        back = asyncio.create_task(self._pass_answers(server, answers, gates))
        try:
            with suppress(OSError):
                await self._pass_commands(client, commands, back, gates)
        finally:
            back.cancel()
            self._writers -= {answers, commands}
            commands.close()
            answers.close()

    async def _pass_commands(
        self,
        client: asyncio.StreamReader,
        commands: asyncio.StreamWriter,
        back: asyncio.Task[None],
        gates: list[asyncio.Event],
    ) -> None:
        while data := await client.read(65_536):
            await gates[-1].wait()
            if self._strikes(self.cut_before, data):
                return
            if self._strikes(self.hold_after, data):
                gates.append(self.free)
            cut = self._strikes(self.cut_after, data)
            if cut:
                back.cancel()
            commands.write(data)
            await commands.drain()
            if cut:
                return

    async def _pass_answers(
        self, server: asyncio.StreamReader, answers: asyncio.StreamWriter, gates: list[asyncio.Event]
    ) -> None:
        with suppress(OSError):
            while data := await server.read(65_536):
                await asyncio.sleep(self.delay_s)  # the latency of the line
                await gates[-1].wait()
                answers.write(data)
                await answers.drain()
        answers.close()

    def _strikes(self, marks: list[bytes], data: bytes) -> bool:
        mark = next((mark for mark in marks if mark in data), None)
        if mark is not None:
            marks.remove(mark)
            self.seen += 1
        return mark is not None


@asynccontextmanager
async def proxy_before(socket: Path) -> AsyncIterator[RedisProxy]:
    """A proxy before the server at this Unix socket, as long as the block runs."""
    proxy = RedisProxy(socket)
    proxy.open.set()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.create_task(proxy.serve(reader, writer)))
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
