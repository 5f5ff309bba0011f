"""The rest of a long body, read by a thread from the connection itself.

httpx reads 64 KiB at a time, and each of them is copied several times, wakes the event loop and registers the socket
with the kernel anew: that costs more than hashing and writing together. Once the headers say how long the body is, none
of it is needed: what follows them is the body, byte for byte, and a thread that blocks in the kernel lets others run.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, cast

import httpx

from planet_sdk.answers import typed_errors

# One round of receive, write and hash; smaller ones cost switches between threads, larger ones only memory.
BUFFER_BYTES = 1024 * 1024
# A connection that was read past httpx cannot be used again; with less to come than this, keeping it is worth more.
MIN_BYTES = 4 * 1024 * 1024


class StraightBody:
    """What is still to come of one body; made by `rest_of`, read in one thread, stopped from any."""

    def __init__(self, answer: httpx.Response, connection: _Plain | _Encrypted, left: int) -> None:
        self.left_bytes = left
        self._request = answer.request
        self._connection = connection
        self._stopped = False

    @classmethod
    def rest_of(cls, answer: httpx.Response) -> Self | None:
        """Return what has not been read of the answer, if that is long and all of it is still to be received.

        None is no verdict on what comes later: something may have been read ahead, and is not yet handed out. From here
        on the answer must not be read; closing it closes the connection.
        """
        left = _announced_bytes(answer) - answer.num_bytes_downloaded
        connection = _take_connection(answer) if left >= MIN_BYTES else None
        return None if connection is None else cls(answer, connection, left)

    def pieces(self) -> Iterator[memoryview]:
        """Iterate over the rest, blocking; each piece is there until the next one is asked for.

        Raises:
            RequestError: the connection broke, was silent for the request's read timeout, or ended too early.
        """
        buffer = memoryview(bytearray(min(BUFFER_BYTES, self.left_bytes)))
        while self.left_bytes and not self._stopped:
            with typed_errors(self._request.method, str(self._request.url)):
                got = self._connection.receive_into(buffer[: self.left_bytes])
                if not got and not self._stopped:
                    raise httpx.RemoteProtocolError(f"the body ended {self.left_bytes:,} bytes early")
            self.left_bytes -= got
            yield buffer[:got]

    def stop(self) -> None:
        """End the iteration soon, also where it waits for the server."""
        self._stopped = True
        with suppress(OSError):  # the server was first
            self._connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give back what the reading needed; the connection itself is closed with the answer."""
        self._connection.socket.close()


@dataclass(frozen=True, slots=True)
class _Plain:
    """A connection whose bytes are the body's."""

    socket: socket.socket

    def receive_into(self, buffer: memoryview) -> int:
        """Wait for bytes, and return how many came; 0 at the connection's end."""
        return self.socket.recv_into(buffer)


class _Encrypted:
    """A connection with TLS, which anyio began and this goes on with."""

    def __init__(
        self, plain: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self.socket = plain
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._encrypted = memoryview(bytearray(BUFFER_BYTES))

    def receive_into(self, buffer: memoryview) -> int:
        """As _Plain's."""
        got = 0
        while got < len(buffer):
            try:
                read = cast("int", self._tls.read(len(buffer) - got, buffer[got:]))  # bytes only without a buffer
            except ssl.SSLWantReadError:
                if got:
                    break
                self._receive()
            else:
                if not read:
                    break
                got += read
        return got

    def _receive(self) -> None:
        if self._outgoing.pending:  # an answer that the protocol itself wants, as to new keys
            self.socket.sendall(self._outgoing.read())
        if received := self.socket.recv_into(self._encrypted):
            self._incoming.write(self._encrypted[:received])
        else:
            self._incoming.write_eof()


def _announced_bytes(answer: httpx.Response) -> int:
    """Return how many bytes follow the headers; 0 where the body may not simply be those."""
    length = answer.headers.get("content-length", "")
    is_plain = answer.http_version == "HTTP/1.1" and "transfer-encoding" not in answer.headers
    return int(length) if is_plain and length.isascii() and length.isdigit() else 0


def _take_connection(answer: httpx.Response) -> _Plain | _Encrypted | None:
    """Return the answer's connection, or None where others hold bytes that they received of it.

    h11 holds nothing: it hands out at once what it is given of a body. anyio can hold what asyncio received, and has no
    public name to tell. Where a version, an event loop or a system lacks what is asked for here, httpx reads on.
    """
    stream: Any = answer.extensions.get("network_stream")
    try:
        tls, below = stream.get_extra_info("ssl_object"), stream._stream  # noqa: SLF001 — see above
        bios = (below._read_bio, below._write_bio) if tls else None  # noqa: SLF001 — see above
        below = below.transport_stream if tls else below
        asyncio_transport, is_held = below._transport, bool(below._protocol.read_queue)  # noqa: SLF001 — see above
        if is_held or asyncio_transport.is_reading() or asyncio_transport.is_closing():
            return None
        plain = socket.socket(fileno=os.dup(stream.get_extra_info("socket").fileno()))
    except (AttributeError, OSError):
        return None
    plain.settimeout(answer.request.extensions["timeout"]["read"])
    return _Encrypted(plain, tls, *bios) if bios else _Plain(plain)
