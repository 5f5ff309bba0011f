"""Bodies that were sent compressed, undone a bounded piece at a time.

httpx inflates all that has arrived at once, with whatever codecs happen to be installed: a few KiB can become
gigabytes before anybody can count them.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import httpx

from planet_sdk.exceptions import AnswerTooLarge, ClientError

UNDONE = ("gzip", "deflate")
PIECE_BYTES = 256 * 1024

# Deflate shrinks what is all the same a thousandfold, and imagery and JSON far less than this.
MAX_GROWTH = 200
HARMLESS_BYTES = 64 * 1024 * 1024  # to which a body may grow in any case


def encodings_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return how a body is compressed, the first first; nothing, where its bytes are those of the file."""
    names = (name.strip().lower() for name in headers.get("content-encoding", "").split(","))
    return tuple(name for name in names if name not in {"", "identity"})


def can_undo(encodings: tuple[str, ...]) -> bool:
    """Tell whether `decompressed` knows these encodings; two on top of each other are nobody's honest choice."""
    return encodings in {(), *((name,) for name in UNDONE)}


async def decompressed(pieces: AsyncGenerator[bytes, None], encodings: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
    """Iterate over the body as it was before it was compressed, in pieces of bounded size.

    Raises:
        ClientError: it is compressed in a way that nobody asked for.
        AnswerTooLarge: it grows as no honest body does.
        httpx.DecodingError: it is damaged, or ends early.
    """
    if not can_undo(encodings):
        raise ClientError(f"the answer is encoded as {', '.join(encodings)}, which nobody asked for")
    async with aclosing(pieces), aclosing(_inflated(pieces, encodings[0]) if encodings else pieces) as plain:
        async for piece in plain:
            yield piece


async def _inflated(pieces: AsyncGenerator[bytes, None], encoding: str) -> AsyncGenerator[bytes, None]:
    inflate: zlib._Decompress | None = None
    took = gave = 0
    async for piece in pieces:
        inflate = inflate or zlib.decompressobj(_window_bits(encoding, piece))
        took += len(piece)
        rest = piece
        while not inflate.eof:
            try:
                plain = inflate.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise httpx.DecodingError(f"the body is no {encoding} ({error})") from error
            gave += len(plain)
            if gave > max(HARMLESS_BYTES, took * MAX_GROWTH):
                raise AnswerTooLarge(f"{took:,} compressed bytes became more than {gave:,}: no honest body does that")
            yield plain
            rest = inflate.unconsumed_tail
            if not rest and len(plain) < PIECE_BYTES:  # nothing is held back, either
                break
    if inflate is not None and not inflate.eof:
        raise httpx.DecodingError(f"the {encoding} body ended early")


def _window_bits(encoding: str, start: bytes) -> int:
    """Return what zlib has to be told; some servers send deflate without the frame that RFC 9110 asks for."""
    if encoding == "gzip":
        return 16 + zlib.MAX_WBITS
    is_framed = start[0] & 0x0F == zlib.DEFLATED
    return zlib.MAX_WBITS if is_framed else -zlib.MAX_WBITS
