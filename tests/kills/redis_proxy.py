"""Between a worker and its Redis: sees every command, and which of them belong to the run."""

from __future__ import annotations

import asyncio
from functools import cache
from hashlib import sha1
from importlib import resources
from pathlib import Path

import hiredis

from jobs.scripts import script_source
from tests.kills.fate import Fate
from tests.kills.pipes import closing, pipe

# What goes on beside a run: when it comes is a matter of timing. Lease renewals, what sweep and watcher read, health.
_ASIDE = frozenset({"renew", "lost", "ZRANGE", "ZMSCORE", "MGET", "HSET"})


class RedisConnection:
    """One connection of a worker, passed on command by command.

    Args:
        socket: the server's.
        mark: the bytes by which a command, or its answer, is known to be about the run.
        fate: is told the moments.
    """

    def __init__(self, socket: Path, mark: bytes, fate: Fate) -> None:
        self._socket, self._mark, self._fate = socket, mark, fate

    async def serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        """Pass commands and answers on until either side ends, or fate strikes."""
        reader = hiredis.Reader()
        async with closing(await asyncio.open_unix_connection(self._socket)) as (server, commands):
            while data := await client.read(65_536):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    if command[0] == b"SUBSCRIBE":
                        commands.write(_packed(command))
                        await asyncio.gather(pipe(client, commands), pipe(server, answers))
                        return
                    answers.write(await self._pass_on(command, server, commands))

    async def _pass_on(
        self, command: list[bytes], server: asyncio.StreamReader, commands: asyncio.StreamWriter
    ) -> bytes:
        """What the server answers to a command; a claim shows only by its answer that it is about the run."""
        verb = _verb(command)
        call = self._fate.number(verb) if verb not in _ASIDE and any(self._mark in part for part in command) else None
        if call:
            self._fate.moment(f"before {call}")
        commands.write(_packed(command))
        answer = await _read_answer(server)
        if call is None and verb not in _ASIDE and self._mark in answer:
            call = self._fate.number(verb)
        if call:
            self._fate.moment(f"after {call}")
        return answer


def _packed(command: list[bytes]) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its stub knows one word only
    return packed


async def _read_answer(server: asyncio.StreamReader) -> bytes:
    """The bytes of one answer."""
    reader, answer = hiredis.Reader(), b""
    while data := await server.read(65_536):
        answer += data
        reader.feed(data)
        if reader.gets() is not False:
            return answer
    raise ConnectionResetError("the server has ended")


def _verb(command: list[bytes]) -> str:
    """The command's name, or its script's."""
    verb = command[0].decode().upper()
    return _scripts().get(command[1].decode(), verb) if verb == "EVALSHA" else verb


@cache
def _scripts() -> dict[str, str]:
    """The names of our scripts, by their digests."""
    scripts = [
        (package, file.name.removesuffix(".lua"))
        for package in ("jobs", "worker")
        for file in resources.files(package).joinpath("lua").iterdir()
    ]
    return {sha1(script_source(name, package).encode()).hexdigest(): name for package, name in scripts}
