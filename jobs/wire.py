"""Connections to Redis that wait only for what takes time.

redis-py puts a timeout around each look whether a connection is still good and around each send, and before Python 3.12
the latter is a task of its own. Neither has anything to wait for, as a rule: what has come in is in memory, and the
kernel takes a command at once. That is more than half of what a command costs this process. Where there is something
to wait for, or anything is unusual, redis-py does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from redis.typing import EncodableT


class _Prompt(AbstractConnection):
    """Takes the short way where it is free."""

    _reader: StreamReader | None
    _writer: StreamWriter | None

    async def can_read_destructive(self) -> bool:
        """Whether something has come that nobody has asked for; raises ConnectionError where the other side is gone."""
        if self._is_quiet():
            return False
        return bool(await super().can_read_destructive())  # type: ignore[no-untyped-call]  # it has no annotations

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send, or leave to the kernel to send; raises as redis-py's does."""
        writer = self._writer
        if writer is None or isinstance(command, bytes | str) or self.health_check_interval or _is_busy(writer):
            await super().send_packed_command(command, check_health)
            return
        writer.writelines(command)
        if _is_busy(writer):  # a server that has not taken all of it gets as long as redis-py gives it
            await super().send_packed_command([], check_health=False)

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """A command as the server reads it; hiredis writes it in an eighth of redis-py's time."""
        name, *rest = args
        try:
            return [hiredis.pack_command((*_words(name), *rest))]  # type: ignore[arg-type]  # its stub knows one item
        except TypeError:  # redis-py says what is wrong with it, or knows better
            return super().pack_command(*args)

    def _is_quiet(self) -> bool:
        """Whether the connection is certainly up, and nothing lies there unread."""
        stream, answers = self._reader, getattr(self._parser, "_reader", None)  # hiredis' own, if it is that parser
        if stream is None or answers is None or stream.at_eof() or stream.exception():
            return False
        # Where a later version keeps these elsewhere, it counts as not quiet.
        return not getattr(stream, "_buffer", True) and not getattr(answers, "has_data", _unknown)()


def _words(name: EncodableT) -> list[bytes]:
    """A command of several words, as CONFIG GET, counts as so many arguments."""
    return name.split() if isinstance(name, bytes) else str(name).encode().split()


def _unknown() -> bool:
    return True


def _is_busy(writer: StreamWriter) -> bool:
    transport = writer.transport
    return transport.is_closing() or transport.get_write_buffer_size() > 0


class _PromptTcp(_Prompt, Connection):
    pass


class _PromptTls(_Prompt, SSLConnection):
    pass


class _PromptUnix(_Prompt, UnixDomainSocketConnection):
    pass


_PROMPT = {Connection: _PromptTcp, SSLConnection: _PromptTls, UnixDomainSocketConnection: _PromptUnix}


def open_pool(options: Mapping[str, Any]) -> ConnectionPool:
    """A pool of such connections; nothing is sent yet.

    Args:
        options: as redis-py's `parse_url` gives them, `connection_class` among them where it is not TCP.
    """
    usual = {**options}
    kind = usual.pop("connection_class", Connection)
    return ConnectionPool(connection_class=_PROMPT.get(kind, kind), **usual)
