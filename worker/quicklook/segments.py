"""Strips and tiles of a TIFF, unpacked: never to more bytes than their pixels take."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from worker.quicklook.terms import NoPicture

_CLEAR, _END, _FIRST = 256, 257, 258
_MOST_BITS = 12


def unpack(compression: int, packed: bytes, size_bytes: int) -> bytes:
    """The first `size_bytes` of a segment; where there are fewer, zeros stand for the rest.

    Raises:
        NoPicture: it is packed in a way that is not known here, or damaged.
    """
    undo = _WAYS.get(compression)
    if undo is None:
        raise NoPicture(
            f"its pixels are packed in a way that is not read here ({_NAMES.get(compression, compression)})"
        )
    try:
        plain = undo(packed, size_bytes)
    except (zlib.error, ValueError, IndexError, struct.error) as error:
        raise NoPicture("its pixels are damaged") from error
    return plain[:size_bytes].ljust(size_bytes, b"\0")


def _copy(packed: bytes, _: int) -> bytes:
    return packed


def _inflate(packed: bytes, size_bytes: int) -> bytes:
    return zlib.decompressobj().decompress(packed, size_bytes)


def _unpack_bits(packed: bytes, size_bytes: int) -> bytes:
    """Runs of bytes, and bytes as they are, each behind its count."""
    out, at = bytearray(), 0
    while at < len(packed) and len(out) < size_bytes:
        count = packed[at]
        if count < 128:  # noqa: PLR2004 — of the format: so many bytes, and one more, as they are
            out += packed[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            if count > 128:  # noqa: PLR2004 — 128 means nothing
                out += packed[at + 1 : at + 2] * (257 - count)
            at += 2
    return bytes(out)


def _undo_lzw(packed: bytes, size_bytes: int) -> bytes:
    """LZW as TIFF has it: codes of 9 to 12 bits, the highest bit first, one bit more from one code before it is needed.

    Raises:
        ValueError: a code stands for nothing.
    """
    single = [bytes([value]) for value in range(_CLEAR)] + [b"", b""]
    table, width, before = list(single), 9, b""
    out: list[bytes] = []
    written = bits = held = 0
    for byte in packed:
        held = (held << 8) | byte
        bits += 8
        if bits < width:
            continue
        bits -= width
        code = held >> bits
        held &= (1 << bits) - 1
        if code == _END:
            break
        if code == _CLEAR:
            table, width, before = list(single), 9, b""
            continue
        if code < len(table):
            word = table[code]
        elif code == len(table) and before:
            word = before + before[:1]
        else:
            raise ValueError(code)
        out.append(word)
        written += len(word)
        if written >= size_bytes:
            break
        if before and len(table) < 1 << _MOST_BITS:
            table.append(before + word[:1])
            if len(table) + 1 >= 1 << width and width < _MOST_BITS:
                width += 1
        before = word
    return b"".join(out)


_WAYS: dict[int, Callable[[bytes, int], bytes]] = {
    1: _copy,
    5: _undo_lzw,
    8: _inflate,
    32_773: _unpack_bits,
    32_946: _inflate,
}
_NAMES = {6: "JPEG", 7: "JPEG", 34_712: "JPEG 2000", 34_887: "LERC", 34_925: "LZMA", 50_000: "ZSTD", 50_001: "WebP"}
